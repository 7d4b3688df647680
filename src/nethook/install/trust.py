"""What the hook and the units run, they run as root: whoever may write to it, or swap it, would be root.

That is the interpreter with its library, the package, and everything on the way to them, the links included.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
from typing import TYPE_CHECKING

from nethook.host.trust import ACL, EVERYBODY, GROUP, OWNER, on_the_way, weakness
from nethook.install.refusal import RefusedError
from nethook.install.stub import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

ADVICE = "install nethook as root for the system's Python"


def refuse_untrusted() -> None:
    """RefusedError if others than root may change what would run as root."""
    # In the folder of the packages and below, a new file of somebody's could be imported instead of ours.
    code = {str(PACKAGE.parent), *_tree(str(PACKAGE))}
    for path in sorted({*code, *on_the_way({sys.executable, os.__file__, *code})}):
        why = who_may_change(path, os.lstat(path), others_may_add=path not in code)
        if why:
            raise RefusedError(f"{path} {why}, who would become root through the hook; {ADVICE}")


def who_may_change(path: str, status: os.stat_result, *, others_may_add: bool) -> str:
    """Return who else may change a file, folder or link with this status, as the end of a sentence; "" if only root."""
    found = weakness(path, status, others_may_add=others_may_add)
    if found == OWNER:
        return f"belongs to user {status.st_uid}"
    if found == EVERYBODY:
        return "can be written by everybody"
    if found == ACL:
        return f"has an access control list (see getfacl {path}) and can be written by those named in it"
    members = users_in(status.st_gid) if found == GROUP else set()
    return f"can be written by {', '.join(sorted(members))}" if members else ""


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
