"""Files of ours: recognising them, and writing one so that at any moment it is there as a whole or not at all.

The hook, the units and the sysctl file have the project's URL in their first lines.
"""

from __future__ import annotations

import os
import stat
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "# nethook: https://pypi.org/project/libvirt-nethook-helper/"
LENGTH = 4096
"""The mark is within these first bytes. A foreign file may be of any size, so no more is read."""


def is_ours(path: str) -> bool | None:
    """Return whether the file at this path, or behind the link there, is ours; None if there is nothing.

    A broken link, and anything that is not a regular file, is foreign. OSError if the file cannot be read.
    """
    try:
        link = stat.S_ISLNK(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait
            return False
        with open(path, "rb") as file:
            first_lines = file.read(LENGTH).splitlines()[:2]
    except FileNotFoundError:
        return False if link else None
    return MARK.encode() in first_lines


def holds(path: str, data: bytes, mode: int) -> bool:
    """Return whether the path is a regular file of root with exactly this content and these permission bits."""
    try:
        status = os.lstat(path)
        if (status.st_mode, status.st_uid) != (stat.S_IFREG | mode, 0) or status.st_size != len(data):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except (FileNotFoundError, NotADirectoryError):
        return False


def write(path: str, data: bytes, mode: int, folder: str, verify: Callable[[str], None]) -> None:
    """Write ``data`` to a temporary file in ``folder``, on the same file system, and rename it to ``path``.

    Before the rename, ``verify`` is called with the path of the temporary file. If it raises, or anything fails,
    nothing is left behind, and ``path`` stays as it was.
    """
    made = _make_folder(folder)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".nethook-", dir=folder)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        verify(temporary)
        made += _make_folder(os.path.dirname(path))
        os.rename(temporary, path)
    except BaseException:
        if temporary:
            os.unlink(temporary)
        for new in reversed(made):
            os.rmdir(new)
        raise
    _sync(os.path.dirname(path))


def _make_folder(path: str) -> list[str]:
    """Create a folder and its parents, whatever the umask. Return those that are new, parents first."""
    if os.path.isdir(path):
        return []
    made = _make_folder(os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, 0o755)  # noqa: S103 # libvirt, AppArmor and people must be able to look inside
    return [*made, path]


def _sync(folder: str) -> None:
    """Make the rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
