"""A provider that knows at which moment a migrated guest goes on: no program can be faster."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

from tests.hosts.host import Host
from tests.hosts.wan import Wan

EVENTS = "echo $$; exec stdbuf -oL virsh event --loop --event lifecycle"


@contextmanager
def delivered_when_resumed(wan: Wan, host: Host, address: str) -> Iterator[None]:
    """Deliver an IPv4 address to the host when libvirt there tells that a guest goes on."""

    def follow(told: Iterable[str]) -> None:
        for line in told:
            if "Resumed" in line:
                wan.deliver(f"{address}/32", host)

    with Popen([str(word) for word in host.command(["sh", "-c", EVENTS])], stdout=PIPE, text=True) as process:
        assert process.stdout
        pid = process.stdout.readline().strip()
        follower = threading.Thread(target=follow, args=(process.stdout,))
        follower.start()
        try:
            yield
        finally:
            host.run(["kill", pid])
            follower.join()
