"""What became of each line: routed, or why not. Pure: out of a plan and what libvirt tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.engine.pending import Pending
from nethook.engine.situation import unusable
from nethook.host import links
from nethook.host.links import NO_IPV6, available
from nethook.parts.tables.classifying import TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nethook.config import RoutedIP
    from nethook.config.problem import Problem
    from nethook.engine.plan import Plan
    from nethook.libvirt.live import LiveNetwork
    from nethook.libvirt.network import Network
    from nethook.parts.routes import Place
    from nethook.parts.tables.counters import Counts, Traffic

ROUTED = "routed"
WAITING = "waiting"
"""Its network does not run, or its guest is not plugged in: nothing is wrong."""
BLOCKED = "blocked"
"""Something of others is in the way."""
NOT_APPLIED = "not applied"
"""The kernel is not yet, or no longer, as the line says; `nethook apply` changes that."""
UNKNOWN = "unknown"
"""Only root can tell."""

APPLY = "run nethook apply"


class LineState:
    """A line, the bridge of its network ('' if there is none), its state, why, and what went to it and came from it.

    Of a bound line, ``mac`` is that of the NIC which it is for ('' if its guest is not plugged in), and ``spoofed`` the
    number of packets that were dropped because somebody else claimed the address; None where it is not known.
    """

    __slots__ = ("bridge", "line", "mac", "reason", "received", "sent", "spoofed", "state")

    def __init__(self, line: RoutedIP, bridge: str, state: str, reason: str, mac: str = "") -> None:
        self.line = line
        self.bridge = bridge
        self.state = state
        self.reason = reason
        self.mac = mac
        self.spoofed: int | None = None
        self.received: Traffic | None = None
        self.sent: Traffic | None = None

    @property
    def place(self) -> Place:
        """Where it is, or would be, in the kernel."""
        return self.line.prefix.text, self.bridge

    def count(self, received: Counts, sent: Counts) -> None:
        """Take over what the kernel has counted."""
        self.received = received.get(self.place)
        self.sent = sent.get(self.place)


def line_states(
    lines: Iterable[RoutedIP], live: Mapping[str, LiveNetwork], plan: Plan, mistakes: Iterable[Problem] = ()
) -> list[LineState]:
    """The state of each line, when nothing of others keeps a route from being added.

    ``mistakes`` are those in the names of networks and guests.
    """
    states = _States(plan)
    wrong = {problem.prefix.text: problem.what for problem in mistakes if problem.prefix}
    refused = {problem.prefix.text: problem.what for problem in plan.refused if problem.prefix}

    def state(line: RoutedIP) -> LineState:
        text = line.prefix.text
        if text in wrong:
            return states.state_with_wrong_name(line, wrong[text])
        found = _network_state(line, live)
        if text in refused:
            return LineState(line, found.bridge if found else live[line.network].network.bridge, BLOCKED, refused[text])
        if found:
            return found
        network = live[line.network].network
        return _guest_state(line, network) or states.state(line, network)

    return [state(line) for line in lines]


def states_without_root(
    lines: Iterable[RoutedIP], live: Mapping[str, LiveNetwork], routes: Collection[Place]
) -> list[LineState]:
    """The state of each line, as far as networks and routes tell."""
    return [
        _network_state(line, live)
        or _guest_state(line, live[line.network].network)
        or _route_state(line, live[line.network].network.bridge, routes)
        for line in lines
    ]


def _route_state(line: RoutedIP, bridge: str, routes: Collection[Place]) -> LineState:
    if (line.prefix.text, bridge) in routes:
        return LineState(line, bridge, UNKNOWN, "there is a route; only root can see the firewalls")
    return LineState(line, bridge, NOT_APPLIED, APPLY)


def _network_state(line: RoutedIP, live: Mapping[str, LiveNetwork]) -> LineState | None:
    """The state of a line whose network is the reason; None where the network is up."""
    found = live.get(line.network)
    if line.prefix.family not in available():
        return LineState(line, found.network.bridge if found else "", BLOCKED, NO_IPV6)
    if found is None:
        return LineState(line, "", WAITING, f"libvirt has no network {line.network}")
    network = found.network
    why = unusable(network)
    if why:
        return LineState(line, network.bridge, BLOCKED, why)
    if not found.is_active:
        return LineState(line, network.bridge, WAITING, f"network {network.name} is not running")
    if not links.exists(network.bridge):
        return LineState(line, network.bridge, WAITING, f"there is no bridge {network.bridge}")
    return None


def _guest_state(line: RoutedIP, network: Network) -> LineState | None:
    """The state of a bound line whose guest is the reason; None where that is plugged in."""
    if not line.guest or network.ports.of(line.guest, line.mac):
        return None
    nic = f" with NIC {line.mac}" if line.mac else ""
    return LineState(line, network.bridge, WAITING, f"guest {line.guest}{nic} is not plugged in")


def _ambiguity(line: RoutedIP, network: Network) -> str:
    """What is to be said of a bound line that may be for several NICs."""
    macs = network.ports.of(line.guest, line.mac) if line.guest else []
    return f"guest {line.guest} has {len(macs)} NICs here: write mac=, one of {', '.join(macs)}" if macs[1:] else ""


class _States:
    """The states of lines whose networks are up and whose guests are plugged in."""

    def __init__(self, plan: Plan) -> None:
        self._case = plan.case
        self._pending = Pending(plan.effects)
        self._nics = {each.line.prefix.text: each.mac or "" for each in plan.case.placements.placed}
        self._routed = {(route.prefix, route.device) for route in plan.case.routes}
        self._kept = {route.prefix: route.device for route in plan.case.placements.kept}
        self._openings = plan.openings

    def state(self, line: RoutedIP, network: Network) -> LineState:
        found = self._state(line, network.bridge)
        found.mac = self._nics.get(line.prefix.text, "")
        found.reason = found.reason or _ambiguity(line, network)
        return found

    def state_with_wrong_name(self, line: RoutedIP, what: str) -> LineState:
        """What is in force stays, and what is not waits."""
        bridge = self._kept.get(line.prefix.text)
        if bridge is None:
            return LineState(line, "", WAITING, what)
        found = self._state(line, bridge)
        found.reason = "; ".join(filter(None, [what, found.reason or "it stays as it was"]))
        return found

    def _state(self, line: RoutedIP, bridge: str) -> LineState:
        pending = self._pending
        if (
            pending.lacks_table_of(line)
            or pending.is_unkept(line, bridge)
            or pending.is_unrouted(line, bridge)
            or pending.unaccepted(line, bridge)
            or pending.unguarded(line)
        ):
            return LineState(line, bridge, NOT_APPLIED, self._what_is_not_applied(line, bridge))
        for opening in self._openings:
            why = opening.closed_for(self._case, line.prefix)
            if why:
                return LineState(line, bridge, BLOCKED, f"by {opening.where}, {why}")
        return self._uplink_state(line, bridge) or LineState(line, bridge, ROUTED, "")

    def _uplink_state(self, line: RoutedIP, bridge: str) -> LineState | None:
        """The state of a line for which its uplink does not answer; None where it does, or need not."""
        if line.proxy and not links.exists(line.proxy):
            return LineState(line, bridge, BLOCKED, f"there is no device {line.proxy}, on which the host is to answer")
        if self._pending.unanswered(line) or self._pending.has_deaf_uplink(line):
            return LineState(line, bridge, NOT_APPLIED, APPLY)
        return None

    def _what_is_not_applied(self, line: RoutedIP, bridge: str) -> str:
        pending = self._pending
        is_routed = (line.prefix.text, bridge) in self._routed and not pending.lacks(TABLE)
        if is_routed and pending.is_unkept(line, bridge):
            return f"still routed, but not yet kept to guest {line.guest}; {APPLY}"
        return APPLY
