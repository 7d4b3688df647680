"""Whether a file is ours: the hook and the units have the project's URL in their first lines."""

from __future__ import annotations

import os
import stat

MARK = "# nethook: https://pypi.org/project/libvirt-nethook-helper/"
LENGTH = 4096
"""The mark is within the first bytes; a foreign file may be of any size."""


def is_ours(path: str) -> bool | None:
    """Whether the file at this path, or behind the link there, is ours; None if there is nothing.

    OSError if that cannot be found out. A link that leads nowhere and whatever is not a file are not ours.
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
    """Whether this is exactly what is there: root's regular file with this content and these permission bits."""
    try:
        status = os.lstat(path)
        if (status.st_mode, status.st_uid) != (stat.S_IFREG | mode, 0) or status.st_size != len(data):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except (FileNotFoundError, NotADirectoryError):
        return False
