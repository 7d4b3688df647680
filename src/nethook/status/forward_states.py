"""The state of each line of forwarded-ports: forwarded, or why not, and what has come by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.parts.forwards.counts import counts
from nethook.placement import REFUSED
from nethook.placement.forwarded import FORWARDED
from nethook.status.line_states import APPLY, BLOCKED, NOT_APPLIED, UNKNOWN, WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Problem
    from nethook.engine.plan import Plan
    from nethook.host import Host
    from nethook.placement.forwarded import Forwarding

STATES = (FORWARDED, WAITING, BLOCKED, NOT_APPLIED, UNKNOWN)


class ForwardState:
    """A line, its state, why, the guest's address that it leads to ('' if there is none), and what the kernel counted.

    ``connections`` are those that have come since the guest was plugged in, ``bytes`` are of both directions; both are
    None where they are not known.
    """

    __slots__ = ("bridge", "bytes", "connections", "line", "mac", "reason", "state", "target")

    def __init__(self, forwarding: Forwarding, state: str, reason: str) -> None:
        self.line: Forward = forwarding.line
        self.bridge = forwarding.bridge
        self.mac = forwarding.mac
        self.target = forwarding.target
        self.state = state
        self.reason = reason
        self.connections: int | None = None
        self.bytes: int | None = None


def forward_states(plan: Plan, mistakes: Iterable[Problem], host: Host) -> list[ForwardState]:
    """Return the state of each line; ``mistakes`` are those in the names of networks and guests. ReadError."""
    wrong = {(problem.place.file, problem.place.line): problem.what for problem in mistakes}
    states = []
    for forwarding in plan.case.forwardings:
        place = forwarding.line.place
        states.append(_state(plan, forwarding, wrong.get((place.file, place.line), ""), host))
    for state, (connections, octets) in zip(states, counts(plan.case.forwardings, host)):
        state.connections, state.bytes = connections, octets
    return states


def states_without_root(forwardings: Iterable[Forwarding]) -> list[ForwardState]:
    """Return the state of each line, as far as networks tell."""
    return [
        _without_place(each) or ForwardState(each, UNKNOWN, "only root can see whether it is in force")
        for each in forwardings
    ]


def _without_place(forwarding: Forwarding, wrong: str = "") -> ForwardState | None:
    """Return the state of a line that leads nowhere now; None if it leads somewhere."""
    if forwarding.status == FORWARDED:
        return None
    return ForwardState(forwarding, BLOCKED if forwarding.status == REFUSED else WAITING, wrong or forwarding.why)


def _state(plan: Plan, forwarding: Forwarding, wrong: str, host: Host) -> ForwardState:
    found = _without_place(forwarding, wrong)
    if found:
        return found
    line = forwarding.line
    if plan.case.lacks_of_forward(forwarding):
        return ForwardState(forwarding, NOT_APPLIED, APPLY)
    for opening in plan.openings:
        why = opening.closed_for(plan.case, line.prefix) if opening.family == line.family else ""
        if why:
            return ForwardState(forwarding, BLOCKED, f"by {opening.where}, {why}")
    if line.proxy and not host.number_of(line.proxy):
        return ForwardState(forwarding, BLOCKED, f"there is no device {line.proxy}, on which the host is to answer")
    return ForwardState(forwarding, FORWARDED, "stays with this host" if line.is_hosts else "")
