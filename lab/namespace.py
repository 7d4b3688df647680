"""Network namespaces without processes: the kernel keeps one as long as a descriptor of it is open.

This process enters a namespace for the moment of one call. A socket stays in the namespace it was made in, and a child
process in the one it was started in; so neither needs a helper process that lives in there.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace: a new one, or the one that a path (``/proc/PID/ns/net``) names."""

    def __init__(self, path: str | None = None) -> None:
        self._fd = os.open(path, os.O_RDONLY) if path else _new()
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        """Names the namespace to ``ip link … netns``, for as long as it is open."""

    def close(self) -> None:
        """Let go of it; what nobody else holds disappears."""
        os.close(self._fd)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in here, with this thread, for a ``with`` block."""
        own = os.open(_OWN, os.O_RDONLY)
        try:
            _set(self._fd)
            yield
        finally:
            _set(own)
            os.close(own)

    def ip(self, *lines: str) -> None:
        """Run these lines of ``ip`` in here, in one process; all of them have to succeed."""
        with self.entered():
            subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)

    def sysctl(self, name: str, value: int) -> None:
        """Set a value below ``net``; name with slashes."""
        with self.entered():
            Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")


def _new() -> int:
    own = os.open(_OWN, os.O_RDONLY)
    try:
        _check(_libc.unshare(CLONE_NEWNET))
        try:
            return os.open(_OWN, os.O_RDONLY)
        finally:
            _set(own)
    finally:
        os.close(own)


def _set(fd: int) -> None:
    _check(_libc.setns(fd, CLONE_NEWNET))


def _check(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
