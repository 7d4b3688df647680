"""Who else than root may change a file, or put another one in its place.

That is decided by the file, by each directory on the way to it, and by each link among them with all that is on the way
to where it leads. Cheap, because the hook asks it of the files that it reads; it knows users and groups by number only.
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
    """Return by what others than root may change the file, directory or link: OWNER … ACL; '' if they cannot.

    GROUP is any group that may write; whether somebody is in it, the caller has to know. With ``others_may_add``, a
    directory with the sticky bit is fine: what is root's in there stays as it is.
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
    """Return whether it has an access control list. Where it has one, the group's bits of the mode are its mask."""
    try:
        return bool(os.getxattr(path, _ACL_ATTRIBUTE, follow_symlinks=False))
    except OSError:
        return False


def on_the_way(paths: Iterable[str]) -> set[str]:
    """Return these absolute paths, all their parents, and where links among them lead, with the parents of that."""
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
