"""The plan: read, work out the case, and put the changes in order. Changes nothing."""

from __future__ import annotations

from nethook.changes import (
    ARP,
    CLASSIFY,
    GATES,
    LAST,
    SETTLE,
    STAGES,
    WITHDRAW,
    BatchStep,
    IpPiece,
    NftPiece,
    Step,
    StepPiece,
    nft_call,
)
from nethook.engine.case import Case
from nethook.engine.snapshot import read
from nethook.gates import FIREWALLS
from nethook.parts import PARTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.changes import Effect, Piece
    from nethook.config.text import Problem
    from nethook.engine.snapshot import Question
    from nethook.gates.gate import GateChange, Opening


class Plan:
    """The case, the gates that were found, and the ``steps`` that lead to what is wanted.

    ``failures`` are sentences about what could not be decided.
    """

    __slots__ = ("case", "failures", "openings", "steps")

    def __init__(
        self, case: Case, openings: Sequence[Opening], steps: Sequence[Step], failures: Sequence[str] = ()
    ) -> None:
        self.case = case
        self.openings = openings
        self.steps = steps
        self.failures = failures

    @property
    def refused(self) -> list[Problem]:
        """The problems of lines that must not be put in force on this host."""
        return [problem for _, problem in (*self.case.refused, *self.case.refused_forwards)]

    @property
    def warnings(self) -> list[Problem]:
        """Warnings of lines that this run puts in force, at whose ports programs of this host listen."""
        if not self.case.snapshot.new_forwards:
            return []
        from nethook.placement.lockout import listeners  # noqa: PLC0415 - most events find every line in force

        refused = {line.key for line, _ in self.case.refused_forwards}
        new = [line for line in self.case.snapshot.new_forwards if line.key not in refused]
        return listeners(new, self.case.snapshot.sockets, self.case.snapshot.addresses)

    @property
    def effects(self) -> list[Effect]:
        """The effects of the steps, in their order."""
        return [effect for step in self.steps for effect in step.effects]


def decide(question: Question) -> Plan:
    """Return the plan of the run with this question. ReadError if the kernel cannot be known."""
    case = Case(question, read(question))
    openings: list[Opening] = [*case.snapshot.openings]
    failures: list[str] = []
    for firewall in FIREWALLS:
        if firewall.is_due(case):
            found, failed = firewall.look(case, question.host)
            openings += [found] if found else []
            failures += failed
    pieces: list[Piece] = []
    for opening in openings:
        pieces += _gate_pieces(CLASSIFY, GATES, opening.changes(case))
    former = [change for opening in openings for change in opening.former(case)]
    if question.is_thorough:
        from nethook.legacy06.leftovers import removals  # noqa: PLC0415 - an event does not look for them

        former = [*removals(case), *former]
    pieces += _gate_pieces(SETTLE, SETTLE, former)
    return Plan(case, openings, steps_of(pieces, [part.pieces(case) for part in PARTS]), failures)


def _gate_pieces(nft_stage: int, call_stage: int, changes: Iterable[GateChange]) -> Iterator[Piece]:
    for change in changes:
        if change.nft:
            yield NftPiece(nft_stage, change.nft, change.effects)
        if change.call:
            yield StepPiece(call_stage, Step(change.call, change.effects, needs_all=call_stage == SETTLE))


def steps_of(gates: Iterable[Piece], parts: Sequence[Iterable[Piece]]) -> list[Step]:
    """Return the steps that make these changes; ``parts`` has those of each part, in the order of the registry."""
    by_stage: list[list[list[Piece]]] = [[] for _ in STAGES]
    for some in (gates, *parts):
        for of_stage in by_stage:
            of_stage.append([])
        for piece in some:
            by_stage[piece.stage][-1].append(piece)
    todo: list[Step] = []
    alone: list[NftPiece] = []
    for stage in STAGES:
        ordered = reversed(by_stage[stage]) if stage == WITHDRAW else by_stage[stage]
        pieces = [piece for some in ordered for piece in some]
        nft = [piece for piece in pieces if isinstance(piece, NftPiece)]
        if stage == ARP:
            nft += alone
        elif all(piece.joins for piece in nft):
            alone += nft
            nft = []
        if nft and stage != SETTLE:
            todo.append(_transaction(nft, ends_run=stage != ARP, needs_all=stage == LAST))
        todo += _batches([piece for piece in pieces if isinstance(piece, IpPiece)])
        todo += [piece.step for piece in pieces if isinstance(piece, StepPiece)]
        if nft and stage == SETTLE:  # behind the gates of other tools
            todo.append(_transaction(nft, needs_all=True))
    return todo


def _transaction(pieces: Sequence[NftPiece], *, ends_run: bool = False, needs_all: bool = False) -> Step:
    commands = [command for piece in pieces for command in piece.commands]
    effects = [effect for piece in pieces for effect in piece.effects]
    return Step(nft_call(commands), effects, ends_run=ends_run, needs_all=needs_all)


def _batches(pieces: Sequence[IpPiece]) -> list[Step]:
    """Return a process for all objects, and one more for each family that ip has to be told."""
    options = dict.fromkeys(piece.part.family_option(piece.key) for piece in pieces)
    return [
        BatchStep([piece for piece in pieces if piece.part.family_option(piece.key) == option], option)
        for option in sorted(options)
    ]
