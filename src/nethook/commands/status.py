"""``nethook status``: show which lines are routed, and what blocks the others."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from nethook.commands.plan import as_json as effect_as_json
from nethook.config.text import one_line
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.prefix import parse_prefix
from nethook.status.overview import Overview, overview
from nethook.status.status_text import messages, status_text
from nethook.status.watch import watch
from nethook.terminal import takes_colours, width_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.host.traffic import Traffic
    from nethook.prefix import Prefix
    from nethook.status.line_states import LineState

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""


def run(options: Namespace) -> int:
    """Print the status once, or live until q is pressed, and return the exit status."""
    wanted = [_prefix(text) for text in options.addresses]
    if options.watch:
        return watch(lambda: _about(overview(), wanted))
    found = _about(overview(), wanted)
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        text = status_text(found, width_of(sys.stdout), coloured=takes_colours(sys.stdout))
        if text:
            print(text)
        for message in messages(found):
            print(f"nethook: {message}", file=sys.stderr)
        if os.geteuid() != 0:
            print("nethook: only root can see firewalls and counters", file=sys.stderr)
    if not found.is_as_desired:
        return DIFFERENT
    return OK if found.is_known else UNKNOWN


def _prefix(text: str) -> Prefix:
    try:
        return parse_prefix(text)
    except ValueError as error:
        raise NethookError(one_line(str(error))) from None


def _about(found: Overview, wanted: Sequence[Prefix]) -> Overview:
    """Return the status of these prefixes only: for each, the line with the smallest prefix around it."""
    if not wanted:
        return found
    lines = []
    for prefix in wanted:
        around = [state for state in found.lines if prefix.lies_in(state.line.prefix)]
        if not around:
            wrong = "; but the files have mistakes, run nethook check" if found.problems else ""
            raise NethookError(f"no line of the files names {prefix}, nor a prefix around it{wrong}")
        lines.append(max(around, key=lambda state: state.line.prefix.length))
    problems = [  # wrong lines without a prefix are left out, because each of these prefixes has a line
        problem
        for problem in found.problems
        if problem.prefix and any(prefix.overlaps(problem.prefix) for prefix in wanted)
    ]
    texts = {state.line.prefix.text for state in lines}
    mistakes = [problem for problem in found.mistakes if problem.prefix and problem.prefix.text in texts]
    return Overview(lines, problems, found.gates, mistakes=mistakes)


def _as_json(found: Overview) -> dict[str, Any]:
    return {
        "version": VERSION,
        "lines": [_line_as_json(line) for line in found.lines],
        "gates": [{"where": where, "state": state} for where, state in found.gates],
        "changes": [effect_as_json(effect) for effect in found.changes],
        "problems": [
            {
                "file": problem.place.file,
                "line": problem.place.line or None,
                "column": problem.place.column or None,
                "what": problem.what,
                "advice": problem.advice,
            }
            for problem in (*found.problems, *found.mistakes)
        ],
    }


def _line_as_json(state: LineState) -> dict[str, Any]:
    place = state.line.place
    return {
        "prefix": state.line.prefix.text,
        "network": state.line.network,
        "bridge": state.bridge or None,
        "state": state.state,
        "reason": state.reason or None,
        "received": _traffic_as_json(state.received),
        "sent": _traffic_as_json(state.sent),
        "guest": state.line.guest,
        "mac": state.mac or None,
        "via": state.line.via,
        "spoofed": state.spoofed,
        "file": place.file,
        "line": place.line,
    }


def _traffic_as_json(traffic: Traffic | None) -> dict[str, int] | None:
    return {"packets": traffic.packets, "bytes": traffic.bytes} if traffic else None
