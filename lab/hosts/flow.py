"""A flow of packets through whatever is being disturbed, and how many of them were lost."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile
from threading import Thread
from typing import TYPE_CHECKING

from lab.hosts.wan import CLIENT, Wan
from lab.waiting import WaitError, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lab.hosts.guest import Guest


MOST = 1 << 24
"""More bytes than ping says."""


class PingFlow:
    """A ping every 50 ms; ``lost`` and ``sent`` are known when it has ended."""

    sent = lost = 0

    def __init__(self, told: Callable[[], str]) -> None:
        """``told`` has what ping has said so far, a line for each answer."""
        self._told = told

    def __str__(self) -> str:
        return f"of {self.sent} packets, {self.lost} were lost"

    @property
    def _answered(self) -> set[int]:
        return {int(number) for number in re.findall(r"bytes from .*seq=(\d+)", self._told())}

    def settle(self) -> None:
        """Wait for an answer more: what has none then, and came before, is lost, and not only on its way."""
        heard = max(self._answered, default=-1)
        with suppress(WaitError):  # nothing gets through any more, so ping's own count is right
            wait_for(lambda: max(self._answered, default=-1) > heard, "an answer more", 10)
            self.sent = max(self._answered) - self._first + 1

    @property
    def _first(self) -> int:
        return 1 if "icmp_seq" in self._told() else 0  # of iputils, of busybox

    def end(self) -> None:
        """Count, when ping has ended."""
        counted = re.search(r"(\d+) packets transmitted", self._told())
        assert counted, self._told()
        self.sent = self.sent or int(counted[1])
        first = self._first  # which may take a command in a guest
        self.lost = self.sent - len([number for number in self._answered if number - first < self.sent])


@contextmanager
def flow(wan: Wan, address: str) -> Iterator[PingFlow]:
    """From the client to this address and back, for the time of the block."""
    source = CLIENT.of_family(ip_address(address).version)
    argv = wan.namespace.command(["ping", "-n", "-i", "0.05", "-I", source, address])
    with TemporaryFile("w+") as said, Popen(argv, stdout=said, text=True) as process:
        running = PingFlow(lambda: os.pread(said.fileno(), MOST, 0).decode())
        try:
            yield running
            running.settle()
        finally:
            process.send_signal(2)
            process.wait()
            running.end()


@contextmanager
def flow_from(guest: Guest, address: str) -> Iterator[PingFlow]:
    """From a guest to this address and back, for the time of the block."""
    file = guest.run("mktemp").strip()
    pid = guest.run(f"ping -i 0.05 {address} >{file} 2>&1 & echo $!").strip()
    running = PingFlow(lambda: guest.run(f"cat {file}"))
    try:
        yield running
        running.settle()
    finally:
        guest.run(f"kill -INT {pid}; until grep transmitted {file}; do sleep 0.1; done")
        running.end()


class Silence:
    """The answers to pings; ``longest`` is the longest time in seconds without one, known at the end."""

    longest = 0.0

    def __init__(self, address: str) -> None:
        self._address = address
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
        wait_for(lambda: len(self._times) > heard, f"the client has an answer of {self._address}", 60)


@contextmanager
def silence(wan: Wan, address: str, interval: float = 0.02) -> Iterator[Silence]:
    """Ask from the client for the time of the block, from its first answer to one that comes behind the block.

    There are so many seconds from one ping to the next.
    """
    source = CLIENT.of_family(ip_address(address).version)
    argv = ["ping", "-n", "-D", "-i", str(interval), "-I", source, address]
    heard = Silence(address)
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
