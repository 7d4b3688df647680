"""Files: settings and state that the kernel shows, our own in ``/run/nethook``, and those that an administrator writes.

The files in ``/run/nethook`` hold what the kernel cannot tell. They go with it at the next boot.

Of those that an administrator writes:

- Only "no such file" means that a file does not exist. Any other failure stops the run: mistaken for an empty file, it
  would withdraw all addresses of the host.
- They decide which packets reach which guest. So root refuses a file that another user may change, or may swap by
  writing to a directory or a link on the way to it.
- Only regular files are read: a FIFO would block libvirt until the time-out of the hook.

What lets users besides root change a file, or put another one there, may be the file, each directory on the way to it,
and each link among them with everything on the way to its target. Finding that out must be cheap, because the hook asks
it for each file that it reads. So users and groups are only numbers here.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Stamp = tuple[str, int, int, int]
    """The state of a file: path, inode, size, and time of the last change in nanoseconds."""


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


def publish(path: str, text: str) -> None:
    """Make a file that everybody may read hold this text, in one step; OSError if that fails.

    Its folder may belong to another user. So the text is written to a new file with a name that nobody can foresee.
    """
    from tempfile import mkstemp  # noqa: PLC0415 - no run needs it

    descriptor, beside = mkstemp(prefix=".nethook-", dir=os.path.dirname(path))
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            os.fchmod(descriptor, 0o644)
        os.replace(beside, path)
    except BaseException:
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


SIZE_LIMIT = 16 << 20
"""Of a file that is read: a hundred times the size of 10,000 lines. Nobody writes a larger one by hand."""
BROKEN_LINK, NOT_REGULAR, TOO_LARGE = "broken link", "not regular", "too large"
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


class UnfitError(Exception):
    """A file must not be read, because of ``path``: the file itself, or what is on the way to it.

    ``why`` is one of BROKEN_LINK … TOO_LARGE, or OWNER … ACL, by which others may change it. ``mode`` and ``owner`` are
    those of the path, if others may change it; ``target`` is that of a broken link.
    """

    def __init__(self, path: str, why: str, *, mode: int = 0, owner: int = 0, target: str = "") -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
        self.mode = mode
        self.owner = owner
        self.target = target


def trusted(path: str) -> bytes | None:
    """Return the content of a file that an administrator writes; None if there is none.

    UnfitError if it must not be read, OSError if it cannot be.
    """
    try:
        # The path may be a FIFO or a terminal: opening it must neither wait nor have an effect.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        _refuse_broken_link(path)
        return None
    try:
        status = os.fstat(descriptor)
        _refuse_unfit(path, status)
        if status.st_size > SIZE_LIMIT:
            raise UnfitError(path, TOO_LARGE)
        with open(descriptor, "rb", closefd=False) as file:
            content: bytes | None = file.read()
        if content is None:  # a file such as /proc/kmsg has nothing to tell at the moment
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
        return content
    finally:
        os.close(descriptor)


def has_trusted(path: str) -> bool:
    """Return whether there is a program that an administrator has written. It may be of any size.

    UnfitError if it must not be run, OSError if that cannot be known.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        _refuse_broken_link(path)
        return False
    _refuse_unfit(path, status)
    return True


def listing(folder: str) -> list[str] | None:
    """Return the names in a folder of an administrator, sorted; None if there is none.

    UnfitError if it is a broken link, OSError if it cannot be read.
    """
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        _refuse_broken_link(folder)
        return None


def stamp(paths: Iterable[str]) -> list[Stamp]:
    """Return the state of these files and of those in their ``.d`` directories, to see later if one has changed."""
    found = []
    for path in paths:
        for each in (path, f"{path}.d", *(f"{path}.d/{name}" for name in _sorted_names(f"{path}.d"))):
            try:
                status = os.stat(each)
            except OSError:
                continue
            found.append((each, status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def _sorted_names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _refuse_broken_link(path: str) -> None:
    # A broken symlink means that a file should exist: its file system may not be mounted yet.
    if os.path.islink(path):
        raise UnfitError(path, BROKEN_LINK, target=os.readlink(path))


def _refuse_unfit(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnfitError(path, NOT_REGULAR)
    if os.geteuid() == 0:
        # Both paths, because ".." after a link leads elsewhere than it seems.
        for each in sorted(on_the_way([os.path.abspath(path), os.path.realpath(path)])):
            _refuse_untrusted(each, os.lstat(each))
        _refuse_untrusted(path, status)  # an open file, which somebody may have swapped meanwhile


def _refuse_untrusted(path: str, status: os.stat_result) -> None:
    found = weakness(path, status, others_may_add=True)
    if found and not (found == GROUP and status.st_gid == 0):
        raise UnfitError(path, found, mode=status.st_mode, owner=status.st_uid)
