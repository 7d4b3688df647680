"""What was measured, as text in aligned columns, and whether it is what is to be reached."""

from __future__ import annotations

import os
import platform
from statistics import median
from typing import TYPE_CHECKING

from bench.connections import FEW, MANY, TRACKED
from bench.forward_rates import RULES
from bench.hook_time import PREDECESSOR_LIMIT
from lab.processes import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.connections import Deletions
    from bench.forward_rates import ForwardRates
    from bench.forward_times import ForwardTimes
    from bench.forwarding import Rates
    from bench.hook_time import HookTimes

    Target = tuple[str, str, float, float]
    """What is measured, ``<=`` or ``>=``, the bound, and the measured value."""

NOT_MEASURED = "-"


def machine(backend: str) -> str:
    """What was measured on."""
    versions = [f"Linux {platform.release()}", f"Python {platform.python_version()}"]
    versions += [Runner().run(*command).split(" (")[0].strip() for command in (("nft", "-v"), ("iptables", "-V"))]
    versions.append(Runner().run("ip", "-V").split(", ")[1])
    return f"{os.cpu_count()} CPUs; {', '.join(versions)}; libvirt's backend: {backend}\n"


def hook_times(times: Sequence[HookTimes], ignored_event: Sequence[float]) -> str:
    """The table of what the hook takes."""
    rows: list[tuple[str, ...]] = [("addresses", "first run", "nothing to do", "bare Python", "floor", "predecessor")]
    for time in times:
        columns = (time.first, time.again, time.bare, time.floor, time.predecessor)
        rows += [(f"{time.addresses:,}", *map(_milliseconds, columns))]
    return "\n".join(
        (
            "Time of one run of the hook, in milliseconds (medians of rounds that measure each column once)",
            *_aligned(rows),
            "floor        bare Python, one nft and one ip that write the same into an empty kernel",
            f"predecessor  four processes for each address; not measured above {PREDECESSOR_LIMIT}",
            f"An event that does not matter ends in the stub after {_milliseconds(ignored_event)} ms.",
            "",
        )
    )


def forward_times(times: Sequence[ForwardTimes]) -> str:
    """The table of what the hook takes with forwards."""
    rows: list[tuple[str, ...]] = [
        ("forwards", "first run", "nothing to do", "one more", "nft, one", "first, routed", "nothing, routed")
    ]
    for time in times:
        columns = (time.first, time.again, time.one_more, time.element, time.first_routed, time.again_routed)
        rows.append((f"{time.forwards:,}", *map(_milliseconds, columns)))
    return "\n".join(
        (
            "Time of one run of the hook with forwards, in milliseconds of processors (medians of rounds)",
            *_aligned(rows),
            "one more     an event that forwards one guest more",
            "nft, one     nft alone, which adds one element to as many",
            "routed       with as many routed IPs, and no forwards",
            "",
        )
    )


def rates(measured: Rates) -> str:
    """The table of how many packets reach a guest."""
    rows = [("rules", "packets/s"), ("none", f"{measured.no_rules:,.0f}")]
    rows += [(f"nethook, {count:,} addresses", f"{rate:,.0f}") for count, rate in measured.by_addresses.items()]
    rows.append(("nethook, 1 address, and a line that waits", f"{measured.waiting:,.0f}"))
    rows.append((f"predecessor, {max(measured.by_addresses):,} addresses", f"{measured.predecessor:,.0f}"))
    rows.append(("libvirt alone, a network of mode route", f"{median(measured.plain):,.0f}"))
    rows.append(("nethook, 1 address, on the same network", f"{median(measured.beside_plain):,.0f}"))
    return "\n".join(
        (
            "Packets that reach one guest from outside: UDP in frames of 64 bytes, one CPU for sender, host and guest",
            *_aligned(rows),
            "nethook      with libvirt's rejecting rules and the gates in them",
            "a line that waits  for its network: then there are routing rules, which lead to fallback routes",
            "predecessor  two rules of iptables for each address, the guest's as the last, and no rules of libvirt",
            "",
        )
    )


