"""Writing a file so that at any moment it is there as a whole or not at all, for whoever runs or reads it."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def write(path: str, data: bytes, mode: int, folder: str, verify: Callable[[str], None]) -> None:
    """Write ``data`` to a temporary file in ``folder`` (of the same file system), and rename it to ``path``.

    Before that, ``verify`` is called with the path of the temporary file. If it raises, or anything fails, nothing
    is left behind, and what was at ``path`` stays.
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
    """Make a folder and its parents, whatever the umask. Returns those that were not there, parents first."""
    if os.path.isdir(path):
        return []
    made = _make_folder(os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, 0o755)  # noqa: S103 # libvirt, AppArmor and people have to find what is in there
    return [*made, path]


def _sync(folder: str) -> None:
    """Have the rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
