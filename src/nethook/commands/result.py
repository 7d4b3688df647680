"""The result of a verb: its exit status, and the report of what it has changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook import log
from nethook.config.problem import one_line
from nethook.terminal import painted

if TYPE_CHECKING:
    from nethook.engine.run import Outcome

OK = 0
"""Done, nothing to do, or nothing wrong."""

DIFFERENT = 1
"""check: mistakes; plan: changes; status: a line is not in force; other verbs: refused, or a part has failed."""

UNKNOWN = 2
"""Something could not be read, or the command line is wrong; nothing was changed."""

DEFECT = 70
"""A defect of this program (EX_SOFTWARE of sysexits.h)."""

INTERRUPTED = 130
"""Ctrl-C, as shells report it: 128 and the number of the signal."""


def report(outcome: Outcome, verb: str, nothing: str) -> int:
    """Print and log what was done and what failed, and return the exit status.

    If nothing was done and nothing failed, print the sentence ``nothing``, unless it is empty.
    """
    log.open_log()  # first, because printing may fail when nobody reads
    log.info(f"{effect} [{verb}]" for effect in outcome.done)
    log.errors(f"{verb}: {failure}" for failure in outcome.failures)
    for effect in outcome.done:
        print(painted(effect, sys.stdout))
    for failure in outcome.failures:
        print(f"nethook: {one_line(failure)}", file=sys.stderr)
    if nothing and not outcome.done and not outcome.failures:
        print(f"nethook: {nothing}", file=sys.stderr)
    return DIFFERENT if outcome.failures else OK
