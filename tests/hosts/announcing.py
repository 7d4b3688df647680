"""What a routing daemon on each host does for the provider: it announces the routes that carry our protocol number.

While a guest moves, both hosts have the route: the target from when its place there is made, the source until the
guest has left. As routers do with two that are equally good, the provider stays with the older one until it is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.hosts.following import following
from tests.hosts.host import Host
from tests.hosts.wan import Wan

PROTOCOL = "proto 218"


class Announcing:
    """Follows the routes to one address; ``log`` has what happened, with the time since the beginning in seconds."""

    def __init__(self, wan: Wan, address: str) -> None:
        self._wan = wan
        self._address = address
        self._announcing: list[Host] = []
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self.log: list[str] = []

    def follow(self, host: Host, told: Iterable[str]) -> None:
        """Do as the routes of this host are: those that it has, and what `ip monitor` tells of them line by line."""
        if host.run(["ip", "route", "show", "type", "unicast", self._address, *PROTOCOL.split()]).stdout:
            self._announced(host)
        for line in told:
            words = line.split()
            if PROTOCOL not in line or self._address not in words or "unreachable" in words:
                continue
            if words[0] == "Deleted":
                self._withdrawn(host)
            else:
                self._announced(host)

    def note(self, what: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:7.3f} {what}")

    def _announced(self, host: Host) -> None:
        with self._lock:
            self.note(f"{host.name} has the route")
            if host not in self._announcing:
                self._announcing.append(host)
            self._deliver()

    def _withdrawn(self, host: Host) -> None:
        with self._lock:
            self.note(f"{host.name} has it no more")
            if host in self._announcing:
                self._announcing.remove(host)
            self._deliver()

    def _deliver(self) -> None:
        if self._announcing:
            self._wan.deliver(f"{self._address}/32", self._announcing[0])


@contextmanager
def announcing(wan: Wan, hosts: Sequence[Host], address: str) -> Iterator[Announcing]:
    """Have an IPv4 address delivered to the host that announces it, for the time of the block."""
    provider = Announcing(wan, address)
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(following(host, "ip monitor route", partial(provider.follow, host)))
        yield provider
