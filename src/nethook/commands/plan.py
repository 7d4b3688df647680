"""``nethook plan``: show what ``nethook apply`` would change."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nethook.changes import ADD, REMOVE, REPLACE
from nethook.config import load
from nethook.engine.plan import decide
from nethook.engine.situation import limited_host, require_root, situation
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.terminal import painted, show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.changes import Effect, Step
    from nethook.config.text import Problem
    from nethook.engine.plan import Plan
    from nethook.engine.situation import Situation

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""

TO = {
    "route": "via",
    "neighbour": "mac",
    "bound": "mac",
    "proxy": "uplink",
    "proxy_ndp": "uplink",
    "forward": "target",
    "outgoing": "target",
}
"""The JSON key for ``to`` of an effect, by the effect's kind."""

ACTIONS = {ADD: "add", REMOVE: "remove", REPLACE: "replace"}
END_OF_INPUT = "END"


def run(options: Namespace) -> int:
    """Print the differences, and return the exit status."""
    require_root("read nftables and iptables")
    configuration = load(limited_host())
    show_problems(configuration.problems, sys.stderr)
    if configuration.problems and not options.keep_going:
        what = "apply would change nothing because of these mistakes; correct them, or use --keep-going"
        print(f"nethook: {what}", file=sys.stderr)
        return UNKNOWN
    now = situation(configuration, options.networks)
    plan = decide(now.question(limited_host()))
    if options.json:
        changes = [as_json(effect) for effect in plan.effects]
        print(json.dumps({"version": VERSION, "changes": changes, "failures": [*plan.failures]}, indent=2))
    elif options.commands:
        _print_commands(plan.steps)
    else:
        show_effects(plan)
    mistakes = show_remarks(now, plan)
    return DIFFERENT if plan.effects or mistakes else UNKNOWN if plan.failures else OK


def show_effects(plan: Plan) -> None:
    """Print each difference."""
    for effect in plan.effects:
        print(painted(effect, sys.stdout))


def show_remarks(now: Situation, plan: Plan) -> list[Problem]:
    """Print failures, mistakes, warnings, and that there is nothing to do. Return the mistakes."""
    for failure in plan.failures:
        print(f"nethook: {failure}", file=sys.stderr)
    mistakes = now.mistakes(plan.refused)
    show_problems([*mistakes, *plan.warnings], sys.stderr)
    now.say_what_is_odd()
    if not plan.effects and not plan.failures:  # there may be steps without an effect, such as noting a guest's tap
        print("nethook: nothing to do", file=sys.stderr)
    return mistakes


def as_json(effect: Effect) -> dict[str, Any]:
    """Return an effect as JSON."""
    found: dict[str, Any] = {"action": ACTIONS[effect.sign], "kind": effect.kind, "text": effect.text}
    if effect.prefix:
        found["prefix"] = effect.prefix
    if effect.bridge:
        found["bridge"] = effect.bridge
    if effect.to and effect.kind in TO:
        found[TO[effect.kind]] = effect.to
    if effect.line:
        place = effect.line.place
        if effect.line.guest:
            found["guest"] = effect.line.guest
        found.update(network=effect.line.network, file=place.file, line=place.line)
    return found


def problem_as_json(problem: Problem) -> dict[str, Any]:
    """Return a mistake or warning as JSON."""
    return {
        "file": problem.place.file,
        "line": problem.place.line or None,
        "column": problem.place.column or None,
        "what": problem.what,
        "advice": problem.advice,
    }


def _print_commands(steps: Sequence[Step]) -> None:
    """Print the commands as a shell takes them. No input has END_OF_INPUT as a line: each begins with a command."""
    for call in (call for step in steps for call in step.calls):
        line = " ".join(call.argv)
        print(f"{line} <<'{END_OF_INPUT}'\n{call.stdin}{END_OF_INPUT}" if call.stdin else line)
