"""Finding out by what users besides root may change a file, or put another one there.

That depends on the file, on each directory on the way to it, and on each link among them with everything on the way to
its target. This must be cheap, because the hook asks it for each file that it reads. So users and groups are only
numbers here.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OWNER, EVERYBODY, GROUP, ACL = "owner", "everybody", "group", "access control list"
_ACL_ATTRIBUTE = "system.posix_acl_access"


def weakness(path: str, status: os.stat_result, *, others_may_add: bool) -> str:
    """Return what lets other users than root change the file, directory or link: OWNER … ACL; '' if nothing does.

    GROUP is any group that may write; the caller must find out whether it has members. With ``others_may_add``, a
    directory with the sticky bit is fine, because nobody else can change root's files in it.
    """
    mode = status.st_mode
    if status.st_uid != 0:
        return OWNER
    if stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and mode & stat.S_ISVTX and others_may_add):
        return ""
    if mode & stat.S_IWOTH:
        return EVERYBODY
    if mode & stat.S_IWGRP:
        return ACL if _has_acl(path) else GROUP
    return ""


def _has_acl(path: str) -> bool:
    """Return whether the path has an access control list. If so, the group's bits of the mode are its mask."""
    try:
        return bool(os.getxattr(path, _ACL_ATTRIBUTE, follow_symlinks=False))
    except OSError:
        return False


def on_the_way(paths: Iterable[str]) -> set[str]:
    """Return these absolute paths and all their parents, and the same for the targets of links among them."""
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
