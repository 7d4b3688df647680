"""How long the hook takes, beside its predecessor and beside the least that any program in Python would take."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bench_host import EMPTY, NETWORK, SCRATCH, addresses, seconds
from nethook.config import load
from nethook.engine.run import reconcile
from nethook.engine.snapshot import Question
from nethook.host import Host
from nethook.host.process import Result
from nethook.libvirt import Network
from nethook.placement.scope import scope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.bench_host import BenchHost
    from nethook.host.process import Call

PREDECESSOR_LIMIT = 300
"""With more addresses than this the predecessor is not measured: its time grows with their square."""

BARE_PYTHON = (sys.executable, "-I", "-S", "-c", "pass")

# With `-n`, because what name look-ups cost depends on the resolver: this is in the predecessor's favour.
PREDECESSOR = f"""
import subprocess, sys
for address in sys.stdin.read().split():
    subprocess.run(["ip", "route", "add", address, "dev", "{NETWORK.bridge}", "proto", "218"])
    subprocess.run(["iptables", "-n", "-L", "FORWARD"])
    subprocess.run(["iptables", "-I", "FORWARD", "-d", address, "-o", "{NETWORK.bridge}", "-j", "ACCEPT"])
    subprocess.run(["iptables", "-I", "FORWARD", "-s", address, "-i", "{NETWORK.bridge}", "-j", "ACCEPT"])
"""


@dataclass(frozen=True)
class HookTimes:
    """Seconds for one number of addresses; what stands at the same place in the lists was measured in one round."""

    addresses: int
    first: list[float]
    again: list[float]
    bare: list[float]
    """Python alone, which does nothing."""
    floor: list[float]
    predecessor: list[float]
    """Empty where it was not measured."""


def measure_hook(host: BenchHost, samples: Mapping[int, int], progress: Callable[[str], None]) -> list[HookTimes]:
    """The times for each number of addresses, from so many samples of each."""
    times = []
    for count, rounds in samples.items():
        progress(f"hook with {count} addresses …")
        times.append(_measure(host, count, rounds))
    progress("")
    return times


def measure_ignored_event(host: BenchHost, samples: int) -> list[float]:
    """Seconds for an event that does not matter."""
    return [host.hook("an-event-of-the-future") for _ in range(samples)]


def _measure(host: BenchHost, count: int, rounds: int) -> HookTimes:
    host.configure(count)
    host.reset()
    floor = _Floor()
    predecessor = _Predecessor(count)
    times = HookTimes(count, [], [], [], [], [])
    for number in range(rounds + 1):
        host.reset()
        first, again = host.hook(), host.hook()
        host.require_success(count)
        if number == 0:
            continue  # it warmed the caches
        times.first.append(first)
        times.again.append(again)
        times.bare.append(seconds(BARE_PYTHON))
        host.reset()
        times.floor.append(floor.seconds())
        if count <= PREDECESSOR_LIMIT:
            host.reset()
            times.predecessor.append(predecessor.seconds())
    return times


class _Floor:
    """Start Python, one nft and one ip, which write into an empty kernel what the hook would write."""

    def __init__(self) -> None:
        host = _RecordingHost(60)
        configuration, networks = load(host), [Network(NETWORK.name, NETWORK.bridge, NETWORK.mode)]
        reconcile(Question(configuration, networks, scope_of(networks, configuration.routed_ips), host))
        self._commands: list[tuple[tuple[str, ...], Path]] = [(BARE_PYTHON, EMPTY)]
        for tool in ("nft", "ip"):
            calls = [call for call in host.writes if call.argv[0] == tool]
            path = SCRATCH / f"floor-{tool}"
            path.write_text("".join(call.stdin for call in calls), encoding="ascii")
            self._commands.append((calls[0].argv, path))

    def seconds(self) -> float:
        return sum(seconds(argv, stdin) for argv, stdin in self._commands)


class _RecordingHost(Host):
    """Reads for real, and keeps what would be written."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.writes: list[Call] = []

    def start(self, calls: Sequence[Call]) -> Callable[[], list[Result]]:
        if not any(call.stdin for call in calls):
            return super().start(calls)
        self.writes += calls
        return lambda: [Result(call, 0, "", "") for call in calls]


class _Predecessor:
    """What version 0.6 did, whether or not there was something to do."""

    def __init__(self, count: int) -> None:
        self._addresses = SCRATCH / "predecessor"
        self._addresses.write_text("\n".join(addresses(count)), encoding="ascii")

    def seconds(self) -> float:
        return seconds((sys.executable, "-c", PREDECESSOR), self._addresses)
