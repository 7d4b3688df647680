"""Network namespaces, for which no process has to live in them.

This process enters a namespace for the moment of one call. A socket stays in the namespace it was made in, and a child
process in the one it was started in.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace that a path names: ``/proc/PID/ns/net`` or ``/run/netns/NAME``."""

    def __init__(self, path: str) -> None:
        self.path = path

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in here, with this thread, for a ``with`` block."""
        own = os.open(_OWN, os.O_RDONLY)
        try:
            there = os.open(self.path, os.O_RDONLY)
            try:
                _set(there)
            finally:
                os.close(there)
            yield
        finally:
            _set(own)
            os.close(own)

    def ip(self, *lines: str) -> None:
        """Run these lines of ``ip`` in here, in one process; all of them have to succeed."""
        with self.entered():
            run(["ip", "-batch", "-"], stdin="\n".join(lines), title=f"ip -batch in {self.path}: {lines}")

    def sysctl(self, name: str, value: int) -> None:
        """Set a value below ``net``; name with slashes."""
        with self.entered():
            Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")


class UnnamedNamespace(Namespace):
    """A new one, which the kernel keeps as long as this process has it open."""

    def __init__(self) -> None:
        self._fd = _new()
        super().__init__(f"/proc/{os.getpid()}/fd/{self._fd}")

    def close(self) -> None:
        """Let go of it; what nobody else holds disappears."""
        os.close(self._fd)


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
