"""A flow of packets through whatever is being disturbed, and how many of them were lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from subprocess import DEVNULL, PIPE, Popen
from threading import Thread
from typing import TYPE_CHECKING

from tests.hosts.waiting import wait_for
from tests.hosts.wan import CLIENT, Wan

if TYPE_CHECKING:
    from tests.hosts.guest import Guest


class Flow:
    """A ping every 50 ms; ``lost`` and ``sent`` are known when it has ended."""

    sent = lost = 0

    def __str__(self) -> str:
        return f"of {self.sent} packets, {self.lost} were lost"

    def end(self, summary: str) -> None:
        """Read what ping says at its end."""
        counted = re.search(r"(\d+) packets transmitted, (\d+) (packets )?received", summary)
        assert counted, summary
        self.sent, received = int(counted[1]), int(counted[2])
        # The last packet may be on its way when ping ends.
        self.lost = max(0, self.sent - received - 1)


@contextmanager
def flow(wan: Wan, address: str) -> Iterator[Flow]:
    """From the client to this address and back, for the time of the block."""
    source = CLIENT.of_family(ip_address(address).version)
    argv = ["ping", "-q", "-i", "0.05", "-W", "1", "-I", source, address]
    with Popen(wan.namespace.command(argv), stdout=PIPE, text=True) as process:
        running = Flow()
        try:
            yield running
        finally:
            process.send_signal(2)
            assert process.stdout
            running.end(process.stdout.read())


@contextmanager
def flow_from(guest: Guest, address: str) -> Iterator[Flow]:
    """From a guest to this address and back, for the time of the block."""
    file = guest.run("mktemp").strip()
    pid = guest.run(f"ping -q -i 0.05 {address} >{file} 2>&1 & echo $!").strip()
    running = Flow()
    try:
        yield running
    finally:
        running.end(guest.run(f"kill -INT {pid}; until grep received {file}; do sleep 0.1; done"))


class Silence:
    """The answers to a ping every 20 ms; ``longest`` is the longest time in seconds without one, known at the end."""

    longest = 0.0

    def __init__(self) -> None:
        self._times: list[float] = []

    def hear(self, told: Iterable[str]) -> None:
        """Read what `ping -D` tells, until its end."""
        for line in told:
            answer = re.match(r"\[([\d.]+)\] \d+ bytes from", line)
            if answer:
                self._times.append(float(answer[1]))
        self.longest = max((later - earlier for earlier, later in zip(self._times, self._times[1:])), default=0.0)

    def wait_for_answer(self) -> None:
        """Return when there is an answer that was not there before."""
        heard = len(self._times)
        wait_for(lambda: len(self._times) > heard, "the client has an answer", 60)


@contextmanager
def silence(wan: Wan, address: str) -> Iterator[Silence]:
    """Ask from the client for the time of the block, from its first answer to one that comes behind the block."""
    source = CLIENT.of_family(ip_address(address).version)
    argv = ["ping", "-D", "-i", "0.02", "-I", source, address]
    heard = Silence()
    with Popen(wan.namespace.command(argv), stdout=PIPE, stderr=DEVNULL, text=True) as process:
        assert process.stdout
        listener = Thread(target=heard.hear, args=(process.stdout,))
        listener.start()
        try:
            heard.wait_for_answer()
            yield heard
            heard.wait_for_answer()
        finally:
            process.send_signal(2)
            listener.join()
