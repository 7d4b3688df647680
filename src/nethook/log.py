"""Where a hook says what it did: syslog, identifier ``nethook``."""

from __future__ import annotations

import syslog

from nethook.config.problem import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.problem import Problem

MAX_LINES = 1000
"""More lines of one run than this are counted, not written: the journal would drop what comes behind them."""


MOST_PROBLEMS = 10
"""Mistakes of the files that are logged, each at every event until somebody has corrected it."""


def open_log() -> None:
    """Must be called before anything is logged."""
    syslog.openlog("nethook", syslog.LOG_PID, syslog.LOG_DAEMON)


def info(lines: Iterable[str]) -> None:
    """What was done."""
    _write(syslog.LOG_INFO, list(lines))


def errors(lines: Iterable[str]) -> None:
    """What could not be done, or is wrong."""
    _write(syslog.LOG_ERR, list(lines))


def problems(found: Sequence[Problem]) -> None:
    """Log the first mistakes of the files, and how many more there are: every event would log them all again."""
    errors(str(problem) for problem in found[:MOST_PROBLEMS])
    more = sum(problem.mistakes for problem in found[MOST_PROBLEMS:])
    if more:
        errors([f"{more:,} more mistakes in the files: run `nethook check`"])


def _write(priority: int, lines: list[str]) -> None:
    for line in lines[:MAX_LINES]:
        syslog.syslog(priority, one_line(line))
    if len(lines) > MAX_LINES:
        syslog.syslog(priority, f"… and {len(lines) - MAX_LINES} more such lines")
