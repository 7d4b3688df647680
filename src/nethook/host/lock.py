"""The locks: one run at a time, because libvirt runs hooks side by side and a run decides by what it has read.

libvirt must be asked without the lock, and its answer may be out of date when the lock is taken. Each run notes the
time, so one that has asked can tell whether another run came between. Clocks of file systems stand still for some
milliseconds, so it tells by the ``Version`` of the record whether an event came between.
"""

from __future__ import annotations

import fcntl
import os
import time

from nethook.errors import NethookError, ReadError

FOLDER = "/run/nethook"
MISSED = f"{FOLDER}/missed"
"""Is there when a run has given up waiting for the lock."""
RECORD_LOCK = f"{FOLDER}/told.lock"
POLL_SECONDS = 0.01
RECORD_SECONDS, RECORD_POLL_SECONDS = 1.0, 0.002
WAIT_SECONDS = 6.0
"""Leaves time for the work itself to the run that gets the lock last."""


class Locked:
    """Holds the lock for a ``with`` block; NethookError if it is not to be had within ``WAIT_SECONDS``.

    ``as_of`` is what ``last_run`` told before the caller asked libvirt. If another run came since, ``is_current`` is
    false, and this one is none: it has to ask again.

    The folder itself is locked, not a file in it: that works on a full disk, and the kernel lets go when we die.
    """

    def __init__(self, as_of: int | None = None) -> None:
        self._as_of = as_of
        self._fd = -1
        self._is_new = False
        self.is_current = True

    def __enter__(self) -> Locked:
        until = time.monotonic() + WAIT_SECONDS
        self._open()
        while not self._taken():
            if time.monotonic() > until:
                os.close(self._fd)
                _note_missed()
                raise NethookError(f"another run has held the lock {FOLDER} for too long; nothing was changed")
            time.sleep(POLL_SECONDS)
        previous = 0 if self._is_new else os.fstat(self._fd).st_mtime_ns
        self.is_current = self._as_of in {None, previous}
        if self.is_current:
            os.utime(self._fd)
        return self

    def _open(self) -> None:
        try:
            self._is_new = make_folder()
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


class Version:
    """A file of ours as it was when a ``with`` block began, or that there was none. ReadError if that is not known.

    The file is kept open: each write replaces it, so that the one that was opened loses its name.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> Version:
        try:
            self._fd: int | None = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            self._fd = None
        except OSError as error:
            raise ReadError(f"cannot read {self._path}: {error.strerror}") from None
        return self

    @property
    def is_current(self) -> bool:
        """True if the file has not been written or removed since."""
        return not os.path.lexists(self._path) if self._fd is None else os.fstat(self._fd).st_nlink > 0

    def __exit__(self, *exception: object) -> None:
        if self._fd is not None:
            os.close(self._fd)


class RecordLock:
    """Holds the lock of the record (``libvirt/record.py``) for a ``with`` block; OSError if it cannot be had.

    It is held for less than a millisecond, and waits for no run.
    """

    def __enter__(self) -> None:
        make_folder()
        self._fd = os.open(RECORD_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + RECORD_SECONDS
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > until:
                    os.close(self._fd)
                    error.filename = RECORD_LOCK
                    raise
                time.sleep(RECORD_POLL_SECONDS)
            else:
                return

    def __exit__(self, *exception: object) -> None:
        os.close(self._fd)


def make_folder() -> bool:
    """Make the folder. Returns whether it was not there; OSError if it cannot be made."""
    try:
        os.mkdir(FOLDER, 0o700)
    except FileExistsError:
        return False
    return True


def _note_missed() -> None:
    try:
        file = os.open(MISSED, os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError:  # then nothing but the log tells
        return
    os.close(file)


def take_missed() -> bool:
    """Return whether a run has given up waiting for the lock since this was asked last."""
    try:
        os.unlink(MISSED)
    except OSError:
        return False
    return True


def last_run() -> int:
    """Return when the last run was, in nanoseconds; 0 if there was none."""
    try:
        return os.stat(FOLDER).st_mtime_ns
    except OSError:
        return 0
