"""Where a hook says what it did: syslog, identifier ``nethook``."""

from __future__ import annotations

import syslog

from nethook.config.problem import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.problem import Problem
    from nethook.host.host import Host

MAX_LINES = 1000
"""More lines of one run than this are counted, not written: the journal would drop what comes behind them."""


MOST_PROBLEMS = 10
"""Mistakes of the files that are logged, each at every event until somebody has corrected it."""


def open_log() -> None:
    """Must be called before anything is logged."""
    syslog.openlog("nethook", syslog.LOG_PID, syslog.LOG_DAEMON)


def info(lines: Iterable[str], host: Host) -> None:
    """What was done."""
    _write(syslog.LOG_INFO, list(lines), host)


def errors(lines: Iterable[str], host: Host) -> None:
    """What could not be done, or is wrong."""
    _write(syslog.LOG_ERR, list(lines), host)


def problems(found: Sequence[Problem], host: Host) -> None:
    """Log the first mistakes of the files, and how many more there are: every event would log them all again."""
    errors((str(problem) for problem in found[:MOST_PROBLEMS]), host)
    more = sum(problem.mistakes for problem in found[MOST_PROBLEMS:])
    if more:
        errors([f"{more:,} more mistakes in the files: run `nethook check`"], host)


def _write(priority: int, lines: list[str], host: Host) -> None:
    shown = [one_line(line) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(f"… and {len(lines) - MAX_LINES} more such lines")
    host.log(priority, shown)
