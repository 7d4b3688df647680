"""Where a hook says what it did: syslog, identifier ``nethook``."""

from __future__ import annotations

import syslog

from nethook.config.problem import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINES = 1000
"""More lines of one run than this are counted, not written: the journal would drop what comes behind them."""


def open_log() -> None:
    """Must be called before anything is logged."""
    syslog.openlog("nethook", syslog.LOG_PID, syslog.LOG_DAEMON)


def info(lines: Iterable[str]) -> None:
    """What was done."""
    _write(syslog.LOG_INFO, list(lines))


def errors(lines: Iterable[str]) -> None:
    """What could not be done, or is wrong."""
    _write(syslog.LOG_ERR, list(lines))


def _write(priority: int, lines: list[str]) -> None:
    for line in lines[:MAX_LINES]:
        syslog.syslog(priority, one_line(line))
    if len(lines) > MAX_LINES:
        syslog.syslog(priority, f"… and {len(lines) - MAX_LINES} more such lines")
