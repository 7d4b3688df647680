"""Foreign routes that make ours needless, and routes and rules that release 0.6 left.

Release 0.6 ran ``ip route add ADDRESS dev BRIDGE`` and added two rules to iptables' FORWARD for each line. It never
removed its routes. They carry no mark of it, so only a route that matches a line exactly is taken for its work: the
same prefix on the bridge of the same network, made by hand or script, without any other property. Ours then takes its
place.

A network's own subnet has a route of the kernel's; a line that names this very subnet needs no other.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.gates.iptables import IptablesGate
from nethook.host.process import Call, json_lists
from nethook.net import parse_prefix
from nethook.parts.routes import ROUTES
from nethook.steps import REMOVE, Effect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import Any

    from nethook.engine.case import Case
    from nethook.gates.gate import GateChange
    from nethook.host import Host
    from nethook.host.process import Result
    from nethook.parts.routes import Place

INDIRECT = frozenset({"gateway", "via", "nexthops", "type"})
"""What a route has that leads to somewhere behind the bridge, or nowhere."""

PROPERTIES_OF_0_6 = frozenset({"dst", "scope", "flags", "metric", "pref"})
"""What ``ip -json`` tells of a route that was added without any property; IPv6 ones have a metric all the same."""
DEFAULT_METRIC = 1024
"""Of IPv6 routes."""


class ForeignRoutes:
    """The foreign routes on these bridges, which exist."""

    def __init__(self, bridges: Collection[str]) -> None:
        self._bridges = sorted(bridges)

    def read_calls(self, host: Host) -> list[Call]:
        """Return the calls that list those routes: one for each family, with a listing for each bridge."""
        if not self._bridges:
            return []
        lines = "".join(f"route show dev {bridge}\n" for bridge in self._bridges)
        return [Call(("ip", f"-{family}", "-json", "-batch", "-"), lines) for family in host.families()]

    def routes(self, results: Iterable[Result]) -> tuple[set[Place], set[Place]]:
        """Return routes that stand in for ours, and routes of release 0.6; ReadError if they are not known."""
        standing_in: set[Place] = set()
        inherited: set[Place] = set()
        for result in results:
            for bridge, listed in self._listed(result):
                if INDIRECT.isdisjoint(listed) and listed["dst"] != "default":
                    (inherited if _is_of_0_6(listed) else standing_in).add((listed["dst"], bridge))
        return standing_in, inherited

    def _listed(self, result: Result) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each listed route, with its bridge."""
        if result.status != 0:
            raise ReadError(result.failure)
        for bridge, routes in zip(self._bridges, json_lists(result, len(self._bridges))):
            for route in routes:
                if not isinstance(route.get("dst"), str):
                    raise ReadError(result.not_understood)
                yield bridge, route


def _is_of_0_6(listed: dict[str, Any]) -> bool:
    metric = DEFAULT_METRIC if ":" in listed["dst"] else None
    return PROPERTIES_OF_0_6.issuperset(listed) and listed.get("metric", metric) == metric


def removals(case: Case) -> list[GateChange]:
    """Return the changes that delete the rules of release 0.6 for what is routed."""
    of_0_6 = {rule for route in case.wanted(ROUTES).keys for rule in _rules_of_0_6(route.prefix, route.device)}
    changes = []
    for opening in case.snapshot.openings:
        if isinstance(opening.gate, IptablesGate) and case.settings.opens(opening.setting):
            rules = [rule for rule in opening.chain.rules if rule.name in of_0_6]
            effects = [Effect(REMOVE, "rule", note=f"{rule.name} in {opening.where}, of release 0.6") for rule in rules]
            if rules:
                changes.append(opening.gate.removal(rules, effects))
    return changes


def _rules_of_0_6(text: str, bridge: str) -> Sequence[str]:
    """Return its two rules for a route, as ``iptables -S`` prints them."""
    prefix = parse_prefix(text)
    block = text if "/" in text else f"{text}/{prefix.length}"
    return f"-s {block} -i {bridge} -j ACCEPT", f"-d {block} -o {bridge} -j ACCEPT"
