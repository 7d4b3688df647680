"""Routes and rules that release 0.6 left.

Release 0.6 ran ``ip route add ADDRESS dev BRIDGE`` and added two rules to iptables' FORWARD for each line. It never
removed its routes. They carry no mark of it, so only a route that matches a line exactly is taken for its work: the
same prefix on the bridge of the same network, made by hand or script, without any other property. Ours then takes its
place.
"""

from __future__ import annotations

from nethook.changes import REMOVE, Effect
from nethook.gates.iptables import IptablesGate
from nethook.parts.routes import ROUTES
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nethook.engine.case import Case
    from nethook.gates.gate import GateChange

PROPERTIES_OF_0_6 = frozenset({"dst", "scope", "flags", "metric", "pref"})
"""What ``ip -json`` tells of a route that was added without any property; IPv6 ones have a metric all the same."""
DEFAULT_METRIC = 1024
"""Of IPv6 routes."""


def is_of_0_6(listed: dict[str, Any]) -> bool:
    """Return whether this route, as ``ip -json`` tells it, is one that release 0.6 may have made."""
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
