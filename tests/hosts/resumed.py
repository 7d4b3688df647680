"""A provider that knows at which moment a migrated guest goes on: no program can be faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from lab.hosts.host import Host
from lab.hosts.wan import Wan
from tests.hosts.following import following

EVENTS = "stdbuf -oL virsh event --loop --event lifecycle"


@contextmanager
def delivered_when_resumed(wan: Wan, host: Host, prefixes: Iterable[str]) -> Iterator[None]:
    """Deliver these to the host when libvirt there tells that a guest goes on."""

    def follow(told: Iterable[str]) -> None:
        for line in told:
            if "Resumed" in line:
                for prefix in prefixes:
                    wan.deliver(prefix, host)

    with following(host, EVENTS, follow):
        yield
