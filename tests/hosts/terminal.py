"""A program at a terminal: what a person would see there, and keys."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from types import TracebackType

from lab.processes import Argument

SECONDS = 60


class Terminal:
    """For a ``with`` block in which the program runs; ``status`` is how it ended."""

    def __init__(self, argv: Sequence[Argument], columns: int = 80, lines: int = 24) -> None:
        self._argv = [str(word) for word in argv]
        self._size = struct.pack("HHHH", lines, columns, 0, 0)
        self.printed = ""
        self.status: int | None = None

    def __enter__(self) -> Terminal:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, self._size)
        self._process = subprocess.Popen(self._argv, stdin=theirs, stdout=theirs, stderr=theirs)
        self._theirs = theirs
        return self

    def wait_for(self, pattern: str) -> None:
        """Read until it has printed something that this regular expression finds."""
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, self.printed):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.printed!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.printed += os.read(self._ours, 65536).decode(errors="replace")

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for_end(self) -> None:
        """Read until it has ended."""
        deadline = time.monotonic() + SECONDS
        while self._process.poll() is None or select.select([self._ours], [], [], 0)[0]:
            assert time.monotonic() < deadline, f"it does not end: {self.printed!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.printed += os.read(self._ours, 65536).decode(errors="replace")
        self.status = self._process.returncode

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
        os.close(self._theirs)
