"""The way of one packet through the kernel, put together from what the kernel tells. Pure.

The kernel tells of a packet piece by piece, those of other packets in between, and may use its number again at once. A
frame of a guest gets another number when it comes from the bridge to the router; it is known by its content.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from nethook.host.trace_messages import ACCEPT, BY_POLICY, BY_RULE, CONTINUE, DROP, GOTO, JUMP, QUEUE, STOLEN
from nethook.host.tracing import ANSWERS, BEGIN, BRIDGE, CHOOSING, END, START
from nethook.tracing.packet import Packet, parse

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from nethook.host.trace_messages import Told

QUIET, PATIENCE = 0.4, 1.5
"""Seconds after which a way has ended if the kernel says no more; the longer, while a neighbour may answer."""
MOST_OPEN = 2000
"""The most packets that are put together at one time."""
MOST_STATIONS, MOST_RULES = 200, 500
"""The most of one packet. There is an end to rings of bridges and jumps."""
FINAL = frozenset({ACCEPT, DROP, QUEUE, STOLEN})
CHOICES = {*(f"{hook}-{BEGIN}" for hook in CHOOSING), *ANSWERS}


class Met(NamedTuple):
    """A rule that the packet met, with the rule's verdict; ``target`` is the chain of a jump."""

    chain: str
    handle: int
    verdict: int
    target: str = ""


class Station:
    """One base chain that a packet passed, or one of our own, which only tell that it was there (``is_ours``).

    ``rules`` are those that it met and that match. ``verdict`` is DROP, ACCEPT, …; CONTINUE if the kernel has not told.
    ``by_policy``: no rule has decided. ``mark`` is the packet's before the chain, ``mark_behind`` the one after it.
    """

    def __init__(self, told: Told, packet: Packet, *, is_ours: bool) -> None:
        self.family = told.family
        self.table = told.table
        self.chain = told.chain
        self.packet = packet
        self.in_device = told.in_device
        self.out_device = told.out_device
        self.is_ours = is_ours
        self.rules: list[Met] = []
        self.verdict = CONTINUE
        self.by_policy = False
        self.mark = self.mark_behind = told.mark

    def add(self, told: Told) -> None:
        """Take what was told of a rule, or of the end of the chain."""
        self.mark_behind = told.mark
        if told.kind == BY_POLICY:
            self.verdict, self.by_policy = told.verdict, True
        elif told.kind == BY_RULE and told.handle and len(self.rules) < MOST_RULES:
            self.rules.append(Met(told.chain, told.handle, told.verdict, told.target))
            if told.verdict in FINAL:
                self.verdict = told.verdict

    @property
    def deciding(self) -> Met | None:
        """The rule that has decided; None if the policy did, or nothing is known."""
        return self.rules[-1] if self.rules and self.rules[-1].verdict in FINAL and not self.by_policy else None

    @property
    def path(self) -> list[str]:
        """The chains that the packet went through to the deciding rule, the base chain first."""
        path = [self.chain]
        for met in self.rules:
            if met.chain in path:
                del path[path.index(met.chain) + 1 :]
            if met.verdict in {JUMP, GOTO}:
                path.append(met.target)
        return path if self.deciding else path[:1]


class Way:
    """The way of one packet. ``is_to``: to the address. ``last`` is when the kernel last told of it, in seconds.

    ``is_over``: the kernel tells no more of it.
    """

    def __init__(self, packet: Packet, *, is_to: bool) -> None:
        self.packet = packet
        self.is_to = is_to
        self.stations: list[Station] = []
        self.last = 0.0
        self.is_over = False

    @property
    def stopped(self) -> Station | None:
        """The station whose verdict has ended the way; None without one."""
        station = self.stations[-1]
        return station if station.verdict in FINAL - {ACCEPT} else None

    def rewriter(self) -> Station | None:
        """Return the chain behind which the guest's address is another one; None if the kernel tells of none."""
        before: Station | None = None
        for station in self.stations:
            is_same = (
                station.packet.destination == self.packet.destination
                if self.is_to
                else station.packet.source == self.packet.source
            )
            if not is_same:
                return before
            before = before if station.is_ours else station
        return None

    def passed(self, hook: str, what: str = "", *, bridge: bool = False) -> Station | None:
        """Return the last chain of ours that it passed at this hook (``what``: at its BEGIN or END); None if none."""
        names = {f"{hook}-{each}" for each in ((what,) if what else (BEGIN, END))}
        fitting = (
            each
            for each in reversed(self.stations)
            if each.is_ours and each.chain in names and (each.family == BRIDGE) == bridge
        )
        return next(fitting, None)


