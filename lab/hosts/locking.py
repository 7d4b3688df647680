"""Locks between runs: held until the end of the block or of the process, whatever comes first."""

import fcntl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock in the file `path`, which is made when missing."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def take_one(paths: Iterable[Path]) -> TextIO:
    """Wait for the lock in one of these files, which are made when missing; it is held until the file is closed."""
    files = [path.open("w") for path in paths]
    while True:
        for file in files:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for other in files:
                if other is not file:
                    other.close()
            return file
        time.sleep(0.2)
