"""Changes of files, as the kernel tells of them: inotify(7), by the C library, because Python has no module for it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import stat
import time
from struct import unpack_from
from typing import TYPE_CHECKING

from nethook.host.files import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HAS_CHANGED = 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF. Not
IN_MODIFY: an editor that writes in pieces is not done yet."""
ONLY_FOLDERS, OVERFLOW, WENT = 0x01000000, 0x4000, 0x8000
"""IN_ONLYDIR, IN_Q_OVERFLOW, IN_IGNORED: sys/inotify.h."""
HEADER = 16
NANOSECONDS = 1_000_000_000


def real_path(path: str) -> str:
    """Return where a path leads that may be a link, or go through links."""
    return os.path.realpath(path)


def targets_of_links(folder: str) -> set[str]:
    """Return where links in this folder lead, as far as that is outside of it."""
    real = real_path(folder)
    try:
        names = os.listdir(folder)
    except OSError:  # it is gone meanwhile
        return set()
    targets = {real_path(f"{folder}/{name}") for name in names}
    return {target for target in targets if os.path.dirname(target) != real}


def are_being_written(paths: Iterable[str], seconds: float) -> bool:
    """Return whether somebody may not have finished with these files or those in their ``.d`` folders.

    So it is if one, or the folder in which it is or was, has changed in the last ``seconds``, or if somebody has it
    open for writing.
    """
    paths = [*paths]
    now = time.time()
    changes = [mtime for *_, mtime in stamp([*paths, *{os.path.dirname(path) for path in paths}])]
    if any(0 <= now - mtime / NANOSECONDS < seconds for mtime in changes):
        return True
    return any(_has_writer(path) for path, *_ in stamp(paths))


def _has_writer(path: str) -> bool:
    """Return whether a file is open for writing: the kernel gives no lease for reading then, fcntl(2)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return False
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # ignored; SIGIO would end us if somebody opens it just now
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)
    return False


class Inotify:
    """A watch of folders, not files, because a file that is replaced is another file. OSError if it cannot be had."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "inotify")
        self._folders: dict[int, str] = {}

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to read."""
        return int(self._descriptor)

    def close(self) -> None:
        """Watch no more."""
        os.close(self._descriptor)

    def watch(self, folder: str) -> bool:
        """Watch this folder from now on; False if there is none. OSError if it cannot be watched."""
        number = self._library.inotify_add_watch(self._descriptor, os.fsencode(folder), HAS_CHANGED | ONLY_FOLDERS)
        if number < 0:
            error = ctypes.get_errno()
            if error in {errno.ENOENT, errno.ENOTDIR}:
                return False
            raise OSError(error, os.strerror(error), folder)
        self._folders[number] = folder
        return True

    def keep(self, folders: set[str]) -> None:
        """Stop watching all other folders. What they have told before is still read; their end is told, too."""
        for number in [number for number, folder in self._folders.items() if folder not in folders]:
            self._library.inotify_rm_watch(self._descriptor, number)

    def read(self) -> Iterator[str]:
        """Yield the paths that have changed since the last call; '' if anything may have."""
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, kind, _, length = unpack_from("iIII", data, at)
                name = os.fsdecode(data[at + HEADER : at + HEADER + length].rstrip(b"\0"))
                at += HEADER + length
                folder = self._folders.get(number)
                if kind & OVERFLOW:
                    yield ""
                elif folder is not None:
                    yield f"{folder}/{name}" if name else folder
                if kind & WENT:
                    self._folders.pop(number, None)
