"""``nethook plan``: what ``nethook apply`` would change."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nethook.commands.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.config import load
from nethook.engine.plan import decide
from nethook.engine.situation import limited_host, require_root, situation
from nethook.steps.effect import ADD, REMOVE, REPLACE
from nethook.terminal import painted, show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.steps.effect import Effect
    from nethook.steps.step import Step

VERSION = 1
"""Of the shape of --json, which docs/json.md describes."""

TO = {"route": "via", "neighbour": "mac", "bound": "mac", "proxy": "uplink", "proxy_ndp": "uplink"}
"""The key for what an effect leads to, where that is for programs too."""

ACTIONS = {ADD: "add", REMOVE: "remove", REPLACE: "replace"}
END_OF_INPUT = "END"


def run(options: Namespace) -> int:
    """Compare and print."""
    require_root("read nftables and iptables")
    configuration = load()
    show_problems(configuration.problems, sys.stderr)
    if configuration.problems and not options.keep_going:
        what = "apply would change nothing, because of these mistakes; correct them, or use --keep-going"
        print(f"nethook: {what}", file=sys.stderr)
        return UNKNOWN
    now = situation(configuration, options.networks)
    plan = decide(configuration, now.up, now.scope, limited_host(), is_thorough=True)
    if options.json:
        print(json.dumps({"version": VERSION, "changes": [as_json(effect) for effect in plan.effects]}, indent=2))
    elif options.commands:
        _print_commands(plan.steps)
    else:
        for effect in plan.effects:
            print(painted(effect, sys.stdout))
    for failure in plan.failures:
        print(f"nethook: {failure}", file=sys.stderr)
    mistakes = now.mistakes(plan.refused)
    show_problems(mistakes, sys.stderr)
    now.say_what_is_odd()
    if not plan.effects:  # a guest's tap may have to be noted, which every guest has some time after it is plugged in
        print("nethook: nothing to do", file=sys.stderr)
    return DIFFERENT if plan.effects or mistakes else OK


def as_json(effect: Effect) -> dict[str, Any]:
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


def _print_commands(steps: Sequence[Step]) -> None:
    """As a shell would take them. No input has a line of just this word: each begins with a command of its tool."""
    for call in (call for step in steps for call in step.calls):
        line = " ".join(call.argv)
        print(f"{line} <<'{END_OF_INPUT}'\n{call.stdin}{END_OF_INPUT}" if call.stdin else line)
