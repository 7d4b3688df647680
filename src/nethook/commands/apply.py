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
from nethook.kernel.routes import ROUTES
from nethook.lock import Locked, last_run, take_missed
from nethook.reconcile import Outcome, reconcile
from nethook.terminal import can_ask, confirm, show_first_problems, show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.config import Configuration

MOST_SHOWN = 5
ATTEMPTS = 10
"""One that finds another run in between has changed nothing, and events come one by one."""


HIDDEN = "{} of {} are in force, and a file that comes before it has no lines for them. Withdraw them?"


def run(options: Namespace) -> int:
    """Apply, unless a line is wrong and the others are not to be applied without it.

    The files are read and libvirt is asked first, then the lock is taken. If another run came between, it may have
    known better.
    """
    require_root("change routes and rules")
    failed: Outcome | None = None
    nothing = "nothing to do"
    told: list[str] = []
    withdraws_hidden: bool | None = options.yes or None
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
                "nethook: nothing was changed, because of these mistakes; correct them, or use --keep-going",
                file=sys.stderr,
            )
            return DIFFERENT
        hidden = _in_force_by_hidden(configuration)
        if hidden and withdraws_hidden is None and can_ask():
            if not confirm(HIDDEN.format(_some(hidden), _files(configuration, hidden))):
                print("nethook: nothing was changed", file=sys.stderr)
                return DIFFERENT
            withdraws_hidden = True
        if withdraws_hidden:
            configuration, hidden = configuration.without_hidden(), []
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
                    if failed:
                        raise
                    failed = Outcome()
                    continue
            outcome.finish(tools)
            # Perhaps a network was about to stop, or an event has given up waiting: libvirt is asked once more.
            if take_missed() or (outcome.failures and not failed):
                if outcome.failures:
                    failed = Outcome()
                    failed.failures, outcome.failures = outcome.failures, []
                if outcome.done:
                    report(outcome, "apply", nothing)
                    nothing = ""
                continue
            status = report(outcome, "apply", nothing)
            mistakes = now.mistakes(outcome.refused)
            show_problems(mistakes, sys.stderr)
            now.say_what_is_odd()
            if hidden:
                what = (
                    f"{_some(hidden)} of {_files(configuration, hidden)} stay in force, although no file that is read"
                )
                print(f"nethook: {what} has them; to withdraw them: nethook apply --yes", file=sys.stderr)
            return DIFFERENT if mistakes or hidden else status
    if failed and failed.failures:
        report(failed, "apply", "")
    changed = "" if nothing == "" else "; nothing was changed"
    raise NethookError(f"other runs keep coming between{changed}; try again")


def _in_force_by_hidden(configuration: Configuration) -> list[str]:
    """Return the prefixes in force that only files have which are not read."""
    if not configuration.hidden:
        return []
    protocol = configuration.settings.route_protocol
    routes = ROUTES.read(limited_tools().start(ROUTES.read_calls(protocol))(), protocol)
    return sorted({route[0] for route in routes} & configuration.hidden.keys())


def _some(prefixes: Sequence[str]) -> str:
    shown = ", ".join(prefixes[:MOST_SHOWN])
    return f"{shown} and {len(prefixes) - MOST_SHOWN} more" if len(prefixes) > MOST_SHOWN else shown


def _files(configuration: Configuration, prefixes: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(configuration.hidden[prefix].place.file for prefix in prefixes))
