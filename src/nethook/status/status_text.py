"""The overview as text: a table of the lines, with counts or with rates, and below it what else there is to know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config.text import one_line
from nethook.status.traffic_text import COUNTS, human
from nethook.terminal import folded
from nethook.terminal.table import Column, fitting, table_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nethook.config.text import Place
    from nethook.status.line_states import LineState
    from nethook.status.overview import Overview
    from nethook.status.traffic_text import Notation
    from nethook.terminal.table import Row

COLUMNS = (
    Column("ADDRESS"),
    Column("STATE", is_state=True),
    Column("NETWORK"),
    Column("BRIDGE"),
    Column("GUEST"),
    Column("NIC"),
    Column("IN", right=True),
    Column("OUT", right=True),
    Column("SPOOFED", right=True),
    Column("LINE", right=True),
)
OF_BOUND = {"GUEST", "NIC", "SPOOFED"}
"""These are there where a line is bound."""
EXPENDABLE = ("BRIDGE", "NIC", "GUEST", "LINE", "SPOOFED", "NETWORK", "OUT", "IN", "STATE")
"""What is left out of a narrow terminal, in this order. An address never is, nor folded: it is there to be copied."""
REASON = Column("")
INDENT = 4


def status_text(found: Overview, width: int | None, notation: Notation = COUNTS, *, coloured: bool = False) -> str:
    """Return the text; ``width`` is that of the terminal, None for text that programs may read."""
    table, said = _lines(found.lines, width, notation, coloured=coloured) if found.lines else ("", [])
    if found.gates:
        said.append("\n".join(["Gates in other firewalls:", *(f"  {where}: {state}" for where, state in found.gates)]))
    if found.differences:
        differences = "\n".join(f"  {one_line(str(effect))}" for effect in found.differences)
        mended = ", once you have corrected the mistakes in the files" if found.problems else ""
        said.append(f"Not in force yet; `nethook apply` changes this{mended}:\n{differences}")
    return "\n\n".join(filter(None, [table, *(folded(part, width) if width else part for part in said)]))


def _lines(
    lines: Sequence[LineState], width: int | None, notation: Notation, *, coloured: bool
) -> tuple[str, list[str]]:
    """Return the table, and sentences about its columns."""
    place = _Place(line.line.place.file for line in lines)
    is_bound = any(line.line.guest for line in lines)
    rows = [_row(line, place, notation) for line in lines]
    columns = [column for column in COLUMNS if is_bound or column.heading not in OF_BOUND]
    shown = fitting(columns, rows, width, EXPENDABLE) if width else [*columns, REASON]
    headings = {column.heading for column in shown}
    text = table_lines(shown, rows, coloured=coloured)
    if width:
        below = ["", *(_below(row, headings, width) for row in rows)]
        text = [line for pair in zip(text, below) for line in pair if line]
    legends = {
        "IN": f"IN, OUT: {notation.legend}.",
        "SPOOFED": "SPOOFED: packets of others that claimed it, dropped.",
        "LINE": f"LINE: {place.legend}",
    }
    said = [" ".join(legend for heading, legend in legends.items() if heading in headings)]
    missing = ", ".join(column.heading for column in columns if column.heading not in {*headings, "STATE"})
    if missing:
        said.append(f"Hidden, because the window is too narrow: {missing}.")
    return "\n".join(text), said


def _below(row: Row, headings: Collection[str], width: int) -> str:
    """Return the reason that stands below a line; '' if there is none."""
    said = filter(None, [*([] if "STATE" in headings else [row["STATE"]]), row[REASON.heading]])
    return folded(" " * INDENT + ": ".join(said), width).rstrip()


class _Place:
    """The short text of a line's place, and its explanation below the table."""

    def __init__(self, files: Iterable[str]) -> None:
        files = set(files)
        self._only = len(files) == 1
        self._folder = os.path.commonpath([os.path.dirname(file) for file in files])
        self.legend = f"of {next(iter(files))}" if self._only else f"below {self._folder}"

    def short(self, place: Place) -> str:
        return str(place.line) if self._only else f"{os.path.relpath(place.file, self._folder)}:{place.line}"


def _row(state: LineState, place: _Place, notation: Notation) -> Row:
    """Return the fields of a line."""
    return {
        "ADDRESS": state.line.prefix.text,
        "STATE": state.state,
        "NETWORK": one_line(state.line.network),
        "BRIDGE": one_line(state.bridge) or "-",
        "GUEST": one_line(state.line.guest or "-"),
        "NIC": state.mac or "-",
        "IN": notation.text(state.received) if state.received else "-",
        "OUT": notation.text(state.sent) if state.sent else "-",
        "SPOOFED": "-" if state.spoofed is None else human(state.spoofed),
        "LINE": place.short(state.line.place),
        REASON.heading: one_line(state.reason),
    }


def messages(found: Overview) -> Iterator[str]:
    """Yield the other messages."""
    if not found.lines and not found.problems:
        yield "the files have no lines: write ADDRESS NETWORK, a line each, see routed-ips(5)"
    if found.problems:
        refuses = "`nethook apply` refuses until you correct them, or with --keep-going leaves them out"
        yield f"mistakes in the files: {len(found.problems)}, `nethook check` shows them; {refuses}"
    if found.hidden:
        yield found.hidden
    if found.mistakes:
        yield f"wrong lines on this host: {len(found.mistakes)}; `nethook check` says what to write"
