"""The content of ``nethook status``: lines and their states, gates, mistakes, and other differences."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.changes import ADD
from nethook.config import load
from nethook.engine.foreign_routes import ForeignRoutes
from nethook.engine.plan import decide
from nethook.engine.situation import hidden_in_force, limited_host, situation, what_stays
from nethook.parts import counters
from nethook.parts.binding import BINDING
from nethook.parts.routes import holder, holder_call, to_guests
from nethook.placement import place
from nethook.status.line_states import BLOCKED, NOT_APPLIED, UNKNOWN, line_states, states_without_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.changes import Effect
    from nethook.config.text import Problem
    from nethook.engine.situation import Situation
    from nethook.host import Host
    from nethook.parts.routes import Place, Route
    from nethook.status.line_states import LineState

MOST_LOOKED_UP = 100
"""For more lines than this that are not applied nobody looks who else has a route to each: they have one cause."""


class Overview:
    """The state of each line and gate, mistakes in the files, and what apply would change."""

    def __init__(
        self,
        lines: Sequence[LineState],
        problems: Sequence[Problem],
        gates: Sequence[tuple[str, str]] = (),
        changes: Sequence[Effect] = (),
        *,
        mistakes: Sequence[Problem] = (),
        hidden: str = "",
    ) -> None:
        """``problems`` keep apply from doing anything; ``mistakes`` are of single lines, only this host tells them.

        ``hidden`` is a sentence about what is in force and in no file that is read.
        """
        self.lines = lines
        self.problems = problems
        self.gates = gates
        self.changes = changes
        self.mistakes = mistakes
        self.hidden = hidden

    @property
    def differences(self) -> list[Effect]:
        """Of the changes, those that the states of lines and gates do not tell."""
        told = {"route", "accept", "gate", "neighbour", "bound", "reserved", "proxy", "proxy_ndp"}
        return [change for change in self.changes if change.sign != ADD or change.kind not in told]

    @property
    def is_as_desired(self) -> bool:
        """True if all is as the files say; a network that is not running is no difference."""
        wrong = any(line.state in {BLOCKED, NOT_APPLIED} for line in self.lines)
        return not (wrong or self.problems or self.mistakes or self.hidden or self.changes)

    @property
    def is_known(self) -> bool:
        """True if nothing is left that only root can tell."""
        return all(line.state != UNKNOWN for line in self.lines)


def overview() -> Overview:
    """Return the overview; without root, as far as it can be read. NethookError if it cannot."""
    host = limited_host()
    configuration = load(host)
    now = situation(configuration)
    if os.geteuid() != 0:
        lines = configuration.routed_ips
        placements = place(lines, configuration.of(host.families()), now.up, now.scope)
        states = states_without_root(placements.lines, _routes(now, host))
        return Overview(states, configuration.problems)
    plan = decide(now.question(host))
    mistakes = now.mistakes()
    states = line_states(plan, mistakes)
    received, sent = counters.received(host), counters.sent(host)
    spoofed = counters.spoofed(host) if plan.case.state(BINDING) else {}
    parts = plan.case.placements.blocks
    for state in states:
        state.count(received, sent)
        if state.line.guest:
            claimed = [state.mac, *(block.text for block in parts.get(state.line.prefix.text, ()))]
            state.spoofed = sum(spoofed.get(what, 0) for what in claimed)
    added = [effect for effect in plan.effects if effect.sign == ADD and effect.kind == "route"]
    missing = {(effect.prefix, effect.bridge) for effect in added}
    _look_for_holders([state for state in states if state.place in missing], plan.case.routes, host)
    gates = [(opening.where, found) for opening in plan.openings if (found := opening.state(plan.case))]
    hidden = hidden_in_force(configuration, plan.case.routes)
    stays = what_stays(configuration, hidden) if hidden else ""
    return Overview(
        states, configuration.problems, gates, plan.effects, mistakes=[*mistakes, *plan.refused], hidden=stays
    )


def _routes(now: Situation, host: Host) -> set[Place]:
    """Return our routes, and the foreign ones that lead to the same places."""
    foreign = ForeignRoutes({network.bridge for network in now.up})
    results = host.start(foreign.read_calls(host))
    try:
        ours = to_guests(host.routes(now.configuration.settings.route_protocol))
    finally:
        listings = results()
    standing_in, _ = foreign.routes(listings)
    return {(route.prefix, route.device) for route in ours} | standing_in


def _look_for_holders(lacking: Sequence[LineState], ours: set[Route], host: Host) -> None:
    """Look for foreign routes to the very prefix where ours is missing, and give them as the reason."""
    moved = {route[0] for route in ours}
    lacking = [state for state in lacking if state.line.prefix.text not in moved]
    if not lacking or len(lacking) > MOST_LOOKED_UP:
        return
    results = host.start([holder_call(state.line.prefix.text) for state in lacking])()
    for state, result in zip(lacking, results):
        found = holder(result) if result.status == 0 else ""
        if found:
            state.state = BLOCKED
            state.reason = f"somebody else has a route to it: {found}"
