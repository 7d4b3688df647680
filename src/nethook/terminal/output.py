"""stdout and stderr that survive when they are closed, when nobody reads them, and when the disk is full.

The output is lost then, but the run goes on to its end: half an `apply` or `install` would be worse.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO


class Output:
    """A stream that never fails. ``error`` is its first failure, None so far without one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text, or drop it after a failure."""
        if self.error is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, unless it has failed."""
        if self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.error = error
        # The rest of the buffer would fail once more when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[list[Output]]:
    """Replace stdout and stderr by lasting ones during a run, and yield these."""
    _open_what_is_closed()
    streams = sys.stdout, sys.stderr
    for stream in streams:  # line by line, so that both are in order where they go to one file
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    outputs = [Output(stream) for stream in streams]
    sys.stdout, sys.stderr = outputs
    try:
        yield outputs
    finally:
        for output in outputs:
            output.flush()
        sys.stdout, sys.stderr = streams


def _open_what_is_closed() -> None:
    """Open /dev/null for each standard stream that is closed.

    Python has None for such a stream, and the next file that is opened would get its descriptor.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as the process runs
