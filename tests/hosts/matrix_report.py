"""The matrix as a table: printed at the end of a run, and written to test-logs/matrix.txt.

Its cells are properties of the tests' reports, which come together from all processes that run tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

CELL = "cell of the matrix"


class Row(NamedTuple):
    """The verdict of one cell."""

    host: str
    disturbance: str
    mode: str
    kind: str
    good: bool
    seconds: float
    """How long the disturbance and the look at all cells of its host took together."""
    late: str
    """What was still wrong when all others had settled, and then was not; '' for most."""


def rows(reports: Iterable[pytest.TestReport]) -> list[Row]:
    """The cells that these reports have."""
    return [
        Row(*value)
        for report in reports
        for name, value in report.user_properties
        if name == CELL and isinstance(value, list)
    ]


def table(rows: list[Row]) -> str:
    """One line for each host and disturbance, one column for each mode, one sign for each kind of routed IP."""
    modes = list(dict.fromkeys(row.mode for row in rows))
    kinds = list(dict.fromkeys(row.kind for row in rows))
    lines = [f"one sign each for {', '.join(kinds)}: + as it should be, ! not"]
    lines.append(f"{'host':22} {'disturbance':50} " + " ".join(f"{mode:8}" for mode in modes) + " seconds")
    for host, disturbance in dict.fromkeys((row.host, row.disturbance) for row in rows):
        here = [row for row in rows if (row.host, row.disturbance) == (host, disturbance)]
        signs = ("".join("+" if row.good else "!" for row in here if row.mode == mode) for mode in modes)
        columns = " ".join(f"{sign:8}" for sign in signs)
        lines.append(f"{host:22} {disturbance:50} {columns} {here[0].seconds:7.0f}")
        lines += [f"    settled late: {late}" for late in dict.fromkeys(row.late for row in here) if late]
    good = sum(row.good for row in rows)
    return "\n".join([*lines, f"{good} of {len(rows)} cells as they should be"])
