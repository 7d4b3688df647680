"""The lines that somebody wants to see: those of addresses, networks and guests, and those in certain states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import excerpt
from nethook.errors import NethookError
from nethook.status.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.text import Entry
    from nethook.engine.situation import Asked
    from nethook.status.forward_states import ForwardState
    from nethook.status.line_states import LineState


class Selection:
    """The wanted lines: of these ``addresses``, ``networks`` and ``guests``; of each kind all, if it is empty."""

    def __init__(
        self, addresses: Sequence[Asked] = (), networks: Iterable[str] = (), guests: Iterable[str] = ()
    ) -> None:
        self._addresses = addresses
        self._networks = list(networks)
        self._guests = list(guests)

    def of(self, found: Overview) -> Overview:
        """Return the overview of these lines alone. NethookError if no line has one of these names."""
        if not (self._addresses or self._networks or self._guests):
            return found
        lines, forwards = self._about(found)
        for kind, names in (("network", self._networks), ("guest", self._guests)):
            for name in names:
                if all(getattr(each.line, kind) != name for each in found.all):
                    raise NethookError(f"no line of the files is for {kind} {excerpt(name)}{_wrong(found)}")
        lines = [state for state in lines if self._has(state.line)]
        forwards = [state for state in forwards if self._has(state.line)]
        texts = {*(state.line.prefix.text for state in lines), *(state.line.prefix.text for state in forwards)}
        networks = {*(state.line.network for state in lines), *(state.line.network for state in forwards)}
        problems = [  # wrong lines without a prefix are left out, because each of these prefixes has a line
            problem
            for problem in found.problems
            if problem.prefix and any(problem.prefix.overlaps(asked.prefix) for asked in self._addresses)
        ]
        return Overview(
            lines,
            problems,
            found.gates,
            mistakes=[each for each in found.mistakes if each.prefix and each.prefix.text in texts],
            forwards=forwards,
            failures=found.failures,
            files_differ=found.files_differ,
            notes=[note for note in found.notes if note.network in networks],
        )

    def _has(self, line: Entry) -> bool:
        return (not self._networks or line.network in self._networks) and (
            not self._guests or line.guest in self._guests
        )

    def _about(self, found: Overview) -> tuple[list[LineState], list[ForwardState]]:
        """Return the lines of the addresses: the one with the smallest prefix around each, or else those within it."""
        if not self._addresses:
            return list(found.lines), list(found.forwards)
        lines: dict[int, LineState] = {}
        forwards: dict[int, ForwardState] = {}
        for asked in self._addresses:
            prefix = asked.prefix
            around = [state for state in found.lines if prefix.lies_in(state.line.prefix)]
            within = [state for state in found.lines if state.line.prefix.lies_in(prefix)]
            of_it = [max(around, key=lambda state: state.line.prefix.length)] if around else within
            here = [state for state in found.forwards if asked.has(state.line)]
            if not of_it and not here:
                raise NethookError(_no_line(found, asked))
            lines.update((id(state), state) for state in of_it)
            forwards.update((id(state), state) for state in here)
        return list(lines.values()), list(forwards.values())


def in_states(found: Overview, states: Sequence[str]) -> Overview:
    """Return the overview with only the lines in these states; without any, as it is."""
    if not states:
        return found
    wanted = {state.replace("-", " ") for state in states}
    lines = [state for state in found.lines if state.state in wanted]
    return found.showing(lines, [state for state in found.forwards if state.state in wanted])


def _no_line(found: Overview, asked: Asked) -> str:
    """Return a sentence about a prefix without a line: where it may have one that is not read."""
    prefix = asked.prefix
    for line in found.unread:
        if prefix.lies_in(line.prefix):
            place = f"{line.place.file}:{line.place.line}"
            return f"no line that is read names {prefix}: {place} does, but another file comes before that one"
    around = "" if asked.ports else ", nor a prefix around it"
    return f"no line of the files names {asked.text}{around}{_wrong(found)}"


def _wrong(found: Overview) -> str:
    return "; but the files have mistakes, run nethook check" if found.problems else ""
