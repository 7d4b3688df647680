"""The changes of a run, as values: effects, pieces and steps.

An effect is one line of ``plan``, for people and for programs. A piece is one change that a part or gate wants, and its
stage. A step is one process that changes the kernel, and its effects: the engine puts pieces together into steps.

The stages are the one place that says what comes before what. A packet must never be routed to where it is not let in.
So routes (and other objects) that go are deleted first, then one nft transaction changes what is accepted, then the
gates of other tools open, and new objects come last. An object that changes is deleted right before it is added again.
Objects of lines with ``guest=`` come behind another transaction, which keeps others from their addresses: an nft that
cannot do that costs these lines and no other.

Where the mark bit changes, the first transaction gives packets both bits. When all gates are open for the new one, the
gates for the former one are closed, and a last transaction ends it.
"""

from __future__ import annotations

from nethook.host.process import Call, batch, refusals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from nethook.config.text import Entry
    from nethook.host import Host
    from nethook.parts.part import Objects

ADD: Final = "+"
REMOVE: Final = "-"
REPLACE: Final = "~"

WORDS: dict[str, str] = {}
"""The text of each kind of effect, with places for prefix, bridge and ``to``. Each part enters its own.

A kind without an entry has only its note.
"""


class Effect:
    """One thing that is added, removed or replaced.

    ``kind`` is one of WORDS, or table, arp, gate or rule (of release 0.6, or for a former mark bit). ``prefix`` and
    ``bridge`` are '' where they have no meaning, and so is ``to``: the next hop of a route, the MAC of a NIC, an
    uplink, one of our tables. ``line`` is the line of the configuration that wants it, ``note`` what else has to be
    said.
    """

    __slots__ = ("bridge", "kind", "line", "note", "prefix", "sign", "to")

    def __init__(
        self,
        sign: str,
        kind: str,
        *,
        prefix: str = "",
        bridge: str = "",
        to: str = "",
        line: Entry | None = None,
        note: str = "",
    ) -> None:
        self.sign = sign
        self.kind = kind
        self.prefix = prefix
        self.bridge = bridge
        self.to = to
        self.line = line
        self.note = note

    def __str__(self) -> str:
        return f"{self.sign} {self.text}"

    @property
    def text(self) -> str:
        """The effect for people, without the sign."""
        words = WORDS.get(self.kind)
        if words is None:
            return f"{self.kind} {self.note}"
        text = words.format(prefix=self.prefix, bridge=self.bridge, to=self.to)
        if self.kind == "route" and self.to:
            text += f" via {self.to}"
        if self.note:
            text += f", {self.note}"
        if self.line:
            guest = f", guest {self.line.guest}" if self.line.guest else ""
            place = self.line.place
            text += f" ({self.line.network}{guest}), {place.file}:{place.line}"
        return text


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
FORWARD = 9
"""The nft transactions that lead ports and addresses of this host to guests."""
FLOWS = 10
"""Connections of addresses that moved, without the lock."""
SETTLE = 11
"""Only if nothing failed before: gates for a former mark bit, and what release 0.6 left."""
LAST = 12
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


class Step:
    """One process to run, all of whose work is done or none; ``effects`` has each change that it makes."""

    def __init__(
        self, call: Call, effects: Sequence[Effect], *, ends_run: bool = False, needs_all: bool = False
    ) -> None:
        self.call = call
        self.effects = list(effects)
        self.ends_run = ends_run
        """If this step fails, stop the run."""
        self.needs_all = needs_all
        """Run this step only if nothing failed before."""

    @property
    def calls(self) -> list[Call]:
        """All calls that it runs, for people to read."""
        return [self.call]

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run it. Returns the effects that it had, and a sentence for each failure."""
        result = host.run(self.call)
        return (self.effects, []) if result.status == 0 else ([], [result.failure])


def nft_call(commands: Sequence[str]) -> Call:
    """Return the call that runs these nft commands as one transaction."""
    return Call(("nft", "-f", "-"), "\n".join(commands) + "\n")


class BatchStep(Step):
    """Objects changed by one process, a line for each. If the kernel refuses one, the others still change."""

    def __init__(self, pieces: Sequence[IpPiece], family_option: str = "") -> None:
        """Change the objects in this order."""
        self._pieces = pieces
        super().__init__(batch([piece.line for piece in pieces], family_option), [piece.effect for piece in pieces])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run it. An object that somebody else has added or deleted meanwhile is neither an effect nor a failure."""
        result = host.run(self.call)
        refused = refusals(result)
        if result.status != 0 and not refused:
            return [], [result.failure]
        for part in dict.fromkeys(piece.part for piece in self._pieces):
            part.added(
                [
                    piece.key
                    for number, piece in enumerate(self._pieces)
                    if piece.part is part and piece.effect.sign != REMOVE and number not in refused
                ],
                host,
            )
        failures: dict[tuple[str, str], list[str]] = {}
        for number, said in sorted(refused.items()):
            piece = self._pieces[number]
            prefix, device, *rest = piece.key
            if piece.effect.sign != REMOVE:
                verb, why = "add", piece.part.why_not_added(piece.key, said, host)
            else:
                verb, why = "delete", "" if said.startswith(piece.part.already_gone) else said
            if why:
                where = device or "".join(rest)  # the uplink of a proxy entry; a fallback route has none
                what = f"{piece.part.name} {prefix} dev {where}" if where else f"{piece.part.name} {prefix}"
                failures.setdefault((verb, why), []).append(what)
        said_once = [
            f"cannot {verb} {first}{f' and {len(more)} more' if more else ''}: {why}"
            for (verb, why), (first, *more) in failures.items()
        ]
        return [effect for number, effect in enumerate(self.effects) if number not in refused], said_once
