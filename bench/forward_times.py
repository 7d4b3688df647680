"""How long an event takes on a host that forwards ports, beside one that routes as many addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.bench_host import FIRST_PORT, GUEST, NETWORK, ONE_MORE, PUBLIC, SCRATCH, forward, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.bench_host import BenchHost

REPEATS = 5
"""Of what changes little or nothing, for each sample."""
NFT = ("nft", "-f", "-")
PORT_OF_ONE_MORE = 443
ELEMENT = SCRATCH / "element"


@dataclass(frozen=True)
class ForwardTimes:
    """Seconds of processors for one number of forwards; what stands at the same place was measured in one round."""

    forwards: int
    first: list[float]
    again: list[float]
    one_more: list[float]
    element: list[float]
    """nft alone, which adds the element of that forward."""
    first_routed: list[float]
    """With as many routed IPs, and no forwards."""
    again_routed: list[float]


def measure_forwards(
    host: BenchHost, samples: Mapping[int, int], progress: Callable[[str], None]
) -> list[ForwardTimes]:
    """The times for each number of forwards, from so many samples of each."""
    target = dict(NETWORK.reserves)[ONE_MORE.mac]
    element = f"{PUBLIC} . tcp . {PORT_OF_ONE_MORE} : {target} . {PORT_OF_ONE_MORE}"
    ELEMENT.write_text(f"add element ip nethook ports {{ {element} }}\n", encoding="ascii")
    times = []
    for count, rounds in samples.items():
        progress(f"hook with {count} forwards …")
        of_count = ForwardTimes(count, [], [], [], [], [], [])
        _measure(host, ForwardTimes(count, [], [], [], [], [], []))  # it warms the caches
        for _ in range(rounds):
            _measure(host, of_count)
        times.append(of_count)
    host.configure()
    progress("")
    return times


def _measure(host: BenchHost, times: ForwardTimes) -> None:
    """Add one sample to each of the times."""
    count = times.forwards
    host.configure(count)
    host.reset()
    times.first_routed.append(host.plug(GUEST))
    times.again_routed.extend(host.plug(GUEST) for _ in range(REPEATS))
    host.require_success(count)
    lines = [forward(str(port)) for port in range(FIRST_PORT, FIRST_PORT + count)]
    host.configure(forwards=[forward(str(PORT_OF_ONE_MORE), ONE_MORE), *lines])
    host.reset()
    times.first.append(host.plug(GUEST))
    host.require_forwards(count)
    again, one_more, element = zip(*(_one_more(host, count) for _ in range(REPEATS)))
    times.again.extend(again)
    times.one_more.extend(one_more)
    times.element.extend(element)


def _one_more(host: BenchHost, count: int) -> tuple[float, float, float]:
    """Seconds for an event with nothing to do, for one that forwards one guest more, and for nft to add that."""
    again, one_more = host.plug(GUEST), host.plug(ONE_MORE)
    host.require_forwards(count + 1)
    host.plug(ONE_MORE, "port-deleted")
    element = taken(NFT, ELEMENT).processors
    host.require_forwards(count + 1)
    host.plug(ONE_MORE, "port-deleted")
    host.require_forwards(count)
    return again, one_more, element