def forward_rates(measured: ForwardRates) -> str:
    """The table of how many connections and packets reach a guest through a forwarded port."""
    rows = [("rules", "new connections/s", "packets/s of one")]
    rows += [
        (f"nethook, forwards: {count:,}", f"{median(new):,.0f}", f"{median(measured.packets[count]):,.0f}")
        for count, new in measured.new.items()
    ]
    rows.append((f"iptables, rules: {RULES:,}", f"{median(measured.new_by_rules):,.0f}", NOT_MEASURED))
    rows.append(("nethook, a routed IP", NOT_MEASURED, f"{median(measured.routed):,.0f}"))
    return "\n".join(("Through a forwarded port of UDP, from outside, with one CPU as above", *_aligned(rows), ""))


def deletions(measured: Sequence[Deletions]) -> str:
    """The table of how long deletions of connections take."""
    rows: list[tuple[str, ...]] = [("family", "none", f"{FEW}", f"{MANY:,}")]
    rows += [(f"IPv{each.family}", *(_milliseconds([part]) for part in each[1:])) for each in measured]
    return "\n".join(
        (
            f"Time to delete connections of one port, of {TRACKED:,} that the kernel tracks, in milliseconds",
            *_aligned(rows),
            "IPv6         kernels compare its addresses the wrong way round, so they send all connections of the port",
            "",
        )
    )


def targets(found: Iterable[Target]) -> str:
    """Each target beside what was measured."""
    rows = [("target", "bound", "measured", "")]
    for what, sign, bound, value in found:
        is_reached = value <= bound if sign == "<=" else value >= bound
        rows.append((what, f"{sign} {bound:g}", f"{value:.3f}", "reached" if is_reached else "missed"))
    return "\n".join(_aligned(rows))


def targets_of_forwards(
    times: Sequence[ForwardTimes], deleted: Sequence[Deletions], measured: ForwardRates
) -> Iterator[Target]:
    """Yield each target of forwards with what was measured."""
    for time in times:
        if time.forwards >= 10_000:
            at = f"at {time.forwards:,}"
            # Small beside all of an event. The least of each, because a noisy moment can only add.
            more = min(time.one_more) - min(time.again)
            what = f"one forward more, beyond nothing to do / nft's one element {at}"
            yield what, "<=", 2, more / median(time.element)
            ratio = _ratio(time.again, time.again_routed)
            yield f"nothing to do / with as many routed IPs {at}", "<=", 1.3, ratio
    for each in deleted:
        yield f"seconds to delete {FEW} of {TRACKED:,} connections of IPv{each.family}", "<=", 0.1, each.few
    few, many = measured.new.values()
    what = "new connections/s at {1:,} / at {0:,} forwards".format(*measured.new)
    yield what, ">=", 0.9, _ratio(many, few)
    for count, packets in measured.packets.items():
        yield f"packets/s of a forwarded / of a routed flow, at {count:,}", ">=", 0.9, _ratio(packets, measured.routed)


def targets_of_addresses(times: Sequence[HookTimes], measured: Rates) -> Iterator[Target]:
    """Yield each target of routed IPs with what was measured."""
    for time in times:
        at = f"at {time.addresses:,}"
        if time.addresses in {1, 10_000}:
            yield f"first run / floor {at}", "<=", 2 if time.addresses == 1 else 1.5, _ratio(time.first, time.floor)
        if time.addresses in {100, 300} and time.predecessor:
            bound = 0.06 if time.addresses == 100 else 0.02
            yield f"first run / predecessor {at}", "<=", bound, _ratio(time.first, time.predecessor)
        if time.addresses == 1:
            yield f"nothing to do / bare Python {at}", "<=", 2.2, _ratio(time.again, time.bare)
        if time.addresses >= 1000:
            yield f"nothing to do / first run {at}", "<=", 0.5, _ratio(time.again, time.first)
    fewest, most = min(measured.by_addresses), max(measured.by_addresses)
    ratio = measured.by_addresses[most] / measured.by_addresses[fewest]
    yield f"packets/s at {most:,} / at {fewest:,} addresses", ">=", 0.8, ratio
    alone = _ratio(measured.beside_plain, measured.plain)
    yield "packets/s through nethook / of libvirt alone, mode route", ">=", 0.95, alone


def _ratio(measured: Sequence[float], reference: Sequence[float]) -> float:
    """The median of the ratios within each round: a noisy moment slows both sides of one."""
    return median(seconds / others for seconds, others in zip(measured, reference))


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:,.1f}" if seconds else NOT_MEASURED


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    """The rows with their columns aligned, the first to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        yield "  ".join(cells).rstrip()
