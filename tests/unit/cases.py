"""Cases without a machine: lines and networks, and a kernel whose parts hold what a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.config import Configuration, Settings
from nethook.engine.case import Case
from nethook.engine.plan import steps_of
from nethook.engine.snapshot import Question, Snapshot
from nethook.host import Host
from nethook.host.nftables import Table
from nethook.parts import PARTS
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.flows import FLOWS, Owed
from nethook.parts.gateways import ARP
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.part import CREATED, REMOVED, Objects, TablePart
from nethook.parts.routes import ROUTES
from nethook.parts.switches import SwitchState
from nethook.placement.scope import Scope
from tests.unit.lines import configuration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nethook.changes import Piece, Step
    from nethook.gates.gate import ChainOpening
    from nethook.libvirt import Network
    from nethook.parts.part import Part

    States = dict[Part, Any]

ABOUT_ADDRESSES = (CLASSIFYING, NEIGHBOURS, ROUTES, BINDING, FLOWS)
"""The parts without which no address gets to its guest."""


class NoMachine(Host):
    """A host of which a case may know its IP families, and nothing else."""

    def __init__(self, families: tuple[int, ...] = (4, 6)) -> None:
        super().__init__(1)
        self._families = families

    def families(self) -> tuple[int, ...]:
        return self._families


def empty() -> States:
    """The states of all parts where nothing of ours is in the kernel."""
    states: States = {part: SwitchState({}, ()) for part in PARTS}
    states.update({part: set() for part in PARTS if isinstance(part, Objects)})
    states.update({part: None for part in PARTS if isinstance(part, TablePart)})
    states.update({ARP: [], FLOWS: Owed()})
    return states


def case(
    lines: str | Configuration,
    networks: Sequence[Network],
    states: States | None = None,
    scope: Scope | None = None,
    *,
    settings: Settings | None = None,
    again: bool = False,
    clears: bool = False,
    openings: Sequence[ChainOpening] = (),
    families: tuple[int, ...] = (4, 6),
    **seen: Any,
) -> Case:
    """The case of these lines, when these networks are up and the kernel has these states (by default: nothing).

    ``seen`` is what else a ``Snapshot`` has.
    """
    files = configuration(lines, settings) if isinstance(lines, str) else lines
    scope = Scope(known=networks) if scope is None else scope
    question = Question(files, networks, scope, NoMachine(families), is_thorough=True, again=again, clears=clears)
    return Case(question, Snapshot(empty() if states is None else states, openings, **seen))


def applied(made: Case) -> States:
    """The states of the kernel when everything is there that this case wants."""
    states = empty()
    for part in PARTS:
        if isinstance(part, Objects):
            states[part] = made.afterwards(part)
        elif isinstance(part, TablePart) and made.delta(part).what != REMOVED and _is_there(made, part):
            layout = part.layout(made)
            table = Table(part.sets)
            table.elements = {name: set(elements) for name, elements in part.elements(made).items()}
            table.comments = {chain: [layout.comment(rule) for rule in rules] for chain, rules in layout.chains.items()}
            states[part] = table
    states[ARP] = list(made.wanted(ARP).comments)
    return states


def _is_there(made: Case, part: TablePart) -> bool:
    return made.state(part) is not None or made.delta(part).what == CREATED


def steps(made: Case, parts: Sequence[Part] = ABOUT_ADDRESSES, gates: Sequence[Piece] = ()) -> list[Step]:
    """The steps that these parts and gates take."""
    return steps_of(gates, [list(part.pieces(made)) for part in PARTS if part in parts])


def commands(made: Case, parts: Sequence[Part] = ABOUT_ADDRESSES) -> list[list[str]]:
    """The input of each of these steps, line by line."""
    return [step.call.stdin.splitlines() for step in steps(made, parts)]


def elements(made: Case, part: TablePart = CLASSIFYING) -> Mapping[str, set[tuple[str, ...]]]:
    """The elements that this table of the case wants."""
    return part.elements(made)
