"""A case: a question and its snapshot, and everything that follows from both. Pure: nothing in it reads or writes.

What follows is worked out when it is asked for, and kept. So a part may ask for what another one wants, whatever the
order of the registry is.
"""

from __future__ import annotations

from nethook.parts import PARTS
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.routes import ROUTES
from nethook.placement import in_doubt, place
from nethook.placement.scope import claimed, next_hop_refusals
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Any

    from nethook.config import Configuration, RoutedIP
    from nethook.config.settings import Settings
    from nethook.config.text import Problem
    from nethook.engine.snapshot import Question, Snapshot
    from nethook.gates.gate import Opening
    from nethook.libvirt import Network
    from nethook.parts.part import Objects, Part
    from nethook.parts.routes import Route
    from nethook.placement import Lack, Placement, Placements
    from nethook.placement.scope import Scope
    from nethook.prefix import Prefix


class Case:
    """One run, as values. ``refused`` are the lines that must not be put in force on this host, with their problems."""

    def __init__(self, question: Question, snapshot: Snapshot) -> None:
        self.question = question
        self.snapshot = snapshot
        self.scope: Scope = question.scope
        self.networks: Sequence[Network] = question.networks
        self.protocol = question.protocol
        self.again = question.again
        self.clears = question.clears
        self.is_thorough = question.is_thorough
        self.refused = [] if question.clears else _refused(question.configuration, question.scope, snapshot)
        self.configuration: Configuration = question.configuration
        if self.refused:
            self.configuration = question.configuration.refusing(self.refused)
        self.lines: Sequence[RoutedIP] = self.configuration.routed_ips
        self.settings: Settings = self.configuration.settings
        self.placements: Placements = place(
            question.lines,
            self.configuration,
            question.networks,
            question.scope,
            routes=snapshot.states[ROUTES],
            bound_to=snapshot.bound_to,
            refused={line.prefix.text: problem.what for line, problem in self.refused},
            has_table=snapshot.states[CLASSIFYING] is not None,
        )
        self.routed_now = {(route[0], route[1]) for route in snapshot.states[ROUTES]}
        """The places to which routes of ours lead now."""
        self._notes: dict[Part, Any] = {}
        self._wanted: dict[Part, Any] = {}
        self._deltas: dict[Part, Any] = {}

    def state(self, part: Part) -> Any:
        """Return the state of this part in the kernel."""
        return self.snapshot.states[part]

    def wanted(self, part: Part) -> Any:
        """Return what there should be of this part."""
        if part not in self._wanted:
            self._wanted[part] = part.want_nothing() if self.clears else part.want(self)
        return self._wanted[part]

    def delta(self, part: Part) -> Any:
        """Return what this run changes of this part."""
        if part not in self._deltas:
            self._deltas[part] = part.compare(self)
        return self._deltas[part]

    def note(self, part: Part) -> Any:
        """Return what this part notes of its changes (``Part.note``), worked out once."""
        if part not in self._notes:
            self._notes[part] = part.note(self)
        return self._notes[part]

    def lacks(self, placement: Placement) -> list[Lack]:
        """Return what each part still lacks for this line, in the order of the registry."""
        return [lack for part in PARTS for lack in part.lacks(self, placement)]

    def afterwards(self, part: Objects) -> set[Any]:
        """Return the objects of this part when the changes have been made."""
        delta = self.delta(part)
        objects: set[Any] = self.state(part) - set(delta.gone)
        return objects.union(delta.new)

    def decides_about(self, key: tuple[str, ...]) -> bool:
        """Return whether this run may delete this object: by its device, or because its address has a place here."""
        return self.scope.covers(key[0], key[1]) or key[0] in self.placements.prefixes

    def in_doubt(self, present: Iterable[Any], *, within: bool = False) -> Collection[Any]:
        """Return the objects that a wrong line may be about; ``within``: about a prefix around them, too."""
        configuration = self.configuration
        is_doubtful = configuration.in_doubt_within if within else configuration.in_doubt
        return in_doubt(present, configuration, is_doubtful)

    @property
    def routes(self) -> set[Route]:
        """Our routes in the kernel."""
        routes: set[Route] = self.state(ROUTES)
        return routes

    @property
    def binds(self) -> bool:
        """True if something changes about who may use an address."""
        return not self.delta(BINDING).is_empty

    @property
    def families(self) -> set[int]:
        """The IP families (4, 6) that anything has to pass for."""
        return CLASSIFYING.families(self)

    @property
    def guarded(self) -> list[Prefix]:
        """The outermost prefixes of all lines, wherever they are, and of those that stay guarded."""
        elements = self.wanted(CLASSIFYING) or {}
        names = (name for name in elements if CLASSIFYING.sets[name].role == "routed")
        return [parse_prefix(block) for name in names for (block,) in elements[name]]

    @property
    def concerns_configured(self) -> bool:
        """Return whether prefixes come or go that are configured, wherever they are."""
        return not self.clears and CLASSIFYING.concerns_configured(self)

    def opens(self, opening: Opening) -> bool:
        """Return whether this gate should be open."""
        is_chosen = self.settings.opens(opening.setting)
        return is_chosen and not self.clears and (not opening.family or opening.family in self.families)

    @property
    def former_bits(self) -> list[int]:
        """The mark bits of gates that are still open for another setting."""
        bits = {bit for each in self.snapshot.openings if self.opens(each) for bit in each.mark_bits}
        return sorted(bits - {self.settings.mark_bit})


def _refused(configuration: Configuration, scope: Scope, snapshot: Snapshot) -> list[tuple[RoutedIP, Problem]]:
    """Return the lines that must not be put in force on this host, each with its problem.

    Of what the host needs, only lines that are not in force are looked at.
    """
    routed = {route[0] for route in snapshot.states[ROUTES]}
    lines = configuration.routed_ips
    lacking = [line for line in lines if line.prefix.text not in routed and scope.has_network(line.network)]
    owners = scope.owners
    found = [(line, problem) for line in lines if (problem := claimed(line, owners))]
    own = ((each.text, each.device) for each in snapshot.addresses)
    found += next_hop_refusals(lines, own, configuration.settings)
    if not lacking or not snapshot.needs:
        return found
    from nethook.placement.vital import dangers  # noqa: PLC0415 - most events find every line in force

    return found + dangers(snapshot.needs, lacking, scope.known)
