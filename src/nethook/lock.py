"""One run at a time: libvirt runs hooks side by side, and a run decides by what it has read."""

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

    def __enter__(self) -> None:
        try:
            os.makedirs(FOLDER, mode=0o700, exist_ok=True)
            self._fd = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
            os.fchmod(self._fd, 0o700)  # whoever may open it may lock it
        except OSError as error:
            raise NethookError(f"cannot lock {FOLDER}: {error.strerror}; nothing was changed") from None
        until = time.monotonic() + WAIT_SECONDS
        while not self._taken():
            if time.monotonic() > until:
                os.close(self._fd)
                raise NethookError(f"another run has held the lock {FOLDER} for too long; nothing was changed")
            time.sleep(POLL_SECONDS)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *exception: object) -> None:
        os.close(self._fd)
