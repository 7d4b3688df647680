"""A piece: one change that a part or gate wants, and its stage. The engine puts pieces together into steps."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.parts.part import Objects
    from nethook.steps.effect import Effect
    from nethook.steps.step import Step


class Piece:
    """One change, at this stage (``stage.py``)."""

    __slots__ = ("stage",)

    def __init__(self, stage: int) -> None:
        self.stage = stage


class IpPiece(Piece):
    """An object added or deleted: its part, its key, the line for ``ip`` that does it, and the effect."""

    __slots__ = ("effect", "key", "line", "part")

    def __init__(self, stage: int, part: Objects, key: tuple[str, ...], line: str, effect: Effect) -> None:
        self.stage = stage
        self.part = part
        self.key = key
        self.line = line
        self.effect = effect


class NftPiece(Piece):
    """Commands for the nft transaction of a stage, and their effects.

    ``joins``: it starts no transaction by itself. Without another piece to join, it is a step of its own, one stage
    before the gates' end, which may fail alone.
    """

    __slots__ = ("commands", "effects", "joins")

    def __init__(self, stage: int, commands: Sequence[str], effects: Sequence[Effect], *, joins: bool = False) -> None:
        super().__init__(stage)
        self.commands = commands
        self.effects = effects
        self.joins = joins


class StepPiece(Piece):
    """A step that is ready as it is."""

    __slots__ = ("step",)

    def __init__(self, stage: int, step: Step) -> None:
        super().__init__(stage)
        self.step = step