class Ways:
    """The ways of all packets that rules of our ``table`` choose; those to guests go to one of ``addresses``.

    ``bridges`` are the numbers of bridges. Ways are told in the order in which their packets came.
    """

    def __init__(self, table: str, addresses: Container[str], bridges: Container[int] = ()) -> None:
        self._table = table
        self._addresses = addresses
        self._bridges = bridges
        self._most = MOST_OPEN
        self._open: dict[int, Way] = {}
        self._in_order: deque[Way] = deque()

    def take(self, told: Told, now: float) -> None:
        """Take one message."""
        is_ours = told.table == self._table
        if told.table.startswith(START) and not is_ours:  # the trace of somebody else has chosen the packet as well
            return
        packet = parse(told.network, told.transport) if told.network else None
        if packet and is_ours and told.chain in CHOICES:
            self._begin(told, packet)
        way = self._open.get(told.packet)
        if way is None:
            return
        way.last = now
        if packet and len(way.stations) < MOST_STATIONS:
            way.stations.append(Station(told, packet, is_ours=is_ours))
        if way.stations:
            way.stations[-1].add(told)

    def _begin(self, told: Told, packet: Packet) -> None:
        """Begin a way with this packet, or go on with one. One whose number is used again has ended.

        Only rules begin a way. A packet that one has chosen on the bridge may be over the limit at the router.
        """
        way = self._open.get(told.packet)
        if way and (self._goes_on(way, packet) or self._has_come(way, told, packet)):
            return
        if way:
            self._open.pop(told.packet).is_over = True
        joined = next((number for number, each in self._open.items() if self._goes_on(each, packet)), None)
        if joined is not None:
            self._open[told.packet] = self._open.pop(joined)
        elif told.kind == BY_RULE and told.handle and len(self._in_order) < self._most:
            is_to = ANSWERS.get(told.chain, packet.destination in self._addresses)
            self._open[told.packet] = way = Way(packet, is_to=is_to)
            self._in_order.append(way)

    @staticmethod
    def _has_come(way: Way, told: Told, packet: Packet) -> bool:
        """Return whether this is the packet of the way. It is another one if that has passed this hook already."""
        place = told.family, told.chain, told.in_device, told.out_device
        return way.stations[-1].packet.content == packet.content and not any(
            (each.family, each.chain, each.in_device, each.out_device) == place for each in way.stations if each.is_ours
        )

    @staticmethod
    def _goes_on(way: Way, packet: Packet) -> bool:
        """Return whether this is the packet of a way that has come in by a bridge, and may come to the router next."""
        station = way.stations[-1]
        return station.family == BRIDGE and not station.out_device and station.packet.content == packet.content

    def ended(self, now: float) -> Iterator[Way]:
        """Yield and forget the ways that have ended, because the kernel has said no more of them for long enough."""
        for number, way in list(self._open.items()):
            last = way.stations[-1]
            may_wait = last.is_ours and last.family != BRIDGE and last.out_device in self._bridges
            if way.last + (PATIENCE if may_wait else QUIET) <= now:
                self._open.pop(number).is_over = True
        while self._in_order and self._in_order[0].is_over:
            yield self._in_order.popleft()

    def forget(self) -> None:
        """Forget the ways that have not ended."""
        self._open.clear()
        self._in_order = deque(way for way in self._in_order if way.is_over)

    def close(self) -> None:
        """Begin no more ways."""
        self._most = 0

    @property
    def are_open(self) -> bool:
        """Return whether the kernel may tell more of some packets."""
        return bool(self._in_order)
