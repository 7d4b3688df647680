"""What a plan would still change about a line: the one answer for `nethook status` and `nethook doctor`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.net.prefix import parse_prefix
from nethook.net.prefixes import Longest
from nethook.parts.switches import NO_LEARNING
from nethook.parts.tables.binding import TABLE as BINDING
from nethook.parts.tables.classifying import TABLE
from nethook.steps.effect import ADD, REMOVE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.config import RoutedIP
    from nethook.steps.effect import Effect

OF_BINDING = frozenset({"neighbour", "bound", "reserved"})


class Pending:
    """The changes of a plan, arranged so that each line is looked up once."""

    def __init__(self, effects: Iterable[Effect]) -> None:
        effects = list(effects)
        added = [effect for effect in effects if effect.sign == ADD]
        there = [effect for effect in effects if effect.sign != REMOVE]  # what is replaced, too
        self._tables = {effect.to for effect in added if effect.kind == "table"}
        self._unbound = {effect.line.prefix.text for effect in effects if effect.line and effect.kind in OF_BINDING}
        self._routes = {(effect.prefix, effect.bridge) for effect in there if effect.kind == "route"}
        self._accepts = _by_bridge(effect for effect in there if effect.kind == "accept")
        self._guards = Longest(parse_prefix(effect.prefix) for effect in added if effect.kind == "guard")
        self._answers: dict[str, list[str]] = {}
        for effect in added:
            if effect.kind == "proxy" and effect.line:
                self._answers.setdefault(effect.line.prefix.text, []).append(effect.prefix)
        self._learning = {effect.bridge for effect in added if effect.kind == NO_LEARNING}
        self._deaf = {effect.to for effect in added if effect.kind == "proxy_ndp"}
        self._gateways = {
            (effect.bridge, parse_prefix(effect.prefix).family): effect.prefix
            for effect in added
            if effect.kind == "gateway"
        }

    def lacks(self, table: str) -> bool:
        """Return whether this table of ours is to be made, or made anew."""
        return table in self._tables

    def lacks_table_of(self, line: RoutedIP) -> bool:
        """Return whether a table that the line needs is to be made, or made anew."""
        return self.lacks(TABLE) or (bool(line.guest) and self.lacks(BINDING))

    def is_unbound(self, line: RoutedIP) -> bool:
        """Return whether the line is bound to a guest, and what keeps it there is not all in force."""
        return line.prefix.text in self._unbound

    def lets_bridge_learn(self, line: RoutedIP, bridge: str) -> bool:
        """Return whether the line is bound and its bridge learns from frames by which a guest takes another's MAC."""
        return bool(line.guest) and bridge in self._learning

    def is_unkept(self, line: RoutedIP, bridge: str) -> bool:
        """Return whether the line is bound to a guest, and others may use its address as yet."""
        is_unbound = self.lacks(BINDING) or self.is_unbound(line) or self.lets_bridge_learn(line, bridge)
        return bool(line.guest) and is_unbound

    def is_unrouted(self, line: RoutedIP, bridge: str) -> bool:
        """Return whether its route to this bridge is to be added or replaced."""
        return (line.prefix.text, bridge) in self._routes

    def unaccepted(self, line: RoutedIP, bridge: str) -> str:
        """Return the prefix around the line that our table is yet to accept on this bridge; '' if there is none."""
        accepts = self._accepts.get(bridge)
        found = accepts.around(line.prefix) if accepts else None
        return found.text if found else ""

    def unguarded(self, line: RoutedIP) -> str:
        """Return the prefix around the line that our table is yet to guard; '' if there is none."""
        found = self._guards.around(line.prefix)
        return found.text if found else ""

    def unanswered(self, line: RoutedIP) -> list[str]:
        """Return the addresses for which the host is yet to answer on the uplink of the line."""
        return self._answers.get(line.prefix.text, [])

    def has_deaf_uplink(self, line: RoutedIP) -> bool:
        """Return whether proxy_ndp is yet to be turned on on the uplink of the line, which needs it."""
        return line.prefix.family == 6 and line.proxy in self._deaf

    def gateway(self, bridge: str, family: int) -> str:
        """Return the gateway that guests on this bridge are yet to get; '' if they have it, or get none."""
        return self._gateways.get((bridge, family), "")


def _by_bridge(effects: Iterable[Effect]) -> dict[str, Longest]:
    prefixes: dict[str, list[str]] = {}
    for effect in effects:
        prefixes.setdefault(effect.bridge, []).append(effect.prefix)
    return {bridge: Longest(map(parse_prefix, texts)) for bridge, texts in prefixes.items()}
