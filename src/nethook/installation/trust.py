"""What the hook and the units run, they run as root: whoever may write to it, or swap it, would be root.

That is the interpreter with its library, the package, and everything on the way to them, the links included.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import sys
from typing import TYPE_CHECKING

from nethook.installation.refusal import RefusedError
from nethook.stub import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

ADVICE = "install nethook as root for the system's Python"


def refuse_untrusted() -> None:
    """RefusedError if others than root may change what would run as root."""
    # In the folder of the packages and below, a new file of somebody's could be imported instead of ours.
    code = {str(PACKAGE.parent), *_tree(str(PACKAGE))}
    for path in sorted({*code, *_on_the_way({sys.executable, os.__file__, *code})}):
        why = weakness(os.lstat(path), others_may_add=path not in code)
        if why:
            raise RefusedError(f"{path} {why}, who would become root through the hook; {ADVICE}")


def weakness(status: os.stat_result, *, others_may_add: bool) -> str:
    """Who else may change a file, folder or link with this status; "" if only root.

    With ``others_may_add``, a folder with the sticky bit is fine: what is root's in there stays as it is.
    """
    if status.st_uid != 0:
        return f"belongs to user {status.st_uid}"
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        return ""
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX and others_may_add:
        return ""
    if mode & stat.S_IWOTH:
        return "can be written by everybody"
    members = users_in(status.st_gid) if mode & stat.S_IWGRP else set()
    if members:
        return f"can be written by {', '.join(sorted(members))}"
    return ""


def users_in(gid: int) -> set[str]:
    """All users but root in a group. Debian and Ubuntu let staff write to /usr/local; mostly nobody is in it."""
    try:
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        members = set()
    members.update(user.pw_name for user in pwd.getpwall() if user.pw_gid == gid)
    return members - {user.pw_name for user in pwd.getpwall() if user.pw_uid == 0}


def _tree(folder: str) -> Iterator[str]:
    yield folder
    for parent, folders, files in os.walk(folder):
        yield from (os.path.join(parent, name) for name in folders + files)


def _on_the_way(paths: set[str]) -> set[str]:
    """These paths, all their parents, and where links among them lead."""
    found: set[str] = set()
    todo = list(paths)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.add(path)
        folder = os.path.dirname(path)
        todo.append(folder)
        if os.path.islink(path):
            todo.append(os.path.normpath(os.path.join(os.path.realpath(folder), os.readlink(path))))
    return found
