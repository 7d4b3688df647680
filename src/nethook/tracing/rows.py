"""The way of a packet as rows: devices, chains, the route, rewriting. The text and JSON are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config.text import one_line
from nethook.host.trace_messages import ACCEPT, CONTINUE, DROP, GOTO, JUMP, QUEUE, RETURN, STOLEN
from nethook.host.tracing import BRIDGE, END
from nethook.tracing.fate import is_reject, whose
from nethook.tracing.owners import OURS, priority_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.tracing.packet import Packet
    from nethook.tracing.reading import Reading
    from nethook.tracing.way import Station, Way

IN, OUT, ROUTE, CHAIN, REWRITTEN = "in", "out", "route", "chain", "rewritten"
WORDS = {ACCEPT: "accept", DROP: "drop", QUEUE: "queue", STOLEN: "stolen", CONTINUE: "?"}
THIS_HOST = "this host"


class Row(NamedTuple):
    """One step of a way: its kind, a text, and the rest as far as it has it; '' where it has not.

    Of a chain, the text says what has decided, and how the mark has changed. ``chain`` is family, table and chain, and
    the chains that were jumped to. ``rule`` is the one that has decided, or the last that has matched.
    """

    kind: str
    text: str
    verdict: str = ""
    hook: str = ""
    priority: str = ""
    chain: str = ""
    owner: str = ""
    rule: str = ""


def rows(way: Way, reading: Reading) -> Iterator[Row]:
    """Yield the rows of this way."""
    came = way.stations[0].in_device
    yield Row(IN, reading.device(came) or THIS_HOST)
    before: Station | None = None
    is_routed = False
    for station in way.stations:
        if before and (change := changes(before.packet, station.packet)):
            yield Row(REWRITTEN, change)
        is_router = station.family != BRIDGE
        if is_router and station.in_device not in {came, 0} and not station.out_device:
            came = station.in_device
            yield Row(IN, reading.device(came))
        hook = _hook(station, reading)
        if is_router and not is_routed and (station.out_device or hook == "input"):
            is_routed = True
            yield Row(ROUTE, f"to {reading.device(station.out_device) or THIS_HOST}")
        if not station.is_ours:
            yield _chain(station, hook, reading)
        before = station
    last = way.stations[-1]
    if last.is_ours and last.chain == f"postrouting-{END}":
        yield Row(OUT, reading.device(last.out_device))


def changes(before: Packet, after: Packet) -> str:
    """Return how NAT has changed the ends of the packet; '' if it has not."""
    ends = (("source", before.from_end, after.from_end), ("destination", before.to_end, after.to_end))
    return ", ".join(f"{what} {was} → {now}" for what, was, now in ends if was != now)


def _hook(station: Station, reading: Reading) -> str:
    if station.is_ours:
        return station.chain.partition("-")[0]
    chain = reading.chain(station)
    return chain.hook if chain else ""


def _chain(station: Station, hook: str, reading: Reading) -> Row:
    by, text = whose(station, reading)
    chain = reading.chain(station)
    priority = priority_text(station.family, chain.priority) if chain else ""
    name = one_line(f"{station.family} {station.table} {' → '.join(station.path)}")
    verdict = WORDS.get(station.verdict, WORDS[CONTINUE])
    what = "by policy" if station.by_policy else ""
    if station.deciding:
        what = "by rule"
        verdict = "reject" if station.verdict == DROP and is_reject(text) else verdict
        text = text or f"the rule with handle {station.deciding.handle}"
    elif by != OURS:  # of ours, nobody needs to know
        met = [rule for rule in station.rules if rule.verdict not in {JUMP, GOTO, RETURN}]
        text = reading.rule(station, met[-1]) if met else ""
    if station.mark != station.mark_behind:
        what = f"{what}, mark {station.mark:#x} → {station.mark_behind:#x}".removeprefix(", ")
    return Row(CHAIN, what, verdict, hook, priority, name, by, text)
