"""The question of a run, which is known before anything is read, and its snapshot: everything that it reads.

"Could not read" is not "empty": whatever fails here ends the run before it has written anything.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.gates import FIREWALLS
from nethook.gates.gate import ChainOpening
from nethook.parts import PARTS
from nethook.parts.binding import BINDING
from nethook.parts.forwards import FORWARDS4, FORWARDS6
from nethook.parts.routes import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from nethook.config import Configuration
    from nethook.config.forwarded_ports import Forward
    from nethook.engine.foreign_routes import ForeignRoutes
    from nethook.gates.gate import Gate
    from nethook.host import Host
    from nethook.host.addresses import Address
    from nethook.host.links import Link
    from nethook.host.process import Result
    from nethook.host.routes import RouteGroup
    from nethook.host.sockets import Socket
    from nethook.libvirt import Network
    from nethook.parts.part import Part
    from nethook.parts.routes import Place
    from nethook.placement.scope import Scope
    from nethook.placement.vital import Needs


class Question:
    """The subject of a run: the files; of the ``scope``, exactly these ``networks`` are up, and all have a bridge.

    ``is_thorough``: look at everything, also at foreign routes that make ours needless, which takes time that an event
    does not have. ``again``: the first attempt failed. A table that could not be corrected is made anew, and a piece
    that may have failed alone gets a step of its own. ``clears``: nothing of ours is wanted. ``lines`` and ``forwards``
    are all right lines of the files, ``configuration`` has those of the IP families of this kernel. ``forces``: lines
    are put in force, too, that may lock the administrator out.
    """

    def __init__(
        self,
        configuration: Configuration,
        networks: Sequence[Network],
        scope: Scope,
        host: Host,
        *,
        is_thorough: bool = False,
        again: bool = False,
        clears: bool = False,
        forces: bool = False,
    ) -> None:
        self._files = configuration
        self.families = host.families()
        self.lines = configuration.routed_ips
        self.forwards = configuration.forwards
        self.configuration = configuration.of(self.families)
        self.networks = networks
        self.scope = scope
        self.is_thorough = is_thorough
        self.again = again
        self.host = host
        self.clears = clears
        self.forces = forces
        self.protocol = configuration.settings.route_protocol
        self._addresses: Sequence[Address] | None = None
        self._links: Sequence[Link] | None = None
        self._routes: Sequence[RouteGroup] | None = None
        self._tables: Collection[str] | None = None

    def anew(self) -> Question:
        """Return the question of the second attempt."""
        return Question(
            self._files,
            self.networks,
            self.scope,
            self.host,
            is_thorough=self.is_thorough,
            again=True,
            clears=self.clears,
            forces=self.forces,
        )

    @property
    def addresses(self) -> Sequence[Address]:
        """The addresses of this host, read once; ReadError if they cannot be known."""
        if self._addresses is None:
            self._addresses = self.host.addresses()
        return self._addresses

    @property
    def links(self) -> Sequence[Link]:
        """The network devices, read once; ReadError if they cannot be known."""
        if self._links is None:
            self._links = self.host.links()
        return self._links

    @property
    def routes(self) -> Sequence[RouteGroup]:
        """The routes with our number, to guests and to nowhere, read once; ReadError if they cannot be known."""
        if self._routes is None:
            self._routes = self.host.routes(self.protocol)
        return self._routes

    @property
    def tables(self) -> Collection[str]:
        """The families (nft's words) in which there is a table of ours, read once; ReadError if they are not known."""
        if self._tables is None:
            self._tables = self.host.tables()
        return self._tables


class Snapshot:
    """The state of each part, the gates that this host has, and what matters of everything that is not ours.

    ``standing_in`` are places to which foreign routes lead, so that one of ours is neither needed nor possible;
    ``inherited`` those of routes of release 0.6, which ours replace. ``links`` are read only where a line is bound.
    ``new_forwards`` are lines that the run may put in force, unless they lock somebody out: for that, ``sockets`` are
    read, those of this host's programs.
    """

    def __init__(
        self,
        states: Mapping[Part, Any],
        openings: Sequence[ChainOpening] = (),
        *,
        links: Sequence[Link] = (),
        addresses: Sequence[Address] = (),
        standing_in: Collection[Place] = (),
        inherited: Collection[Place] = (),
        needs: Needs | None = None,
        new_forwards: Sequence[Forward] = (),
        sockets: Sequence[Socket] = (),
    ) -> None:
        self.states = states
        self.openings = openings
        self.links = links
        self.addresses = addresses
        self.standing_in = standing_in
        self.inherited = inherited
        self.needs = needs
        self.new_forwards = new_forwards
        self.sockets = sockets

    @property
    def bound_to(self) -> dict[str, set[str]]:
        """The MACs that each block is bound to."""
        table = self.states[BINDING]
        found: dict[str, set[str]] = {}
        for name, members in table.elements.items() if table else ():
            if BINDING.sets[name].role == "holders":
                for mac, block in members:
                    found.setdefault(block, set()).add(mac)
        return found


def read(question: Question) -> Snapshot:
    """Read everything that the answer to this question takes; ReadError if something cannot be known."""
    host = question.host
    configuration = question.configuration
    settings = configuration.settings
    lines = configuration.routed_ips
    host.allow_for(len(configuration.lines))
    families: Sequence[int] = sorted({line.prefix.family for line in configuration.lines})
    if question.is_thorough or configuration.leaves_doubt or configuration.forwards_leave_doubt:
        families = question.families
    here = [gate for firewall in FIREWALLS for gate in firewall.gates(host, families, settings.mark_bit)]
    chosen = [gate for gate in here if settings.opens(gate.setting)]
    left_out = [gate for gate in here if not settings.opens(gate.setting)] if question.is_thorough else []
    foreign = _foreign_routes(question)

    calls = {gate: gate.calls(host) for gate in chosen}
    for gate in left_out:
        try:
            calls[gate] = gate.calls(host)
        except ReadError:  # nothing has to be known of it
            continue
    of_gates = [call for asked in calls.values() for call in asked]
    results = host.start([*of_gates, *(foreign.read_calls(host) if foreign else ())])
    try:
        states = {part: part.read(host, question) for part in PARTS}
    finally:
        found = iter(results())
    listings = {gate: [next(found) for _ in asked] for gate, asked in calls.items()}
    openings = _openings(chosen, listings, host)
    for gate in [each for each in left_out if each in calls]:
        try:
            openings += _openings([gate], listings, host)
        except ReadError:
            continue
    standing_in, inherited = foreign.routes(found) if foreign else (set(), set())
    standing_in -= {(route.prefix, route.device) for route in states[ROUTES]}  # the listing has ours, too
    host.allow_for(len(states[ROUTES]))
    new = [] if question.forces else new_forwards(question, states)
    is_bound = any(line.guest for line in lines) or states[BINDING] is not None
    return Snapshot(
        states,
        openings,
        links=question.links if is_bound else (),
        addresses=question.addresses,
        standing_in=standing_in,
        inherited=inherited,
        needs=_needs(question, states[ROUTES]),
        new_forwards=new,
        sockets=host.sockets() if new else (),
    )


def new_forwards(question: Question, states: Mapping[Part, Any]) -> list[Forward]:
    """Return the lines of forwarded-ports that this run may put in force, and that are not: most runs find none.

    One that is in force gets more if a port does not stay with the host any more. A table that is made anew has the
    lines of all networks.
    """
    tables = {4: states[FORWARDS4], 6: states[FORWARDS6]}
    lines = [
        line
        for line in question.configuration.forwards
        if tables[line.family] is None or question.scope.has_network(line.network)
    ]
    if not lines:
        return []
    from nethook.parts.forwards.wanted import is_in_force, no_longer_kept  # noqa: PLC0415 - most hosts have no such lines

    not_kept = no_longer_kept(question.configuration.forwards, tables.values())
    given_up = [(address, protocol, int(port)) for address, protocol, port in not_kept]
    return [
        line
        for line in lines
        if not is_in_force(line, tables[line.family]) or any(line.takes(*each) for each in given_up)
    ]


def _foreign_routes(question: Question) -> ForeignRoutes | None:
    """Return what looks at foreign routes on the bridges; None for an event, which has no time for that."""
    if not question.is_thorough:
        return None
    from nethook.engine.foreign_routes import ForeignRoutes  # noqa: PLC0415 - see above

    return ForeignRoutes({network.bridge for network in question.networks})


def _openings(gates: Iterable[Gate], listings: Mapping[Gate, Sequence[Result]], host: Host) -> list[ChainOpening]:
    chains = ((gate, gate.read(host, listings[gate])) for gate in gates)
    return [ChainOpening(gate, gate.settled(chain, host)) for gate, chain in chains if chain]


def _needs(question: Question, routes: Iterable[tuple[str, ...]]) -> Needs | None:
    """Return what the host needs; None if every line is in force: reading it takes some milliseconds."""
    routed = {route[0] for route in routes}
    is_lacking = any(
        line.prefix.text not in routed and question.scope.has_network(line.network)
        for line in question.configuration.routed_ips
    )
    if not is_lacking or question.clears:
        return None
    from nethook.placement.vital import read_needs  # noqa: PLC0415 - few events need it

    return read_needs(question.host, question.addresses)
