"""Tables for people: with ``rich`` on a terminal that has it, as aligned plain text everywhere else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES = {"routed": "green", "waiting": "yellow", "unknown": "yellow", "blocked": "red", "not applied": "red"}
GAP = "  "


class Column:
    """A column: its heading; aligned to the right or not; of states, which have colours; or of words that may wrap."""

    def __init__(self, heading: str, *, right: bool = False, is_state: bool = False, wraps: bool = False) -> None:
        self.heading = heading
        self.right = right
        self.is_state = is_state
        self.wraps = wraps


def table_text(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """The table, a line each; ``width`` in columns of a terminal that takes colours, None for plain text."""
    if width is not None:
        try:
            return _rich(columns, rows, width)
        except ImportError:
            pass
    return _plain(columns, rows)


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    cells = [[column.heading for column in columns], *rows]
    widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
    lines = (
        GAP.join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, column, width in zip(row, columns, widths)
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def _rich(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> str:
    from rich.console import Console  # noqa: PLC0415 - it may be missing, and takes its time
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0))
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            overflow="fold",
        )
    for row in rows:
        cells = (Text(cell, STYLES.get(cell, "") if column.is_state else "") for cell, column in zip(row, columns))
        table.add_row(*cells)
    output = io.StringIO()
    Console(file=output, width=width, force_terminal=True, legacy_windows=False, color_system="standard").print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().rstrip("\n").split("\n"))
