"""``nethook apply``: make the kernel what files and libvirt say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.commands.report import report
from nethook.commands.situation import limited_tools, require_root, situation
from nethook.commands.uninterrupted import uninterrupted
from nethook.config import load
from nethook.errors import NethookError, ReadError
from nethook.exit_status import DIFFERENT
from nethook.lock import Locked, last_run, take_missed
from nethook.reconcile import reconcile
from nethook.terminal import show_first_problems, show_problems

if TYPE_CHECKING:
    from argparse import Namespace

ATTEMPTS = 10
"""One that finds another run in between has changed nothing, and events come one by one."""


def run(options: Namespace) -> int:
    """Apply, unless a line is wrong and the others are not to be applied without it.

    The files are read and libvirt is asked first, then the lock is taken. If another run came between, it may have
    known better.
    """
    require_root("change routes and rules")
    has_failed = False
    nothing = "nothing to do"
    told: list[str] = []
    for _ in range(ATTEMPTS):
        take_missed()
        before = last_run()
        configuration = load()
        problems = [str(problem) for problem in configuration.problems]
        if problems != told:
            show = show_first_problems if options.keep_going else show_problems
            show(configuration.problems, sys.stderr)
            told = problems
        if problems and not options.keep_going:
            print(
                "nethook: nothing was changed, because of these mistakes; mend them, or use --keep-going",
                file=sys.stderr,
            )
            return DIFFERENT
        now = situation(configuration, options.networks)
        with uninterrupted():
            tools = limited_tools()
            with Locked(as_of=before) as lock:
                if not lock.is_current or not now.record(lock):
                    continue
                try:
                    outcome = reconcile(configuration, now.up, now.scope, tools, now.others)
                    outcome.failures += now.not_recorded
                except ReadError:
                    if has_failed:
                        raise
                    has_failed = True
                    continue
            outcome.finish(tools)
            # Perhaps a network was about to stop, or an event has given up waiting: libvirt is asked once more.
            if take_missed() or (outcome.failures and not has_failed):
                has_failed = has_failed or bool(outcome.failures)
                outcome.failures = []
                if outcome.done:
                    report(outcome, "apply", nothing)
                    nothing = ""
                continue
            status = report(outcome, "apply", nothing)
            mistakes = now.mistakes(outcome.refused)
            show_problems(mistakes, sys.stderr)
            now.say_what_is_odd()
            return DIFFERENT if mistakes else status
    raise NethookError("other runs keep coming between; nothing was changed, try again")
