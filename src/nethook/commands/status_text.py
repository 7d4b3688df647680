"""The overview as text: a table of the lines, with counts or with rates, and below it what else there is to know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config.problem import one_line
from nethook.terminal.table import Column, table_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nethook.commands.line_states import LineState
    from nethook.commands.overview import Overview
    from nethook.config.problem import Place
    from nethook.kernel.counters import Traffic

UNITS = ("", "k", "M", "G", "T", "P", "E")
STEP = 1000

WHERE = (
    Column("ADDRESS", wraps=True),
    Column("STATE", is_state=True),
    Column("NETWORK", wraps=True),
    Column("BRIDGE"),
)
BOUND = (Column("GUEST", wraps=True), Column("NIC"))
TRAFFIC = (Column("IN", right=True), Column("OUT", right=True))
SPOOFED = (Column("SPOOFED", right=True),)
REST = (Column("LINE", right=True), Column("", wraps=True))


def status_text(found: Overview, width: int | None, traffic: Callable[[Traffic], str] | None = None) -> str:
    """The text; ``width`` as ``table_text`` takes it, ``traffic`` writes what is shown of a counter."""
    parts = []
    if found.lines:
        place = _Place(line.line.place.file for line in found.lines)
        is_bound = any(line.line.guest for line in found.lines)
        columns = WHERE + BOUND * is_bound + TRAFFIC + SPOOFED * is_bound + REST
        rows = [_row(line, place, traffic or counted, is_bound=is_bound) for line in found.lines]
        spoofed = " SPOOFED: packets of others that claimed it, dropped." if is_bound else ""
        parts += [table_text(columns, rows, width), f"IN, OUT: packets, bytes.{spoofed} LINE: {place.legend}"]
    if found.gates:
        parts.append("\n".join(["Gates in other firewalls:", *(f"  {where}: {state}" for where, state in found.gates)]))
    if found.differences:
        differences = "\n".join(f"  {one_line(str(effect))}" for effect in found.differences)
        mended = ", once the mistakes in the files are mended" if found.problems else ""
        parts.append(f"The kernel is not as it should be; `nethook apply` changes this{mended}:\n{differences}")
    return "\n\n".join(parts)


class _Place:
    """How a line's place is written shortly, and what has to be said of that below the table."""

    def __init__(self, files: Iterable[str]) -> None:
        files = set(files)
        self._only = len(files) == 1
        self._folder = os.path.commonpath([os.path.dirname(file) for file in files])
        self.legend = f"of {next(iter(files))}" if self._only else f"below {self._folder}"

    def short(self, place: Place) -> str:
        return str(place.line) if self._only else f"{os.path.relpath(place.file, self._folder)}:{place.line}"


def _row(state: LineState, place: _Place, traffic: Callable[[Traffic], str], *, is_bound: bool) -> list[str]:
    """The fields of a line; ``is_bound``: those of bound lines are among them."""
    return [
        state.line.prefix.text,
        state.state,
        one_line(state.line.network),
        one_line(state.bridge) or "-",
        *([one_line(state.line.guest or "-"), state.mac or "-"] if is_bound else []),
        traffic(state.received) if state.received else "-",
        traffic(state.sent) if state.sent else "-",
        *(["-" if state.spoofed is None else human(state.spoofed)] if is_bound else []),
        place.short(state.line.place),
        one_line(state.reason),
    ]


def counted(traffic: Traffic) -> str:
    """Packets and bytes since the address is routed."""
    return f"{human(traffic.packets)} {human(traffic.bytes)}B"


def human(number: float) -> str:
    """A number in at most four characters and a unit."""
    for unit in UNITS[:-1]:
        if number < STEP:
            return f"{number:.1f}{unit}" if unit and number < 10 else f"{number:.0f}{unit}"
        number /= STEP
    return f"{number:.0f}{UNITS[-1]}"


def messages(found: Overview) -> Iterator[str]:
    """What has to be said besides."""
    if not found.lines and not found.problems:
        yield "the files have no lines: write ADDRESS NETWORK, a line each, see routed-ips(5)"
    if found.problems:
        refuses = "`nethook apply` refuses until they are mended, or with --keep-going leaves them out"
        yield f"mistakes in the files: {len(found.problems)}, `nethook check` shows them; {refuses}"
