"""Small files: settings and state that the kernel shows as files, and our own in ``/run/nethook``; and who may write.

The files in ``/run/nethook`` hold what the kernel cannot tell. They go with it at the next boot.

What users besides root may change a file, or put another one there, depends on the file, on each directory on the way
to it, and on each link among them with everything on the way to its target. Finding that out must be cheap, because the
hook asks it for each file that it reads. So users and groups are only numbers here.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def read(path: str) -> str | None:
    """Return the text of the file; None if there is none. OSError if it cannot be read.

    The kernel says ProcessLookupError for a file of a process that has ended since it was opened.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return None


def sysctl(name: str) -> int | None:
    """Return the value of a number below /proc/sys, its name with slashes; None if the kernel does not have it."""
    try:
        return int(read(f"/proc/sys/{name}") or "")
    except ValueError:
        return None


def write(path: str, text: str) -> None:
    """Write into a file that is there, such as a setting of the kernel; OSError if that fails."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def recorded(path: str) -> str:
    """Return the text of a file of ours, with whatever bytes names consist of; '' if there is none. OSError."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def record(path: str, text: str) -> None:
    """Make a file of ours hold this text, in one step; OSError if that fails. The caller holds the lock."""
    beside = f"{path}.new"
    try:
        with open(beside, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.replace(beside, path)
    except OSError:
        if os.path.isfile(beside):
            os.unlink(beside)
        raise


def remove(path: str) -> None:
    """Remove a file of ours, if it is there; OSError if that fails."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def names(folder: str) -> list[str]:
    """Return the names of the files in this folder; none if there is no such folder. OSError if they are not known."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


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
