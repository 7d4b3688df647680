"""libvirt as a source: its networks and guests that come, go or change, as it tells over its API.

libvirt's library waits and calls back as it likes, so a thread of its own talks to it, and a pipe tells of it here.
While libvirt is away the thread tries again, with growing pauses; nothing else waits for that. It does not start a
daemon that somebody has stopped: systemd does that for each program that connects.

https://libvirt.org/html/libvirt-libvirt-event.html
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from nethook import log
from nethook.config.text import one_line
from nethook.libvirt.live import GUESTS_URI, URI, BindingMissingError, binding, numbers
from nethook.watch.journal import Journal
from nethook.watch.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Libvirt(Source):
    """Events of libvirt, and that it is here again."""

    name = "libvirt"

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._readable, self._writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_closed = False
        self._pause = FIRST_PAUSE
        self._former: list[int] = []
        """The process numbers of the daemons that were connected last."""
        self._greeting = ""
        self._said = ""
        Thread(target=self._listen, daemon=True, name="libvirt").start()

    def fileno(self) -> int:
        """Return the end of the pipe that is readable when there is something to hear."""
        return self._readable

    def read(self) -> Iterator[str]:
        """Yield what libvirt has told."""
        with suppress(BlockingIOError):
            os.read(self._readable, 1 << 16)
        while self._texts:
            yield self._texts.popleft()

    def close(self) -> None:
        """Hear no more; the thread ends with its connection, or with the process."""
        self._is_closed = True

    def _hear(self, text: str) -> None:
        self._texts.append(one_line(text))
        with suppress(BlockingIOError):  # the pipe is full, so it will be read
            os.write(self._writable, b"!")

    def _listen(self) -> None:
        """Connect again and again, and stay while libvirt does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the main thread
        libvirt = None
        while not self._is_closed:
            try:
                libvirt = libvirt or _prepared()
                self._stay(libvirt)
            except BindingMissingError:  # a cycle says so, too
                self._pause = LONGEST_PAUSE
            except Exception as error:  # a defect must not end the thread
                self._pause, self.is_away = LONGEST_PAUSE, False
                self._say(f"changes of libvirt cannot be heard: {log.where(error)}")
            self._greeting = "libvirt is here again"
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _stay(self, libvirt: Any) -> None:
        """Connect, unless libvirt is away, and stay until it hangs up."""
        # A daemon that is asked to stop hangs up first, and may take half a minute to end.
        now = numbers()
        is_ending = now == self._former and self._pause < LONGEST_PAUSE
        if self._former and (not now or is_ending):
            return
        connection = _Connection(libvirt, self._hear)
        try:
            connection.open()
            self._pause, self.is_away = FIRST_PAUSE, False
            self._former = numbers()
            if self._greeting:
                self._hear(self._greeting)
            connection.stay()
            self.is_away = bool(self._former)
        except libvirt.libvirtError:  # it does not answer
            pass
        finally:
            connection.close()

    def _say(self, text: str) -> None:
        """Log this error, once."""
        if text != self._said:
            log.errors([text], Journal(0))
        self._said = text


def _prepared() -> Any:
    """Return libvirt's binding, with its loop of events. BindingMissingError, libvirtError."""
    libvirt = binding()
    libvirt.virEventRegisterDefaultImpl()
    return libvirt


class _Connection:
    """Connections to the daemons for networks and for guests. Without the latter, as on a host without QEMU, go on."""

    def __init__(self, libvirt: Any, hear: Any) -> None:
        self._libvirt = libvirt
        self._hear = hear
        self._connections: list[Any] = []

    def open(self) -> None:
        """Connect. libvirtError if libvirt does not answer."""
        libvirt, networks = self._libvirt, self._open(URI)
        networks.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, self._network, None)
        with suppress(libvirt.libvirtError):
            self._listen_to_guests()

    def stay(self) -> None:
        """Pass on events until one of the daemons ends."""
        while all(connection.isAlive() for connection in self._connections):
            self._libvirt.virEventRunDefaultImpl()

    def close(self) -> None:
        """End what is left of it."""
        for connection in self._connections:
            with suppress(self._libvirt.libvirtError):
                connection.close()

    def _open(self, uri: str) -> Any:
        connection = self._libvirt.openReadOnly(uri)
        self._connections.append(connection)
        return connection

    def _listen_to_guests(self) -> None:
        libvirt, guests = self._libvirt, self._open(GUESTS_URI)
        guests.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._guest, None)
        for number in (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED):
            guests.domainEventRegisterAny(None, number, self._device, None)

    def _network(self, _: Any, network: Any, event: int, *__: Any) -> None:
        words = ("was defined", "was undefined", "started", "stopped")
        self._hear(f"network {network.name()} {words[event] if event < len(words) else 'changed'}")

    def _guest(self, _: Any, guest: Any, event: int, *__: Any) -> None:
        del event
        self._hear(f"guest {guest.name()} changed its state")

    def _device(self, _: Any, guest: Any, alias: str, *__: Any) -> None:
        self._hear(f"device {alias} of guest {guest.name()} came or went")
