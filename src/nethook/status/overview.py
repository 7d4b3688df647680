"""The content of ``nethook status``: lines and their states, gates, mistakes, and other differences."""

from __future__ import annotations

import os
from collections import Counter
from copy import copy
from typing import TYPE_CHECKING

from nethook.changes import ADD
from nethook.config import load
from nethook.engine import applied
from nethook.engine.foreign_routes import ForeignRoutes
from nethook.engine.plan import decide
from nethook.engine.run import CLEARED
from nethook.engine.situation import hidden_in_force, ignored_files, limited_host, situation, what_stays
from nethook.parts import counters
from nethook.parts.binding import BINDING
from nethook.parts.forwards.shown import OF_LINES
from nethook.parts.routes import holder, holder_call, to_guests
from nethook.placement import Networks, place
from nethook.placement.forwarded import Forwarding, place_forwards
from nethook.routing_daemons.asking import announced, said_of
from nethook.status.forward_states import ForwardState, forward_states
from nethook.status.forward_states import states_without_root as states_of_forwards_without_root
from nethook.status.line_states import (
    BLOCKED,
    NOT_APPLIED,
    ROUTED,
    UNKNOWN,
    WAITING,
    LineState,
    line_states,
    states_without_root,
)
from nethook.status.surroundings import look_around

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.changes import Effect
    from nethook.config import Configuration
    from nethook.config.text import Entry, Problem
    from nethook.engine.case import Case
    from nethook.engine.situation import Situation
    from nethook.gates.gate import Opening
    from nethook.host import Host
    from nethook.parts.routes import Place, Route
    from nethook.status.hindrances import Note

MOST_LOOKED_UP = 100
"""For more lines than this that are not applied nobody looks who else has a route to each: they have one cause."""


class Overview:
    """The state of each line and gate, mistakes in the files, and what apply would change.

    ``closed`` are the names of those gates that some line does not pass; ``failures`` has a sentence for each firewall
    that could not be asked.
    """

    def __init__(
        self,
        lines: Sequence[LineState],
        problems: Sequence[Problem],
        gates: Sequence[tuple[str, str]] = (),
        changes: Sequence[Effect] = (),
        *,
        mistakes: Sequence[Problem] = (),
        hidden: str = "",
        forwards: Sequence[ForwardState] = (),
        closed: Collection[str] = (),
        failures: Sequence[str] = (),
        files_differ: bool = False,
        notes: Sequence[Note] = (),
        ignored: Sequence[str] = (),
        unread: Collection[Entry] = (),
    ) -> None:
        """``problems`` keep apply from doing anything; ``mistakes`` are of single lines, only this host tells them.

        ``notes`` are about what is wrong beside lines, and may concern some; ``ignored`` about files that are not read,
        because others come first, and ``unread`` the lines that only those have.

        ``hidden`` is a sentence about what is in force and in no file that is read. ``files_differ``: they have changed
        since they were applied.
        """
        self.lines = lines
        self.problems = problems
        self.gates = gates
        self.changes = changes
        self.mistakes = mistakes
        self.hidden = hidden
        self.forwards = forwards
        self.closed = closed
        self.failures = failures
        self.files_differ = files_differ
        self.notes = notes
        self.ignored = ignored
        self.unread = unread
        self.shown: tuple[Sequence[LineState], Sequence[ForwardState]] = (lines, forwards)
        """The lines to list, if not all."""

    def showing(self, lines: Sequence[LineState], forwards: Sequence[ForwardState]) -> Overview:
        """Return the same overview, in which only these lines are listed."""
        made = copy(self)
        made.shown = lines, forwards
        return made

    @property
    def differences(self) -> list[Effect]:
        """Of the changes, those that the states of lines and gates do not tell."""
        told = {"route", "accept", "gate", "neighbour", "bound", "reserved", "proxy", "proxy_ndp", *OF_LINES}
        return [change for change in self.changes if change.sign != ADD or change.kind not in told]

    @property
    def all(self) -> list[LineState | ForwardState]:
        """The lines of both files."""
        return [*self.lines, *self.forwards]

    @property
    def summary(self) -> dict[str, dict[str, int]]:
        """The number of lines of each file in each state."""
        return {
            "lines": Counter(line.state for line in self.lines),
            "forwards": Counter(each.state for each in self.forwards),
        }

    @property
    def _states(self) -> set[str]:
        return {each.state for each in self.all}

    @property
    def is_as_desired(self) -> bool:
        """True if all is as the files say; a network that is not running is no difference."""
        wrong = bool(self._states & {BLOCKED, NOT_APPLIED})
        return not (wrong or self.problems or self.mistakes or self.hidden or self.changes or self.notes)

    @property
    def is_known(self) -> bool:
        """True if nothing is left that only root can tell, and every firewall could be read."""
        return UNKNOWN not in self._states and not self.failures


