"""The snapshot: everything that a run reads, before it decides anything.

"Could not read" is not "empty": whatever fails here ends the run before it has written anything.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.gates import FIREWALLS
from nethook.gates.gate import ChainOpening
from nethook.legacy06.routes import ForeignRoutes
from nethook.parts import PARTS
from nethook.parts.routes import ROUTES
from nethook.parts.tables.binding import BINDING
from nethook.placement.vital import Needs, read_needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from nethook.engine.question import Question
    from nethook.gates.gate import Gate
    from nethook.host.addresses import Address
    from nethook.host.host import Host
    from nethook.host.links import Link
    from nethook.host.process import Result
    from nethook.parts.part import Part
    from nethook.parts.routes import Place


class Snapshot:
    """The state of each part, the gates that this host has, and what matters of everything that is not ours.

    ``standing_in`` are places to which foreign routes lead, so that one of ours is neither needed nor possible;
    ``inherited`` those of routes of release 0.6, which ours replace. ``links`` are read only where a line is bound.
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
    ) -> None:
        self.states = states
        self.openings = openings
        self.links = links
        self.addresses = addresses
        self.standing_in = standing_in
        self.inherited = inherited
        self.needs = needs or Needs()

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


def read(question: Question, host: Host) -> Snapshot:
    """Read everything that the answer to this question takes; ReadError if something cannot be known."""
    settings = question.configuration.settings
    lines = question.configuration.routed_ips
    host.allow_for(len(lines))
    families: Sequence[int] = sorted({line.prefix.family for line in lines})
    if question.is_thorough or question.configuration.leaves_doubt:
        families = question.families
    here = [gate for firewall in FIREWALLS for gate in firewall.gates(host, families, settings.mark_bit)]
    chosen = [gate for gate in here if gate.setting in settings.gates]
    left_out = [gate for gate in here if gate.setting not in settings.gates] if question.is_thorough else []
    foreign = ForeignRoutes({network.bridge for network in question.networks} if question.is_thorough else ())

    lists = {str(call): call for part in PARTS for call in part.calls(question)}
    calls = [*lists.values(), *(gate.read_call() for gate in (*chosen, *left_out))]
    results = host.start([*calls, *foreign.read_calls(host)])
    listed: dict[str, Result] = {}
    states: dict[Part, Any] = {}
    try:
        for part in PARTS:
            if not part.calls(question):
                states[part] = part.read(host, (), question)
    finally:
        found = results()
    listed.update(zip(lists, found))
    for part in PARTS:
        if part not in states:
            states[part] = part.read(host, [listed[str(call)] for call in part.calls(question)], question)
    listings = found[len(lists) : len(calls)]
    openings = _openings(zip(chosen, listings), host)
    for each in zip(left_out, listings[len(chosen) :]):
        try:
            openings += _openings([each], host)
        except ReadError:  # nothing has to be known of it
            continue
    standing_in, inherited = foreign.routes(found[len(calls) :])
    standing_in -= {(route.prefix, route.device) for route in states[ROUTES]}  # the listing has ours, too
    host.allow_for(len(states[ROUTES]))
    is_bound = any(line.guest for line in lines) or states[BINDING] is not None
    return Snapshot(
        states,
        openings,
        links=question.links if is_bound else (),
        addresses=question.addresses,
        standing_in=standing_in,
        inherited=inherited,
        needs=_needs(question, states[ROUTES], host),
    )


def _openings(listings: Iterable[tuple[Gate, Result]], host: Host) -> list[ChainOpening]:
    chains = ((gate, gate.chain(listing)) for gate, listing in listings)
    return [ChainOpening(gate, gate.settled(chain, host)) for gate, chain in chains if chain]


def _needs(question: Question, routes: Iterable[tuple[str, ...]], host: Host) -> Needs | None:
    """Return what the host needs; None if every line is in force: reading it takes some milliseconds."""
    routed = {route[0] for route in routes}
    is_lacking = any(
        line.prefix.text not in routed and question.scope.has_network(line.network)
        for line in question.configuration.routed_ips
    )
    return read_needs(host) if is_lacking and not question.clears else None
