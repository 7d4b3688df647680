"""Tables for people: with ``rich`` on a terminal that has it, as aligned plain text everywhere else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from nethook.terminal import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, str]
    """What is in each column, by its heading."""

STYLES = {"routed": "green", "waiting": "yellow", "unknown": "yellow", "blocked": "red", "not applied": "red"}
GAP = "  "


class Column:
    """A column: its heading; aligned to the right or not; of states, which have colours, or not."""

    def __init__(self, heading: str, *, right: bool = False, is_state: bool = False) -> None:
        self.heading = heading
        self.right = right
        self.is_state = is_state

    def width(self, rows: Sequence[Row]) -> int:
        """What it takes on a terminal."""
        return max(map(columns_of, (self.heading, *(row[self.heading] for row in rows))))

    def aligned(self, cell: str, width: int) -> str:
        """The cell with as many spaces as it lacks."""
        spaces = " " * (width - columns_of(cell))
        return spaces + cell if self.right else cell + spaces


def fitting(columns: Sequence[Column], rows: Sequence[Row], width: int, expendable: Sequence[str]) -> list[Column]:
    """As many columns as fit a terminal; what is ``expendable``, by heading, goes in that order."""
    widths = {column.heading: column.width(rows) + len(GAP) for column in columns}
    room = width + len(GAP)
    for heading in expendable:
        if sum(widths.values()) <= room:
            break
        widths.pop(heading, None)
    return [column for column in columns if column.heading in widths]


def table_lines(columns: Sequence[Column], rows: Sequence[Row], *, coloured: bool = False) -> list[str]:
    """The headings, and a line for each row, whatever its width."""
    if coloured:
        try:
            return _rich(columns, rows)
        except ImportError:
            pass
    return _plain(columns, rows)


def _plain(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    headings = {column.heading: column.heading for column in columns}
    widths = [column.width(rows) for column in columns]
    return [
        GAP.join(column.aligned(row[column.heading], width) for column, width in zip(columns, widths)).rstrip()
        for row in (headings, *rows)
    ]


def _rich(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    from rich.console import Console  # noqa: PLC0415 - it may be missing, and takes its time
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0))
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
    for row in rows:
        cells = ((row[column.heading], column.is_state) for column in columns)
        table.add_row(*(Text(cell, STYLES.get(cell, "") if is_state else "") for cell, is_state in cells))
    output = io.StringIO()
    width = sum(column.width(rows) + len(GAP) for column in columns)
    Console(file=output, width=width, force_terminal=True, legacy_windows=False, color_system="standard").print(table)
    return [line.rstrip() for line in output.getvalue().rstrip("\n").split("\n")]
