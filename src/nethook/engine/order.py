"""Pieces of all parts and gates → steps, in the order of their stages. Pure."""

from __future__ import annotations

from nethook.steps.piece import IpPiece, NftPiece, StepPiece
from nethook.steps.stage import ARP, SETTLE, STAGES, WITHDRAW
from nethook.steps.step import BatchStep, Step, nft_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.steps.piece import Piece


def steps_of(gates: Iterable[Piece], parts: Sequence[Sequence[Piece]]) -> list[Step]:
    """Return the steps that make these changes; ``parts`` has those of each part, in the order of the registry."""
    gates = list(gates)
    todo: list[Step] = []
    alone: list[NftPiece] = []
    for stage in STAGES:
        ordered = reversed(parts) if stage == WITHDRAW else parts
        pieces = [piece for some in (gates, *ordered) for piece in some if piece.stage == stage]
        nft = [piece for piece in pieces if isinstance(piece, NftPiece)]
        if stage == ARP:
            nft += alone
        elif all(piece.joins for piece in nft):
            alone += nft
            nft = []
        if nft and stage != SETTLE:
            todo.append(_transaction(nft, ends_run=stage != ARP))
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
