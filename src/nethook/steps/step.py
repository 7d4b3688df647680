"""A step: one process that changes the kernel, and its effects."""

from __future__ import annotations

from nethook.host.ip import batch, refusals
from nethook.host.process import Call
from nethook.steps.effect import REMOVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.steps.effect import Effect
    from nethook.steps.piece import IpPiece


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