def overview() -> Overview:
    """Return the overview; without root, as far as it can be read. NethookError if it cannot."""
    host = limited_host()
    configuration = load(host)
    found = overview_of(situation(configuration), host)
    if os.geteuid() == 0:
        _ask_daemons(found.lines, host)
    return found


def _ask_daemons(states: Sequence[LineState], host: Host) -> None:
    """Give lines what routing daemons say of them, if some run for our addresses.

    Of a line that waits, it matters only if it is announced all the same, or by another host.
    """
    asked = {each.line.prefix.text: each for each in states if each.state in {ROUTED, WAITING} and not each.line.proxy}
    daemons = [each for each in announced(host, asked) if each.is_about_us or each.failure] if asked else []
    for prefix, state in asked.items() if daemons else ():
        said = said_of(prefix, daemons)
        state.announced = "" if state.state == WAITING and said in {"no", "unknown"} else said


def overview_of(now: Situation, host: Host) -> Overview:
    """Return the overview of what the files and libvirt say. NethookError if the kernel cannot be read."""
    configuration = now.configuration
    if os.geteuid() != 0:
        lines = configuration.routed_ips
        placements = place(lines, configuration.of(host.families()), now.up, now.scope)
        states = states_without_root(placements.lines, _routes(now, host))
        forwards = place_forwards(configuration.forwards, Networks(now.up, now.scope), now.scope)
        return Overview(states, configuration.problems, forwards=states_of_forwards_without_root(forwards))
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
    of_forwards = forward_states(plan, mistakes, host)
    notes = look_around(now, plan, states, of_forwards, host)
    gates = [(opening.where, found) for opening in plan.openings if (found := opening.state(plan.case))]
    closed = {opening.where for opening in plan.openings if _is_closed(opening, plan.case)}
    hidden = hidden_in_force(configuration, plan.case.routes)
    stays = what_stays(configuration, hidden) if hidden else ""
    noted = applied.read(host)
    return Overview(
        states,
        configuration.problems,
        gates,
        plan.effects,
        mistakes=[*mistakes, *plan.refused],
        hidden=stays,
        forwards=of_forwards,
        closed=closed,
        failures=plan.failures,
        notes=notes,
        ignored=ignored_files(configuration, host),
        unread=[*configuration.hidden.values(), *configuration.hidden_forwards.values()],
        files_differ=noted is not None and noted.files not in {CLEARED, applied.fingerprint(configuration)},
    )


def unknown(configuration: Configuration, why: str) -> Overview:
    """Return the overview when nothing but the files can be read: ``why`` is the reason of each line."""
    lines = [LineState(line, "", UNKNOWN, why) for line in configuration.routed_ips]
    forwards = [ForwardState(Forwarding(line, UNKNOWN), UNKNOWN, why) for line in configuration.forwards]
    return Overview(lines, configuration.problems, forwards=forwards)


def _is_closed(opening: Opening, case: Case) -> bool:
    """Return whether packets of some line do not pass this gate."""
    routed = (placement.line.prefix for placement in case.placements.lines)
    forwarded = (each.line.prefix for each in case.forwardings if each.line.family == opening.family)
    return any(opening.closed_for(case, prefix) for prefix in (*routed, *forwarded))


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
