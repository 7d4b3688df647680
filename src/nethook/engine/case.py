"""A case: a question and its snapshot, and everything that follows from both. Pure: nothing in it reads or writes.

What follows is worked out when it is asked for, and kept. So a part may ask for what another one wants, whatever the
order of the registry is.
"""

from __future__ import annotations

from nethook.host.links import NO_IPV6
from nethook.parts import PARTS
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.fallbacks import FALLBACKS
from nethook.parts.forwards import FORWARDS4, FORWARDS6
from nethook.parts.neighbours import PROXIES
from nethook.parts.routes import ROUTES
from nethook.placement import Networks, in_doubt, place
from nethook.placement.scope import claimed, next_hop_refusals
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Any

    from nethook.config import Configuration, RoutedIP
    from nethook.config.forwarded_ports import Forward
    from nethook.config.settings import Settings
    from nethook.config.text import Problem
    from nethook.engine.snapshot import Question, Snapshot
    from nethook.gates.gate import Opening
    from nethook.libvirt import Network
    from nethook.parts.part import Objects, Part
    from nethook.parts.routes import Route
    from nethook.placement import Lack, Placement, Placements
    from nethook.placement.forwarded import Forwarding
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
        self.configuration: Configuration = question.configuration
        self.refused = [] if question.clears else _refused(self.configuration, question.scope, snapshot)
        self.refused_forwards = [] if question.clears else _refused_forwards(question, snapshot)
        if self.refused or self.refused_forwards:
            self.configuration = self.configuration.refusing([*self.refused, *self.refused_forwards])
        self.lines: Sequence[RoutedIP] = self.configuration.routed_ips
        self.settings: Settings = self.configuration.settings
        self.placements: Placements = place(
            question.lines,
            self.configuration,
            question.networks,
            question.scope,
            routes=_of_lines(question, snapshot),
            bound_to=snapshot.bound_to,
            refused={line.prefix.text: problem.what for line, problem in self.refused},
            has_table=snapshot.states[CLASSIFYING] is not None,
        )
        self.routed_now = {(route[0], route[1]) for route in snapshot.states[ROUTES]}
        """The places to which routes of ours lead now."""
        self._forwardings: Sequence[Forwarding] | None = None
        self._answered_in_doubt: set[str] | None = None
        self._notes: dict[Part, Any] = {}
        self._wanted: dict[Part, Any] = {}
        self._deltas: dict[Part, Any] = {}

    @property
    def forwardings(self) -> Sequence[Forwarding]:
        """The forwarding of each line of forwarded-ports, in their order."""
        if self._forwardings is None:
            self._forwardings = self._forwarded() if self.question.forwards else []
        return self._forwardings

    @property
    def proxied(self) -> list[Forwarding]:
        """The forwardings of lines that have the host answer for their address on an uplink."""
        return [each for each in self.forwardings if each.line.proxy]

    @property
    def answered_in_doubt(self) -> set[str]:
        """The addresses that the host answers for and has forwarded, and that a wrong line may be about."""
        if self._answered_in_doubt is None:
            self._answered_in_doubt = self._in_doubt() if self.configuration.forwards_leave_doubt else set()
        return self._answered_in_doubt

    def _in_doubt(self) -> set[str]:
        from nethook.parts.forwards.wanted import addresses_taken  # noqa: PLC0415 - only where a line is wrong

        taken = addresses_taken(self.state(FORWARDS4), self.state(FORWARDS6))
        answered = {key.prefix for key in self.state(PROXIES)}
        return {address for address in answered & taken if self.configuration.forwards_in_doubt(address)}

    def _forwarded(self) -> list[Forwarding]:
        from nethook.placement.forwarded import place_forwards  # noqa: PLC0415 - most hosts have no such lines

        families = self.question.families
        refused = {line.key: NO_IPV6 for line in self.question.forwards if line.family not in families}
        refused.update((line.key, problem.what) for line, problem in self.refused_forwards)
        return place_forwards(self.question.forwards, Networks(self.networks, self.scope), self.scope, refused)

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

    def lacks_of_forward(self, forwarding: Forwarding) -> list[Lack]:
        """Return the same for a line of forwarded-ports."""
        return [lack for part in PARTS for lack in part.lacks_of_forward(self, forwarding)]

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
    def ended(self) -> set[str]:
        """The descriptions of connections that the changes of parts leave without a place."""
        return {line for part in PARTS for line in part.ended(self)}

    @property
    def binds(self) -> bool:
        """True if something changes about who may use an address."""
        return not self.delta(BINDING).is_empty

    @property
    def families(self) -> set[int]:
        """The IP families (4, 6) that anything has to pass for."""
        return {family for part in PARTS for family in part.families(self)}

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


def _of_lines(question: Question, snapshot: Snapshot) -> Collection[Route]:
    """Return our routes that lines of routed-ips have made: those to addresses of forwards are not for guests."""
    routes: Collection[Route] = snapshot.states[ROUTES]
    answered = {line.address for line in question.forwards if line.proxy}
    if not answered:  # as on most hosts
        return routes
    table = snapshot.states[CLASSIFYING]
    accepted = CLASSIFYING.accepted(table) if table else set()
    return {route for route in routes if route.prefix not in answered or (route.device, route.prefix) in accepted}


def _refused_forwards(question: Question, snapshot: Snapshot) -> list[tuple[Forward, Problem]]:
    """Return the lines of forwarded-ports that must not be put in force on this host, each with its problem."""
    configuration, scope = question.configuration, question.scope
    if not configuration.forwards:
        return []
    from nethook.placement.forwarded import refusals  # noqa: PLC0415 - most hosts have no such lines

    own = {each.text: each.device for each in snapshot.addresses}
    found = refusals(configuration.forwards, configuration.routed_ips, (*scope.known, *scope.down), own)
    if snapshot.new_forwards:
        from nethook.placement.lockout import lockouts  # noqa: PLC0415 - most events find every line in force

        bridges = {bridge for bridge, _ in scope.guest_bridges}
        found += lockouts(snapshot.new_forwards, configuration.forwards, snapshot.sockets, snapshot.addresses, bridges)
    return found


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

    former = {fallback.prefix for fallback in snapshot.states[FALLBACKS]}
    return found + dangers(snapshot.needs, lacking, scope.known, former)
