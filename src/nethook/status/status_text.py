"""The overview as text: a table of the lines, with counts or with rates, and below it what else there is to know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config.text import one_line, some
from nethook.engine.applied import FILES_DIFFER
from nethook.placement.forwarded import FORWARDED
from nethook.status.line_states import BLOCKED, NOT_APPLIED, ROUTED, UNKNOWN, WAITING
from nethook.status.traffic_text import COUNTS, RATES, human
from nethook.terminal import folded
from nethook.terminal.table import Column, fitting, table_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nethook.config.text import Place
    from nethook.status.forward_states import ForwardState
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
    Column("ANNOUNCED"),
    Column("IN", right=True),
    Column("OUT", right=True),
    Column("SPOOFED", right=True),
    Column("LINE", right=True),
)
OF_BOUND = {"GUEST", "NIC", "SPOOFED"}
"""These are there where a line is bound."""
ANNOUNCED = "ANNOUNCED"
"""This is there where a routing daemon runs."""
EXPENDABLE = ("BRIDGE", "NIC", "GUEST", "LINE", "SPOOFED", "NETWORK", "OUT", "IN", "ANNOUNCED", "STATE")
"""What is left out of a narrow terminal, in this order. An address never is, nor folded: it is there to be copied."""
FORWARD_COLUMNS = (
    Column("FORWARD"),
    Column("STATE", is_state=True),
    Column("NETWORK"),
    Column("GUEST"),
    Column("TO"),
    Column("FROM"),
    Column("CONNECTIONS", right=True),
    Column("BYTES", right=True),
    Column("LINE", right=True),
)
FROM = "FROM"
"""This is there where only some may use a forward."""
MOST_SOURCES = 2
"""As many of them are shown."""
FORWARD_EXPENDABLE = ("LINE", "NETWORK", "BYTES", "CONNECTIONS", "GUEST", FROM, "TO", "STATE")
BY_URGENCY = (BLOCKED, NOT_APPLIED, WAITING, UNKNOWN)
OTHERS = (WAITING, BLOCKED, NOT_APPLIED, UNKNOWN)
REASON = Column("")
INDENT = 4


def status_text(found: Overview, width: int | None, notation: Notation = COUNTS, *, coloured: bool = False) -> str:
    """Return the text; ``width`` is that of the terminal, None for text that programs may read.

    What is wrong comes first.
    """
    lines, forwards = sorted(found.shown[0], key=_rank), sorted(found.shown[1], key=_rank)
    tables, said = [], []
    if lines:
        table, about = _lines(lines, width, notation, coloured=coloured)
        tables.append(table)
        said += about
    if forwards:
        table, about = _forwards(forwards, width, notation, coloured=coloured)
        tables.append(table)
        said += about
    if found.gates:
        said.append("\n".join(["Gates in other firewalls:", *(f"  {where}: {state}" for where, state in found.gates)]))
    if found.files_differ:
        said.append(f"{FILES_DIFFER[0].upper()}{FILES_DIFFER[1:]}.")
    if found.differences:
        differences = "\n".join(f"  {one_line(str(effect))}" for effect in found.differences)
        mended = ", once you have corrected the mistakes in the files" if found.problems else ""
        said.append(f"Not in force yet; `nethook apply` changes this{mended}:\n{differences}")
    told = {*(state.reason for state in lines), *(state.reason for state in forwards)}
    notes = (one_line(note.text) for note in found.notes if note.text not in told)
    first = "\n".join(filter(None, [summary(found), *notes]))
    first, *said = (folded(part, width) if width else part for part in (first, *said))
    return "\n\n".join(filter(None, [first, *tables, *said]))


def summary(found: Overview) -> str:
    """Return the sentence that says it all; '' without lines."""
    kinds: tuple[tuple[str, Sequence[LineState | ForwardState]], ...] = (
        (ROUTED, found.lines),
        (FORWARDED, found.forwards),
    )
    parts = [_counted(good, [each.state for each in lines]) for good, lines in kinds if lines]
    return f"{'; '.join(parts)}." if parts else ""


def result(lines: Sequence[LineState | ForwardState]) -> str:
    """Return the sentence in which a verb says what it has led to: how many of these lines are in which state."""
    if not lines:
        return "no lines"
    states = [each.state for each in lines]
    counts = ", ".join(f"{states.count(state):,} {state}" for state in (ROUTED, FORWARDED, *OTHERS) if state in states)
    why = "" if {*states} <= {ROUTED, FORWARDED} else "; to see why, run `nethook status`"
    return f"{len(lines):,} line{'s' * (len(lines) != 1)}: {counts}{why}"


def _counted(good: str, states: Sequence[str]) -> str:
    """Return how many lines are in each state."""
    others = (f", {states.count(state):,} {state}" for state in OTHERS if state in states)
    return f"{states.count(good):,} of {len(states):,} line{'s' * (len(states) != 1)} {good}{''.join(others)}"


def _rank(state: LineState | ForwardState) -> int:
    """Return where a line is listed: what is wrong comes first, then what may be."""
    if state.state in BY_URGENCY:
        return BY_URGENCY.index(state.state)
    return len(BY_URGENCY) + (not state.reason)


def _lines(
    lines: Sequence[LineState], width: int | None, notation: Notation, *, coloured: bool
) -> tuple[str, list[str]]:
    """Return the table, and sentences about its columns."""
    place = _Place(line.line.place.file for line in lines)
    is_bound = any(line.line.guest for line in lines)
    rows = [_row(line, place, notation) for line in lines]
    is_announced = any(line.announced for line in lines)
    left_out = {*(() if is_bound else OF_BOUND), *(() if is_announced else (ANNOUNCED,))}
    columns = [column for column in COLUMNS if column.heading not in left_out]
    legends = {
        "IN": f"IN, OUT: {notation.legend}.",
        ANNOUNCED: "ANNOUNCED: by the routing daemon of this host, or by another host.",
        "SPOOFED": "SPOOFED: packets of others that claimed it, dropped.",
        "LINE": f"LINE: {place.legend}",
    }
    return _table(columns, rows, EXPENDABLE, legends, width, coloured=coloured)


def _forwards(
    forwards: Sequence[ForwardState], width: int | None, notation: Notation, *, coloured: bool
) -> tuple[str, list[str]]:
    """Return the table of forwarded ports, and sentences about its columns."""
    place = _Place(each.line.place.file for each in forwards)
    rows = [_forward_row(each, place) for each in forwards]
    is_limited = any(each.line.sources for each in forwards)
    columns = [column for column in FORWARD_COLUMNS if is_limited or column.heading != FROM]
    legends = {
        FROM: "FROM: who may use it; '-' is everybody.",
        "CONNECTIONS": "CONNECTIONS: those that have come since the guest was plugged in.",
        "BYTES": f"BYTES: {'per second, ' * (notation is RATES)}in both directions.",
        "LINE": f"LINE: {place.legend}",
    }
    return _table(columns, rows, FORWARD_EXPENDABLE, legends, width, coloured=coloured)


def _table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    expendable: Sequence[str],
    legends: Mapping[str, str],
    width: int | None,
    *,
    coloured: bool,
) -> tuple[str, list[str]]:
    """Return the table, as much of it as fits, and sentences about its columns: ``legends`` by heading."""
    shown = fitting(columns, rows, width, expendable) if width else [*columns, REASON]
    headings = {column.heading for column in shown}
    text = table_lines(shown, rows, coloured=coloured)
    if width:
        below = ["", *(_below(row, headings, width) for row in rows)]
        text = [line for pair in zip(text, below) for line in pair if line]
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
        ANNOUNCED: state.announced or "-",
        "IN": notation.text(state.received) if state.received else "-",
        "OUT": notation.text(state.sent) if state.sent else "-",
        "SPOOFED": "-" if state.spoofed is None else human(state.spoofed),
        "LINE": place.short(state.line.place),
        REASON.heading: one_line(state.reason),
    }


def _forward_row(state: ForwardState, place: _Place) -> Row:
    """Return the fields of a line of forwarded-ports."""
    return {
        "FORWARD": state.line.text,
        "STATE": state.state,
        "NETWORK": one_line(state.line.network),
        "GUEST": one_line(state.line.guest or "-"),
        "TO": state.line.text_at(state.target) if state.target else "-",
        FROM: some([source.text for source in state.line.sources], MOST_SOURCES) or "-",
        "CONNECTIONS": "-" if state.connections is None else human(state.connections),
        "BYTES": "-" if state.bytes is None else f"{human(state.bytes)}B",
        "LINE": place.short(state.line.place),
        REASON.heading: one_line(state.reason),
    }


def messages(found: Overview) -> Iterator[str]:
    """Yield the other messages."""
    if not found.lines and not found.forwards and not found.problems:
        yield "the files have no lines: write ADDRESS NETWORK, a line each, see routed-ips(5) and forwarded-ports(5)"
    if found.problems:
        refuses = "`nethook apply` refuses until you correct them, or with --keep-going leaves them out"
        count = sum(problem.mistakes for problem in found.problems)
        yield f"mistakes in the files: {count:,}, `nethook check` shows them; {refuses}"
    yield from found.ignored
    if found.hidden:
        yield found.hidden
    if found.mistakes:
        yield f"wrong lines on this host: {len(found.mistakes)}; `nethook check` says what to write"
    yield from found.failures
