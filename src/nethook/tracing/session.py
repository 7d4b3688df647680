"""One trace: from its beginning to its end, with what it has found."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from nethook.host.packet_choice import ICMP
from nethook.host.tracing import Tracer
from nethook.tracing.fate import Fates
from nethook.tracing.rows import rows
from nethook.tracing.way import Ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from nethook.tracing.fate import Fate
    from nethook.tracing.packet import Packet
    from nethook.tracing.reading import Reading
    from nethook.tracing.rows import Row
    from nethook.tracing.subject import Subject
    from nethook.tracing.way import Way

TICK = 0.2
LEFT_OUT = ("neighbour", "router", "redirect")
"""Kinds of ICMP that are not about what guests do, but about how they are found. NAT drops redirects."""


class Found:
    """A packet that stands for all of its flow that had the same fate: ``alike`` counts the others."""

    def __init__(self, way: Way, fate: Fate, rows: list[Row]) -> None:
        self.way = way
        self.fate = fate
        self.rows = rows
        self.alike = 0


class Session:
    """A trace with its results: ``found`` is one packet for each flow, at most ``count``; ``packets`` counts all.

    ``is_cut``: some packets were missed. ``has_bridges``: frames on bridges were traced, too. ``show`` is called for
    each packet that is found.
    """

    def __init__(self, subject: Subject, reading: Reading, count: int, show: Callable[[Found], None]) -> None:
        self.found: list[Found] = []
        self.packets = 0
        self.is_cut = False
        self.has_bridges = True
        self._subject = subject
        self._reading = reading
        self._count = count
        self._show = show
        self._fates = Fates(reading, subject.expected)
        self._by_flow: dict[tuple[object, ...], Found] = {}

    def run(self, seconds: float, begun: Callable[[], None], tick: Callable[[float], None]) -> None:
        """Trace for so many seconds, or until enough packets are found, or until KeyboardInterrupt.

        ``begun`` is called when packets are traced, and ``tick`` with the seconds that are left. NethookError if
        nothing can be traced.
        """
        with Tracer(self._subject.choices) as tracer:
            self.has_bridges = tracer.has_bridges
            ways = Ways(tracer.table, self._subject.addresses, self._reading.bridges())
            until = time.monotonic() + seconds
            try:
                begun()
                while not self.is_full and (left := until - time.monotonic()) > 0:
                    tick(left)
                    self._look(tracer, ways, min(TICK, left))
            except KeyboardInterrupt:
                pass
            ways.close()
            while not self.is_full and ways.are_open:
                self._look(tracer, ways, TICK)

    @property
    def is_full(self) -> bool:
        """Return whether enough packets are found."""
        return len(self.found) >= self._count

    def _look(self, tracer: Tracer, ways: Ways, seconds: float) -> None:
        """Wait so long for something that the kernel tells, and take it."""
        select.select([tracer], [], [], seconds)
        now = time.monotonic()
        for told in tracer.read():
            ways.take(told, now)
        if tracer.is_cut:  # a packet of which a part is not known would look as if it were lost
            tracer.is_cut, self.is_cut = False, True
            ways.forget()
        for way in ways.ended(time.monotonic()):
            self._end(way)

    def _end(self, way: Way) -> None:
        if _is_left_out(way.packet):
            return
        self.packets += 1
        ending = self._fates.of(way)
        key = (way.is_to, way.packet.flow, ending.kind)
        known = self._by_flow.get(key)
        if known:
            known.alike += 1
        elif not self.is_full:
            made = Found(way, ending, [*rows(way, self._reading)])
            self._by_flow[key] = made
            self.found.append(made)
            self._show(made)

    @property
    def is_one_way(self) -> bool:
        """Return whether packets got to the guest, and it has sent none in all the time."""
        return self.is_good and not self.is_full and all(each.way.is_to for each in self.found)

    @property
    def is_good(self) -> bool:
        """Return whether packets were seen, and all got where they should."""
        return bool(self.found) and all(each.fate.is_good for each in self.found)


def _is_left_out(packet: Packet) -> bool:
    return packet.protocol == ICMP[packet.family] and any(f" {word}" in packet.kind for word in LEFT_OUT)
