"""``nethook status``: show which lines are routed, and what blocks the others."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from nethook.commands.plan import as_json as effect_as_json
from nethook.commands.plan import problem_as_json
from nethook.config.listening import ports_text
from nethook.config.text import one_line
from nethook.engine.situation import asked_about
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.status.intentions import intentions
from nethook.status.line_states import WAITING
from nethook.status.overview import overview
from nethook.status.selection import Selection, in_states
from nethook.status.status_text import messages, status_text
from nethook.status.watch import stream, watch
from nethook.terminal import takes_colours, width_of
from nethook.terminal.paging import show

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.config.text import Entry
    from nethook.host.traffic import Traffic
    from nethook.status.forward_states import ForwardState
    from nethook.status.line_states import LineState
    from nethook.status.overview import Overview

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""


def run(options: Namespace) -> int:
    """Print the status once, or live until q is pressed, and return the exit status."""
    selection = Selection(asked_about(options.addresses), options.network, options.guest)
    if options.watch and options.json:
        return stream(lambda: json.dumps(_looked(selection, options.state), separators=(",", ":")))
    if options.watch:
        return watch(lambda: in_states(selection.of(overview()), options.state))
    found = in_states(selection.of(overview()), options.state)
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        text = status_text(found, width_of(sys.stdout), coloured=takes_colours(sys.stdout))
        if text:
            show(text, pages=not options.no_pager)
        for message in messages(found):
            print(f"nethook: {message}", file=sys.stderr)
        if os.geteuid() != 0:
            print("nethook: only root can see firewalls and counters", file=sys.stderr)
    if not found.is_as_desired or (options.strict and _is_off(found)):
        return DIFFERENT
    return OK if found.is_known else UNKNOWN


def _looked(selection: Selection, states: Sequence[str]) -> dict[str, Any]:
    """Return what is found now, or why nothing can be."""
    try:
        return _as_json(in_states(selection.of(overview()), states))
    except NethookError as error:
        return {"version": VERSION, "error": one_line(str(error))}


def _is_off(found: Overview) -> bool:
    """Return whether some line is not in force, and nobody has turned its guest or network off for good."""
    waiting = [each.line for each in found.all if each.state == WAITING]
    return bool(found.unread) or bool(waiting and not all(map(intentions().is_off_on_purpose, waiting)))


def _as_json(found: Overview) -> dict[str, Any]:
    lines, forwards = found.shown
    return {
        "version": VERSION,
        "summary": found.summary,
        "lines": [_line_as_json(line) for line in lines],
        "forwards": [_forward_as_json(each) for each in forwards],
        "is_well": found.is_as_desired and not found.failures,
        "hidden": found.hidden or None,
        "gates": [{"where": where, "state": state} for where, state in found.gates],
        "files_differ": found.files_differ,
        "notes": [{"network": note.network, "text": note.text} for note in found.notes],
        "ignored": list(found.ignored),
        "changes": [effect_as_json(effect) for effect in found.changes],
        "failures": [*found.failures],
        "problems": [problem_as_json(problem) for problem in (*found.problems, *found.mistakes)],
    }


def _line_as_json(state: LineState) -> dict[str, Any]:
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
        "announced": state.announced or None,
        **_source_as_json(state.line),
    }


def _forward_as_json(state: ForwardState) -> dict[str, Any]:
    line = state.line
    return {
        "listen": line.text,
        "address": line.prefix.text,
        "ports": ports_text(line.ports) or None,
        "protocols": [*line.protocols],
        "network": None if line.is_hosts else line.network,
        "bridge": state.bridge or None,
        "state": state.state,
        "reason": state.reason or None,
        "guest": line.guest,
        "mac": state.mac or None,
        "target": line.text_at(state.target) if state.target else None,
        "connections": state.connections,
        "bytes": state.bytes,
        **_source_as_json(state.line),
    }


def _source_as_json(line: Entry) -> dict[str, Any]:
    """Return what the file says: place, words and options of the line."""
    return {
        "file": line.place.file,
        "line": line.place.line,
        "words": line.written,
        "options": {**line.options},
    }


def _traffic_as_json(traffic: Traffic | None) -> dict[str, int] | None:
    return {"packets": traffic.packets, "bytes": traffic.bytes} if traffic else None
