"""What a routing daemon on each host does for the provider: it announces the routes that carry our protocol number.

While a guest moves, both hosts have the routes: the target from when its place there is made, the source until the
guest has left. As routers do with two that are equally good, the provider stays with the older one until it is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from lab.hosts.host import Host
from lab.hosts.wan import Wan
from tests.hosts.following import following

PROTOCOL = "proto 218"
ROUTES = ["sh", "-c", "echo $$; exec ip monitor route"]


class Announcing:
    """Follows the routes to these prefixes; ``log`` has what happened, with the seconds since the beginning."""

    def __init__(self, wan: Wan, prefixes: Iterable[str]) -> None:
        self._wan = wan
        self._announcing: dict[str, list[Host]] = {prefix: [] for prefix in prefixes}
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self.log: list[str] = []

    def follow(self, host: Host, told: Iterable[str]) -> None:
        """Do as the routes of this host are: those that it has, and what `ip monitor` tells of them line by line."""
        for family in ("-4", "-6"):
            self._take(host, host.run(["ip", family, "route"]).stdout.splitlines())
        self._take(host, told)

    def note(self, what: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:7.3f} {what}")

    def _take(self, host: Host, told: Iterable[str]) -> None:
        for line in told:
            words = line.split()
            prefix = next((word for word in words if word in self._announcing), None)
            if prefix and PROTOCOL in line and "unreachable" not in words:
                with self._lock:
                    self._told(host, prefix, is_there=words[0] != "Deleted")

    def _told(self, host: Host, prefix: str, *, is_there: bool) -> None:
        self.note(f"{host.name} has {prefix}" if is_there else f"{host.name} has {prefix} no more")
        announcing = self._announcing[prefix]
        if is_there and host not in announcing:
            announcing.append(host)
        elif not is_there and host in announcing:
            announcing.remove(host)
        if announcing:
            self._wan.deliver(prefix, announcing[0])


@contextmanager
def announcing(wan: Wan, hosts: Sequence[Host], prefixes: Iterable[str]) -> Iterator[Announcing]:
    """Have each of these, as `ip` writes them, delivered to the host that announces it, for the time of the block."""
    provider = Announcing(wan, prefixes)
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(following(host, ROUTES, partial(provider.follow, host)))
        yield provider
