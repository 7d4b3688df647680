"""The report of what a verb has changed: on stdout, with failures on stderr, and all of it in syslog."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook import log
from nethook.config.text import one_line
from nethook.exit_status import DIFFERENT, OK
from nethook.host import Host
from nethook.terminal import painted

if TYPE_CHECKING:
    from nethook.engine.run import Outcome


def report(outcome: Outcome, verb: str, nothing: str, *, shows: bool = True) -> int:
    """Print and log what was done and what failed, and return the exit status.

    If nothing was done and nothing failed, print the sentence ``nothing``, unless it is empty. With ``shows`` off, what
    was done is not printed.
    """
    host = Host(0)
    # The log first, because printing may fail when nobody reads.
    log.info((f"{effect} [{verb}]" for effect in outcome.done), host)
    log.errors((f"{verb}: {failure}" for failure in outcome.failures), host)
    for effect in outcome.done if shows else ():
        print(painted(effect, sys.stdout))
    for failure in outcome.failures:
        print(f"nethook: {one_line(failure)}", file=sys.stderr)
    if nothing and not outcome.done and not outcome.failures:
        print(f"nethook: {nothing}", file=sys.stderr)
    return DIFFERENT if outcome.failures else OK
