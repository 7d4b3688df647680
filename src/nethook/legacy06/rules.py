"""The rules that release 0.6 left in iptables' FORWARD: two for each line, without a mark of it."""

from __future__ import annotations

from nethook.gates.iptables import IptablesGate
from nethook.net.prefix import parse_prefix
from nethook.parts.routes import ROUTES
from nethook.steps.effect import REMOVE, Effect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.engine.case import Case
    from nethook.gates.gate import GateChange


def removals(case: Case) -> list[GateChange]:
    """Return the changes that delete the rules of release 0.6 for what is routed. An event does not look for them."""
    if not case.is_thorough:
        return []
    of_0_6 = {rule for route in case.wanted(ROUTES).keys for rule in _rules_of_0_6(route.prefix, route.device)}
    changes = []
    for opening in case.snapshot.openings:
        if isinstance(opening.gate, IptablesGate) and opening.setting in case.settings.gates:
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
