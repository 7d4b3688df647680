"""One run at a time: libvirt runs hooks side by side, and a run decides by what it has read.

Whoever takes the lock notes the time. So a run that has asked libvirt first, which must be done without the lock, can
tell whether another run came between, and libvirt's answer may be out of date.
"""

from __future__ import annotations

import fcntl
import os
import time

from nethook.errors import NethookError

FOLDER = "/run/nethook"
POLL_SECONDS = 0.01
WAIT_SECONDS = 6.0
"""Leaves time for the work itself to whoever gets the lock last."""


class Locked:
    """Holds the lock for a ``with`` block; NethookError if it is not to be had within ``WAIT_SECONDS``.

    The folder itself is locked, not a file in it: that works on a full disk, and the kernel lets go when we die.
    """

    def __init__(self) -> None:
        self._fd = -1
        self.previous = 0
        """When the lock was taken before, as ``last_run`` tells it."""

    def __enter__(self) -> Locked:
        until = time.monotonic() + WAIT_SECONDS
        self._open()
        while not self._taken():
            if time.monotonic() > until:
                os.close(self._fd)
                raise NethookError(f"another run has held the lock {FOLDER} for too long; nothing was changed")
            time.sleep(POLL_SECONDS)
        self.previous = os.fstat(self._fd).st_mtime_ns
        os.utime(self._fd)
        return self

    def _open(self) -> None:
        try:
            os.makedirs(FOLDER, mode=0o700, exist_ok=True)
            self._fd = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
            os.fchmod(self._fd, 0o700)  # whoever may open it may lock it
        except OSError as error:
            raise NethookError(f"cannot lock {FOLDER}: {error.strerror}; nothing was changed") from None

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.fstat(self._fd).st_nlink:
            return True
        os.close(self._fd)  # who had the lock has removed the folder, as `nethook clear` does
        self._open()
        return False

    def __exit__(self, *exception: object) -> None:
        os.close(self._fd)


def last_run() -> int:
    """When the lock was taken last, in nanoseconds; 0 if never."""
    try:
        return os.stat(FOLDER).st_mtime_ns
    except OSError:
        return 0
