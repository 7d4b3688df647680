"""``nethook apply``: bring the kernel in line with the files and with libvirt."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from nethook.commands.plan import as_json, problem_as_json
from nethook.commands.report import report
from nethook.config import load
from nethook.config.text import one_line
from nethook.engine.cycle import cycle
from nethook.engine.situation import hidden_in_force, limited_host, require_root, situation, what_stays, with_files
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.parts.routes import to_guests
from nethook.status.overview import overview
from nethook.status.status_text import result
from nethook.terminal import can_ask, confirm, show_first_problems, show_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.changes import Effect
    from nethook.config import Configuration
    from nethook.config.text import Problem
    from nethook.engine.run import Outcome
    from nethook.engine.situation import Situation

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""
HIDDEN = "{} are in force, but another file comes first and has no lines for them. Withdraw them?"


def run(options: Namespace) -> int:
    """Apply the files, unless a line is wrong and --keep-going is not given."""
    require_root("change routes and rules")
    status, answer = _applied(options)
    if options.json:
        print(json.dumps({**answer, "summary": _summary()}, indent=2))
    return status


def apply_all(*, shows: bool = True) -> tuple[int, dict[str, Any]]:
    """Apply the files as the verb does without options. Return the exit status, and what was done for programs.

    With ``shows`` off, what was done is not printed.
    """
    return _applied(Namespace(networks=[], keep_going=False, yes=False, force=False, json=not shows, verbose=False))


def _applied(options: Namespace) -> tuple[int, dict[str, Any]]:
    run_of = _Apply(options)
    found = cycle(run_of.ask, run_of.tell)
    if found is None:
        return DIFFERENT, run_of.as_json([])
    now, outcome = found
    mistakes = now.mistakes(outcome.refused)
    show_problems([*mistakes, *outcome.warnings], sys.stderr)
    now.say_what_is_odd()
    if run_of.hidden:
        print(f"nethook: {run_of.hidden}", file=sys.stderr)
    if not options.json:
        _print_result(options.networks)
    return DIFFERENT if mistakes or run_of.hidden else run_of.status, run_of.as_json(mistakes)


def _print_result(networks: Sequence[str]) -> None:
    """Print how many lines of these networks (none: of all) are in which state now."""
    try:
        found = overview()
    except NethookError as error:  # what was changed stays changed
        print(f"nethook: what is in force now is unknown: {one_line(str(error))}", file=sys.stderr)
        return
    print(result([each for each in found.all if not networks or each.line.network in networks]))


def _summary() -> dict[str, dict[str, int]] | None:
    """Return how many lines are in which state now; None if that is unknown."""
    try:
        return overview().summary
    except NethookError:
        return None


class _Apply:
    """One run. ``status`` is the last exit status; ``hidden`` tells which prefixes in force only ignored files have."""

    def __init__(self, options: Namespace) -> None:
        self.status = OK
        self.hidden = ""
        self._options = options
        self._shown: list[str] = []
        self._problems: list[Problem] = []
        self._done: list[Effect] = []
        self._failures: list[str] = []
        self._nothing = "nothing to do"
        self._withdraws_hidden = bool(options.yes)

    def ask(self) -> Situation | None:
        """Read the files and ask libvirt. Return None to change nothing: a line is wrong, or the answer is no."""
        configuration = load(limited_host())
        if not self._is_right(configuration):
            return None
        hidden = [] if self._withdraws_hidden else _in_force_by_hidden(configuration)
        self.hidden = what_stays(configuration, hidden) if hidden else ""
        if hidden and can_ask():
            if not confirm(HIDDEN.format(with_files(configuration, hidden))):
                print("nethook: nothing was changed", file=sys.stderr)
                return None
            self._withdraws_hidden = True
            self.hidden = ""
        if self._withdraws_hidden:
            configuration = configuration.without_hidden()
        return situation(configuration, self._options.networks, forces=self._options.force)

    def tell(self, outcome: Outcome) -> None:
        """Print and log what was done."""
        self.status = report(outcome, "apply", self._nothing, shows=self._options.verbose)
        self._nothing = ""
        self._done += outcome.done
        self._failures += outcome.failures

    def as_json(self, mistakes: Sequence[Problem]) -> dict[str, Any]:
        """Return what was done for programs; ``mistakes`` are those that only this host tells."""
        return {
            "version": VERSION,
            "changed": bool(self._done),
            "changes": [as_json(effect) for effect in self._done],
            "failures": self._failures,
            "problems": [problem_as_json(problem) for problem in (*self._problems, *mistakes)],
            "hidden": self.hidden or None,
        }

    def _is_right(self, configuration: Configuration) -> bool:
        """Show mistakes, once. Return whether to apply the right lines."""
        self._problems = [*configuration.problems]
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
