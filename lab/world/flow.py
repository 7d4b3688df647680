"""Flows of UDP packets, one a millisecond, that go on while something else happens: which of them got there?"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.world.packets import Place

SECONDS = 0.001
BEFORE, AFTER = 0.2, 0.2
"""How long they go on before and after what happens within them."""


class UdpFlow:
    """From one place to another, while it is ``going_on``. Each packet is of a connection of its own if it says so."""

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
        self.sent = 0
        self.received: set[int] = set()

    def send(self) -> None:
        """Send the next packet."""
        self._senders[self.sent % len(self._senders)].sendto(str(self.sent).encode(), self._to)
        self.sent += 1
        self.receive()

    def receive(self) -> None:
        """Take what has come, so that the socket never is full."""
        with suppress(BlockingIOError):
            while True:
                self.received.add(int(self._receiver.recv(100)))

    def close(self) -> None:
        """Send and receive no more."""
        for each in (self._receiver, *self._senders):
            each.close()

    @property
    def lost(self) -> list[int]:
        """The numbers of those that did not get there."""
        return sorted(set(range(self.sent)) - self.received)


@contextmanager
def going_on(flows: Sequence[UdpFlow]) -> Iterator[None]:
    """Have all these flows go on, side by side, for a ``with`` block. At its end they are closed."""
    is_over = threading.Event()
    failed: list[Exception] = []

    def send() -> None:
        at = time.monotonic()
        try:
            while not is_over.is_set():
                for flow in flows:
                    flow.send()
                at += SECONDS
                time.sleep(max(0.0, at - time.monotonic()))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        time.sleep(BEFORE)
        yield
        time.sleep(AFTER)
    finally:
        is_over.set()
        thread.join()
        time.sleep(AFTER)
        for flow in flows:
            flow.receive()
            flow.close()
    if failed:
        raise failed[0]
