"""A piece: one change that a part or gate wants, and its stage. The engine puts pieces together into steps.

The stages are the one place that says what comes before what. A packet must never be routed to where it is not let in.
So routes (and other objects) that go are deleted first, then one nft transaction changes what is accepted, then the
gates of other tools open, and new objects come last. An object that changes is deleted right before it is added again.
Objects of lines with ``guest=`` come behind another transaction, which keeps others from their addresses: an nft that
cannot do that costs these lines and no other.

Where the mark bit changes, the first transaction gives packets both bits. When all gates are open for the new one, the
gates for the former one are closed, and a last transaction ends it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.parts.part import Objects
    from nethook.steps.effect import Effect
    from nethook.steps.step import Step


WITHDRAW = 0
"""Objects that go, those of the last part first."""
SWITCH_OFF = 1
CLASSIFY = 2
"""One nft transaction: gates in libvirt's tables, and our table for routed packets."""
GATES = 3
"""Gates that other tools than nft open and close."""
ARP = 4
SWITCH = 5
"""Settings of devices that new objects need."""
PLACE = 6
"""New objects, but for those that wait for binding."""
BIND = 7
"""The nft transaction that keeps addresses to their guests."""
PLACE_BOUND = 8
FLOWS = 9
"""Connections of addresses that moved, without the lock."""
SETTLE = 10
"""Only if nothing failed before: gates for a former mark bit, and what release 0.6 left."""
LAST = 11
"""Our tables, when everything goes, and only if nothing failed: they keep foreign marks from passing a gate."""
STAGES = range(LAST + 1)


class Piece:
    """One change, at this stage."""

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
