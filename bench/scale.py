"""How the time grows with many addresses, up to the most that there can be: ``python3 -m bench --scale``.

Seconds of processors are told beside those of the clock, because they say more on a busy machine.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.bench_host import NETWORK
from nethook.config import load
from nethook.config.routed_ips import MOST
from nethook.engine.run import MOST_BY_EVENT, reconcile
from nethook.engine.situation import limited_host
from nethook.engine.snapshot import Question
from nethook.libvirt import Network
from nethook.placement.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench_host import BenchHost

EVENTS = (10_000, MOST_BY_EVENT)


@dataclass(frozen=True)
class Taken:
    """What one run took: seconds of the clock, and of processors."""

    what: str
    clock: float
    processors: float

    def __str__(self) -> str:
        return f"{self.what:40} {self.clock:8.2f} s {self.processors:8.2f} s of processors"


def measure_scale(host: BenchHost, progress: Callable[[str], None]) -> list[Taken]:
    """Measure a first event and one with nothing to do, and the same of ``nethook apply`` with all that it takes."""
    taken = []
    for count in EVENTS:
        progress(f"events with {count} addresses …")
        host.configure(count)
        host.reset()
        for what in ("first event", "nothing to do"):
            taken.append(_taken(f"{count:7} addresses, {what}", host.hook))
            host.require_success(count)
    progress(f"apply with {MOST} addresses …")
    host.configure(MOST)
    host.reset()
    for what in ("first apply", "nothing to do"):
        taken.append(_taken(f"{MOST:7} addresses, {what}", _apply))
        host.require_success(MOST)
    taken.append(_taken(f"{MOST:7} addresses, event with nothing to do", host.hook))
    host.require_success(MOST)
    progress("")
    return taken


def _apply() -> None:
    """What ``nethook apply`` does when libvirt has told it of its networks."""
    host = limited_host()
    configuration, networks = load(host), [Network(NETWORK.name, NETWORK.bridge, NETWORK.mode)]
    with host.locked():
        outcome = reconcile(Question(configuration, networks, Scope(known=networks), host, is_thorough=True))
    if outcome.failures:
        raise SystemExit("\n".join(("bench: apply has failed:", *outcome.failures)))


def _taken(what: str, run: Callable[[], object]) -> Taken:
    before, started = _processors(), time.perf_counter()
    run()
    return Taken(what, time.perf_counter() - started, _processors() - before)


def _processors() -> float:
    """Seconds of processors that this process and its children took until now."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
