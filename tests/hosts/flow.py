"""A flow of packets through whatever is being disturbed, and how many of them were lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

from tests.hosts.wan import CLIENT, Wan


class Flow:
    """A running ping; ``lost`` and ``sent`` are known when it has ended."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process
        self.sent = self.lost = 0

    def end(self) -> None:
        """Stop it and read what it counted."""
        self._process.send_signal(2)
        assert self._process.stdout
        counted = re.search(r"(\d+) packets transmitted, (\d+) received", self._process.stdout.read())
        assert counted
        self.sent, received = (int(number) for number in counted.groups())
        # The last packet may be on its way when ping ends.
        self.lost = max(0, self.sent - received - 1)


@contextmanager
def flow(wan: Wan, address: str) -> Iterator[Flow]:
    """A packet every 50 ms from the client to this IPv4 address and back, for the time of the block."""
    argv = ["ping", "-q", "-i", "0.05", "-W", "1", "-I", CLIENT.ipv4, address]
    with Popen(wan.namespace.command(argv), stdout=PIPE, text=True) as process:
        running = Flow(process)
        try:
            yield running
        finally:
            running.end()
