"""The overview as text: a table of the lines, with counts or with rates, and below it what else there is to know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config.problem import one_line
from nethook.table_text import Column, table_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nethook.commands.line_states import LineState
    from nethook.commands.overview import Overview
    from nethook.kernel.counters import Traffic

UNITS = ("", "k", "M", "G", "T", "P", "E")
STEP = 1000

COUNTED = (Column("IN", right=True), Column("OUT", right=True))


def status_text(found: Overview, width: int | None, traffic: Callable[[Traffic], str] | None = None) -> str:
    """The text; ``width`` as ``table_text`` takes it, ``traffic`` writes what is shown of a counter."""
    folder = os.path.commonpath([os.path.dirname(line.line.place.file) for line in found.lines] or ["/"])
    columns = (
        Column("ADDRESS"),
        Column("NETWORK"),
        Column("BRIDGE"),
        *COUNTED,
        Column("LINE"),
        Column("STATE", is_state=True),
    )
    rows = [_row(line, folder, traffic or counted) for line in found.lines]
    parts = []
    if rows:
        parts.append(f"{table_text(columns, rows, width)}\n\n{_legend(folder)}")
    if found.gates:
        parts.append("\n".join(["Gates in other firewalls:", *(f"  {where}: {state}" for where, state in found.gates)]))
    if found.leftovers:
        leftovers = "\n".join(f"  {effect}" for effect in found.leftovers)
        parts.append(f"In the kernel, and not as the files say; `nethook apply` changes it:\n{leftovers}")
    return "\n\n".join(parts)


def _legend(folder: str) -> str:
    return f"IN, OUT: packets, bytes. LINE: in {folder}."


def _row(state: LineState, folder: str, traffic: Callable[[Traffic], str]) -> list[str]:
    place = state.line.place
    return [
        state.line.prefix.text,
        one_line(state.line.network),
        one_line(state.bridge) or "-",
        traffic(state.received) if state.received else "-",
        traffic(state.sent) if state.sent else "-",
        f"{os.path.relpath(place.file, folder)}:{place.line}",
        one_line(str(state)),
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
        yield f"mistakes in the files: {len(found.problems)}, `nethook check` shows them"
