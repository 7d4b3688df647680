"""A flow of UDP packets, one a millisecond, that goes on while something else happens: which of them got there?"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from lab.world.packets import Place

SECONDS = 0.001
BEFORE, AFTER = 0.2, 0.2
"""How long it goes on before and after what happens within it."""


class UdpFlow:
    """From one place to another, for a ``with`` block. Each packet is of a connection of its own if it says so."""

    def __init__(self, source: Place, destination: Place, *, anew: bool = False) -> None:
        family = socket.AF_INET6 if ":" in source.address else socket.AF_INET
        with destination.namespace.entered():
            self._receiver = socket.socket(family, socket.SOCK_DGRAM)
        with source.namespace.entered():
            self._senders = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(200 if anew else 1)]
        self._receiver.bind(("", 0))
        self._receiver.setblocking(False)
        for sender in self._senders:
            sender.bind((source.address, 0))
        self._to = (destination.address, self._receiver.getsockname()[1])
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0
        self.received: set[int] = set()

    def __enter__(self) -> UdpFlow:
        self._thread.start()
        time.sleep(BEFORE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        time.sleep(AFTER)
        self._is_over.set()
        self._thread.join()
        time.sleep(AFTER)
        self._receive()
        for each in (self._receiver, *self._senders):
            each.close()

    def _send(self) -> None:
        at = time.monotonic()
        while not self._is_over.is_set():
            self._senders[self.sent % len(self._senders)].sendto(str(self.sent).encode(), self._to)
            self.sent += 1
            self._receive()
            at += SECONDS
            time.sleep(max(0.0, at - time.monotonic()))

    def _receive(self) -> None:
        """Take what has come, so that the socket never is full."""
        with suppress(BlockingIOError):
            while True:
                self.received.add(int(self._receiver.recv(100)))

    @property
    def lost(self) -> list[int]:
        """The numbers of those that did not get there."""
        return sorted(set(range(self.sent)) - self.received)
