"""A ``/dev/log`` whose lines tests can read."""

from __future__ import annotations

import re
import socket
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(
    rb"<(?P<priority>\d+)>(?:\w{3} [ \d]\d \d\d:\d\d:\d\d )?(?P<identifier>[^:\[]+)(?:\[\d+\])?: (?P<text>.*)", re.S
)
_UP_TO_HERE = b"<7>test: up to here"
_END = b"<7>test: end"
_ERROR = 3


class Logged(NamedTuple):
    """One line of the log."""

    identifier: str
    severity: int
    text: str

    @property
    def is_error(self) -> bool:
        """Whether somebody should look at it."""
        return self.severity <= _ERROR


class Syslog:
    """The socket that programs log to. A thread reads it, as a real one is read: who logs much must not wait."""

    def __init__(self, path: Path) -> None:
        self._datagrams: SimpleQueue[bytes] = SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._to_it = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._to_it.connect(str(path))
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Read no more."""
        self._to_it.send(_END)
        self._reader.join()
        self._to_it.close()
        self._socket.close()

    def new(self) -> list[Logged]:
        """What was logged since the last call."""
        self._to_it.send(_UP_TO_HERE)
        return [_logged(data) for data in iter(self._datagrams.get, _UP_TO_HERE)]

    def _read(self) -> None:
        for data in iter(lambda: self._socket.recv(65536), _END):
            self._datagrams.put(data)


def _logged(data: bytes) -> Logged:
    match = _LINE.fullmatch(data.rstrip(b"\n\0"))
    assert match, f"not a line of syslog: {data!r}"
    severity = int(match["priority"]) & 7
    return Logged(match["identifier"].decode(), severity, match["text"].decode())
