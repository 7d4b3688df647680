"""The state of each line: routed, or why not. It follows from its placement, and from what parts and gates lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook import placement as placement_of
from nethook.host import links
from nethook.placement import ASIDE, Placement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from nethook.config import RoutedIP
    from nethook.config.text import Problem
    from nethook.engine.plan import Plan
    from nethook.host.traffic import Traffic
    from nethook.parts.counters import Counts
    from nethook.parts.routes import Place

ROUTED = "routed"
WAITING = "waiting"
"""Its network does not run, or its guest is not plugged in: nothing is wrong."""
BLOCKED = "blocked"
"""Something of others is in the way."""
NOT_APPLIED = "not applied"
"""The kernel is not yet, or no longer, as the line says; `nethook apply` changes that."""
UNKNOWN = "unknown"
"""Only root can tell, or libvirt or the kernel could not be read."""
STATES = (ROUTED, WAITING, BLOCKED, NOT_APPLIED, UNKNOWN)

APPLY = "run nethook apply"


class LineState:
    """A line, the bridge of its network ('' if there is none), its state, why, and what went to it and came from it.

    Of a bound line, ``mac`` is that of the NIC which it is for ('' if its guest is not plugged in), and ``spoofed`` the
    number of packets that were dropped because somebody else claimed the address; None where it is not known.
    """

    __slots__ = ("announced", "bridge", "line", "mac", "reason", "received", "sent", "spoofed", "state")

    def __init__(self, line: RoutedIP, bridge: str, state: str, reason: str, mac: str = "") -> None:
        self.line = line
        self.bridge = bridge
        self.state = state
        self.reason = reason
        self.mac = mac
        self.spoofed: int | None = None
        self.announced = ""
        """The word of a routing daemon about it: see ``said_of`` in routing_daemons/asking.py. '' without a daemon."""
        self.received: Traffic | None = None
        self.sent: Traffic | None = None

    @property
    def place(self) -> Place:
        """The place of the line in the kernel, if it is or would be there."""
        return self.line.prefix.text, self.bridge

    def count(self, received: Counts, sent: Counts) -> None:
        """Take over what the kernel has counted."""
        self.received = received.get(self.place)
        self.sent = sent.get(self.place)


def line_states(plan: Plan, mistakes: Iterable[Problem] = ()) -> list[LineState]:
    """Return the state of each line, when nothing of others keeps a route from being added.

    ``mistakes`` are those in the names of networks and guests.
    """
    wrong = {problem.prefix.text: problem.what for problem in mistakes if problem.prefix}
    kept = {route.prefix: route.device for route in plan.case.placements.kept}
    states = []
    for placement in plan.case.placements.lines:
        text = placement.line.prefix.text
        if text in wrong:
            states.append(_with_wrong_name(plan, placement, wrong[text], kept.get(text)))
        else:
            states.append(_without_place(placement) or _with_place(plan, placement))
    return states


def states_without_root(placements: Iterable[Placement], routes: Collection[Place]) -> list[LineState]:
    """Return the state of each line, as far as networks and routes tell."""
    return [_without_place(placement) or _by_route(placement, routes) for placement in placements]


def _by_route(placement: Placement, routes: Collection[Place]) -> LineState:
    line, bridge = placement.line, placement.bridge
    if (line.prefix.text, bridge) in routes:
        return LineState(line, bridge, UNKNOWN, "there is a route; only root can see the firewalls")
    return LineState(line, bridge, NOT_APPLIED, APPLY)


def _without_place(placement: Placement) -> LineState | None:
    """Return the state of a line that has no place now; None if it has one."""
    if placement.status == placement_of.ROUTED:
        return None
    state = BLOCKED if placement.status == placement_of.REFUSED else WAITING
    return LineState(placement.line, placement.bridge, state, placement.why)


def _with_wrong_name(plan: Plan, placement: Placement, what: str, bridge: str | None) -> LineState:
    """Return the state of a line with a wrong name. What is in force for it stays, on this bridge; else it waits."""
    if bridge is None:
        return LineState(placement.line, "", WAITING, what)
    found = _with_place(plan, Placement(placement.line, placement_of.KEPT, what, bridge))
    found.reason = "; ".join(filter(None, [what, found.reason or "it stays as it was"]))
    return found


def _with_place(plan: Plan, placement: Placement) -> LineState:
    """Return the state of a line that has a place: what parts of ours or gates of others lack for it."""
    line, bridge, mac = placement.line, placement.bridge, placement.mac or ""
    lacks = [lack for lack in plan.case.lacks(placement) if lack.weight != ASIDE]
    first = [lack for lack in lacks if not lack.is_last]
    if first:
        return LineState(line, bridge, NOT_APPLIED, next((lack.reason for lack in first if lack.reason), APPLY), mac)
    for opening in plan.openings:
        why = opening.closed_for(plan.case, line.prefix)
        if why:
            return LineState(line, bridge, BLOCKED, f"by {opening.where}, {why}", mac)
    if line.proxy and not links.exists(line.proxy):
        why = f"there is no device {line.proxy}, on which the host is to answer"
        return LineState(line, bridge, BLOCKED, why, mac)
    if lacks:
        return LineState(line, bridge, NOT_APPLIED, APPLY, mac)
    return LineState(line, bridge, ROUTED, _ambiguity(plan, line), mac)


def _ambiguity(plan: Plan, line: RoutedIP) -> str:
    """Return what has to be said of a bound line that may be for several NICs."""
    network = next((each for each in plan.case.networks if each.name == line.network), None)
    macs = network.ports.of(line.guest, line.mac) if network and line.guest else []
    return f"guest {line.guest} has {len(macs)} NICs here: write mac=, one of {', '.join(macs)}" if macs[1:] else ""
