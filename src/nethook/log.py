"""The log of runs: syslog, with the identifier ``nethook``."""

from __future__ import annotations

import syslog

from nethook.config.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.text import Problem
    from nethook.host import Host

MAX_LINES = 1000
"""No more lines of one run are written, only counted, because the journal would drop those that follow."""


MOST_LOGGED = 10
"""Mistakes in the files are logged again at every event, so only this many."""


def info(lines: Iterable[str], host: Host) -> None:
    """Log what was done."""
    _write(syslog.LOG_INFO, list(lines), host)


def errors(lines: Iterable[str], host: Host) -> None:
    """Log what is wrong or could not be done."""
    _write(syslog.LOG_ERR, list(lines), host)


def problems(found: Sequence[Problem], host: Host) -> None:
    """Log the first mistakes in the files, and the number of the others."""
    errors((str(problem) for problem in found[:MOST_LOGGED]), host)
    more = sum(problem.mistakes for problem in found[MOST_LOGGED:])
    if more:
        errors([f"{more:,} more mistakes in the files: run `nethook check`"], host)


def where(error: BaseException) -> str:
    """Return the error and the last line of ours that it came through, without importing ``traceback``."""
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "?"
    return f"{type(error).__name__}: {error} ({place})"


def _write(priority: int, lines: list[str], host: Host) -> None:
    shown = [one_line(line) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(f"… and {len(lines) - MAX_LINES} more such lines")
    host.log(priority, shown)
