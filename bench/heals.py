"""How long the service takes to heal what another program has broken: ``python3 -m bench --heals``.

A heal is measured from the command that does the damage to the line in the log that says what was put right. Beside it
is the time for which no packet of a new connection came to a guest. And what the service takes of a processor while
other programs change elements of sets.
"""

from __future__ import annotations

import socket
import time
from statistics import median
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

from lab.firewalls import FIREWALLS
from lab.waiting import wait_for
from lab.world.damages import DAMAGES, LINES
from lab.world.network import WorldPort
from lab.world.verbs import tell_libvirt
from lab.world.watching import Watching
from lab.world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 10
PORT = 7777
SECONDS_BETWEEN_PACKETS = 0.002
PROBED = "203.0.113.10"
ELEMENTS, TRANSACTIONS = 10_000, 20
BLOCKED = "table inet crowdsec { set blocked { type ipv4_addr; }; }"


class Heals(NamedTuple):
    """One cause: how long each heal took, and for how long no packet came, in seconds."""

    cause: str
    seconds: list[float]
    gaps: list[float]

    def __str__(self) -> str:
        columns = (median(self.seconds), max(self.seconds), median(self.gaps), max(self.gaps))
        return f"{self.cause:30}" + "".join(f"{1000 * each:9.0f}" for each in columns)


def measure_heals(progress: Callable[[str], None]) -> list[str]:
    """Measure each cause, and return a table with milliseconds."""
    world = World(FIREWALLS["libvirt-nftables"])
    network, plain = world.network("public", 1), world.network("plain", 2)
    guest = world.guest(network, PROBED)
    tell_libvirt(world, network, WorldPort("web1", guest.mac))
    tell_libvirt(world, plain, has_ipv6=False)
    world.machine.run("sh", "-ec", "echo 1 > /proc/sys/net/ipv6/conf/virbr2/disable_ipv6")
    world.configure(*LINES)
    try:
        with Probe(world, guest.namespace) as probe:
            heals = [_measure(world, probe, cause, progress) for cause in DAMAGES]
        churn = _measure_churn(world)
    finally:
        world.close()
    heading = f"{'milliseconds':30}{'median':>9}{'worst':>9}{'silent':>9}{'worst':>9}"
    return [heading, *map(str, heals), "", *churn]


class Probe:
    """Packets of ever new connections from the outside to a guest, and when they came there."""

    def __init__(self, world: World, guest: object) -> None:
        self._came: list[float] = []
        self._ends = Event()
        with guest.entered():  # type: ignore[attr-defined]
            self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.bind(("", PORT))
        self._receiver.settimeout(0.2)
        self._outside = world.outside(4)
        self._threads = [Thread(target=self._send), Thread(target=self._receive)]

    def __enter__(self) -> Probe:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()
        self._receiver.close()

    def _send(self) -> None:
        with self._outside.namespace.entered():
            while not self._ends.is_set():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"probe", (PROBED, PORT))
                time.sleep(SECONDS_BETWEEN_PACKETS)

    def _receive(self) -> None:
        while not self._ends.is_set():
            try:
                self._receiver.recv(100)
            except TimeoutError:
                continue
            self._came.append(time.monotonic())

    def gap(self, begin: float) -> float:
        """Return the longest time without a packet since then."""
        wait_for(lambda: self._came and self._came[-1] > time.monotonic() - 0.02, "packets come")
        times = [begin, *(each for each in [*self._came] if each > begin)]
        return max(later - earlier for earlier, later in zip(times, times[1:]))


def _measure(world: World, probe: Probe, cause: str, progress: Callable[[str], None]) -> Heals:
    seconds, gaps = [], []
    for number in range(ROUNDS):
        progress(f"{cause}, {number + 1} of {ROUNDS}")
        watching = Watching(world)
        watching.settle()
        before = len(watching.said)
        begin = time.monotonic()
        world.machine.run("sh", "-ec", DAMAGES[cause])
        watching.wait(lambda: len(watching.said) > before, "healed")  # noqa: B023 - called here
        seconds.append(watching.said_at[before] - begin)
        watching.settle()
        gaps.append(probe.gap(begin))
        watching.stop()
    return Heals(cause, seconds, gaps)


def _measure_churn(world: World) -> list[str]:
    """Return what the service takes while other programs change elements: in large transactions and in small ones."""
    watching = Watching(world)
    world.machine.nft(f"add {BLOCKED}")
    many = ", ".join(f"10.0.{number >> 8}.{number & 255}" for number in range(ELEMENTS))
    looks, used = watching.settle(), watching.processor_seconds()
    for _ in range(TRANSACTIONS):
        world.machine.nft(f"add element inet crowdsec blocked {{ {many} }}", "flush set inet crowdsec blocked")
    large = watching.processor_seconds() - used
    used = watching.processor_seconds()
    changes = _churn_singly(world)
    small = watching.processor_seconds() - used
    more = watching.settle() - looks
    memory = watching.kibibytes()
    watching.stop()
    per_10_000 = large / (2 * TRANSACTIONS * ELEMENTS) * 10_000
    return [
        f"10,000 foreign elements in one transaction: {1000 * per_10_000:.0f} ms of a processor",
        f"10,000 foreign elements in transactions of their own: {1000 * small / changes * 10_000:.0f} ms",
        f"looks because of {2 * TRANSACTIONS * ELEMENTS + changes:,} foreign changes: {more}",
        f"memory at most: {memory:,} KiB, without libvirt's library",
    ]


def _churn_singly(world: World) -> int:
    """Add and delete elements one by one, in a process of nft that gets each line as a transaction; return how many."""
    pairs = 5000
    lines = [
        f"{verb} element inet crowdsec blocked {{ 10.1.{number >> 8}.{number & 255} }}"
        for verb in ("add", "delete")
        for number in range(pairs)
    ]
    world.machine.run("nft", "-i", stdin="\n".join(lines) + "\n")
    return 2 * pairs
