"""The station of the next hop: whether the router of the default route is there, as the kernel has found out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import Facts, Target

STATION = "way back"
LOST = frozenset({"FAILED", "INCOMPLETE"})
"""The kernel has asked the router without an answer, or is asking it."""
SECONDS = 1.2
"""Within this time, the kernel has asked often enough."""


def next_hop(facts: Facts, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield a failure if the best default route of a family leads to a router that does not answer."""
    for family in (4, 6):
        members = [target.name for target in targets if target.family == family]
        route = next(iter(facts.default_routes(family)), {}) if members else {}
        router, device = route.get("gateway", ""), route.get("dev", "")
        if not router or not device or not _is_lost(facts, family, router, device):
            continue
        how = "ARP" if family == 4 else "NDP"
        text = f"the router {router} of the default route does not answer {how} on {device}"
        advice = "correct the default route, or ask the provider whether this host's MAC address is let through"
        yield Finding(FAILURE, STATION, text, advice=advice, addresses=members)


def _is_lost(facts: Facts, family: int, router: str, device: str) -> bool:
    question = f"neigh show to {router} dev {device}"
    for pause in (SECONDS, 0.0):
        state = facts.ask(family, [question])[0].first.get("state", ())
        if LOST.isdisjoint(state):
            return False
        time.sleep(pause)
    return True
