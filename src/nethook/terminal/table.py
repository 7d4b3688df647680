"""Tables for people: aligned columns, with coloured states on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.terminal import columns_of, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, str]
    """The text of each column, by its heading."""

STYLES = {
    "routed": "green",
    "forwarded": "green",
    "waiting": "yellow",
    "unknown": "yellow",
    "blocked": "red",
    "not applied": "red",
}
GAP = "  "


class Column:
    """A column: its heading, whether it is aligned to the right, and whether it has states, which are coloured."""

    def __init__(self, heading: str, *, right: bool = False, is_state: bool = False) -> None:
        self.heading = heading
        self.right = right
        self.is_state = is_state

    def width(self, rows: Sequence[Row]) -> int:
        """Return the width of the column on a terminal."""
        return max(map(columns_of, (self.heading, *(row[self.heading] for row in rows))))

    def aligned(self, cell: str, width: int) -> str:
        """Return the cell, filled with spaces to this width."""
        spaces = " " * (width - columns_of(cell))
        return spaces + cell if self.right else cell + spaces


def fitting(columns: Sequence[Column], rows: Sequence[Row], width: int, expendable: Sequence[str]) -> list[Column]:
    """Return the columns that fit a terminal; those with an ``expendable`` heading are left out, in that order."""
    widths = {column.heading: column.width(rows) + len(GAP) for column in columns}
    room = width + len(GAP)
    for heading in expendable:
        if sum(widths.values()) <= room:
            break
        widths.pop(heading, None)
    return [column for column in columns if column.heading in widths]


def table_lines(columns: Sequence[Column], rows: Sequence[Row], *, coloured: bool = False) -> list[str]:
    """Return the lines of the table, headings first, whatever their width; headings and states may be coloured."""
    widths = [column.width(rows) for column in columns]
    headings = {column.heading: column.heading for column in columns}
    first, *others = (
        [(column, column.aligned(row[column.heading], width)) for column, width in zip(columns, widths)]
        for row in (headings, *rows)
    )
    heading = GAP.join(cell for _, cell in first).rstrip()
    lines = [[_painted(cell) if coloured and column.is_state else cell for column, cell in row] for row in others]
    return [escaped(heading, "bold") if coloured else heading, *(GAP.join(line).rstrip() for line in lines)]


def _painted(cell: str) -> str:
    """Return a state in its colour; the spaces after it stay as they are."""
    state = cell.rstrip()
    colour = STYLES.get(state)
    return escaped(state, colour) + cell[len(state) :] if colour else cell
