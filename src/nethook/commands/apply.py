"""``nethook apply``: bring the kernel in line with the files and with libvirt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.commands.report import report
from nethook.config import load
from nethook.engine.cycle import cycle
from nethook.engine.situation import files_of, hidden_in_force, limited_host, require_root, situation, some, what_stays
from nethook.exit_status import DIFFERENT, OK
from nethook.parts.routes import to_guests
from nethook.terminal import can_ask, confirm, show_first_problems, show_problems

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.config import Configuration
    from nethook.engine.run import Outcome
    from nethook.engine.situation import Situation

HIDDEN = "{} of {} are in force, but another file comes first and has no lines for them. Withdraw them?"


def run(options: Namespace) -> int:
    """Apply the files, unless a line is wrong and --keep-going is not given."""
    require_root("change routes and rules")
    run_of = _Apply(options)
    found = cycle(run_of.ask, run_of.tell)
    if found is None:
        return DIFFERENT
    now, outcome = found
    mistakes = now.mistakes(outcome.refused)
    show_problems(mistakes, sys.stderr)
    now.say_what_is_odd()
    if run_of.hidden:
        print(f"nethook: {what_stays(now.configuration, run_of.hidden)}", file=sys.stderr)
    return DIFFERENT if mistakes or run_of.hidden else run_of.status


class _Apply:
    """One run. ``status`` is the last exit status; ``hidden`` are prefixes in force that only ignored files have."""

    def __init__(self, options: Namespace) -> None:
        self.status = OK
        self.hidden: list[str] = []
        self._options = options
        self._shown: list[str] = []
        self._nothing = "nothing to do"
        self._withdraws_hidden = bool(options.yes)

    def ask(self) -> Situation | None:
        """Read the files and ask libvirt. Return None to change nothing: a line is wrong, or the answer is no."""
        configuration = load(limited_host())
        if not self._is_right(configuration):
            return None
        self.hidden = [] if self._withdraws_hidden else _in_force_by_hidden(configuration)
        if self.hidden and can_ask():
            if not confirm(HIDDEN.format(some(self.hidden), files_of(configuration, self.hidden))):
                print("nethook: nothing was changed", file=sys.stderr)
                return None
            self._withdraws_hidden = True
            self.hidden = []
        if self._withdraws_hidden:
            configuration = configuration.without_hidden()
        return situation(configuration, self._options.networks)

    def tell(self, outcome: Outcome) -> None:
        """Print and log what was done."""
        self.status = report(outcome, "apply", self._nothing)
        self._nothing = ""

    def _is_right(self, configuration: Configuration) -> bool:
        """Show mistakes, once. Return whether to apply the right lines."""
        problems = [str(problem) for problem in configuration.problems]
        if problems != self._shown:
            show = show_first_problems if self._options.keep_going else show_problems
            show(configuration.problems, sys.stderr)
            self._shown = problems
        if problems and not self._options.keep_going:
            what = "nothing was changed because of these mistakes; correct them, or use --keep-going"
            print(f"nethook: {what}", file=sys.stderr)
            return False
        return True


def _in_force_by_hidden(configuration: Configuration) -> list[str]:
    """Return the prefixes in force that only ignored files have."""
    if not configuration.hidden:
        return []
    routes = limited_host().routes(configuration.settings.route_protocol)
    return hidden_in_force(configuration, to_guests(routes))
