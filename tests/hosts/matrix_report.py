"""The matrix as a table: printed at the end of a run, and written to test-logs/matrix.txt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """The verdict of one cell."""

    host: str
    disturbance: str
    mode: str
    kind: str
    good: bool
    seconds: float
    """How long the disturbance and the look at all cells of its host took together."""


REPORT: list[Row] = []


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
    good = sum(row.good for row in rows)
    return "\n".join([*lines, f"{good} of {len(rows)} cells as they should be"])
