"""``nethook check``: find mistakes in the files, both in themselves and on this host."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

from nethook.commands.plan import problem_as_json
from nethook.config import (
    FORWARDED_PORTS_FILES,
    ROUTED_IPS_FILES,
    Configuration,
    Settings,
    load,
)
from nethook.config.files import existing_files
from nethook.config.text import one_line
from nethook.doctor import on_link
from nethook.doctor.change_program import change_program_warnings
from nethook.doctor.foreign_marks import foreign_marks
from nethook.doctor.forward_problems import forward_warnings
from nethook.doctor.host_problems import SECONDS, host_problems, merged, own_routes
from nethook.editing.standing_in import standing_in
from nethook.engine.situation import say_what_is_not_read
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host import Host
from nethook.libvirt.live import live_guests, live_networks
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.config.text import Problem
    from nethook.libvirt.live import LiveGuest

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""


def run(options: Namespace) -> int:
    """Check these files, or those in use."""
    host = Host(SECONDS)
    try:
        if options.place and len(options.files) != 1:
            raise NethookError("--as is for one FILE")
        if options.files:
            configuration = standing_in(options.files, options.place or "", host)
        else:
            configuration = load(host)
            say_what_is_not_read(configuration, host)
    except ConfigError as error:
        return _as_json(error.problems) if options.json else _show_mistakes(error.problems)
    found = examine(configuration, host)
    problems = configuration.problems + merged(found.problems)
    warnings = found.warnings
    if options.files:
        problems, warnings = _because_of(options.files, problems, warnings, host)
    if found.failure:
        print(f"nethook: {found.failure}", file=sys.stderr)
    if options.json:
        return _as_json(problems, warnings, foreign_marks(host).certain(configuration.settings.mark_bit), found.failure)
    show_problems(warnings, sys.stdout)
    is_used = _say_who_uses_our_mark(configuration.settings, host)
    if problems:
        return _show_mistakes(sorted(problems, key=lambda problem: (problem.place.file, problem.place.line)))
    if is_used:
        return DIFFERENT
    warned = f"; {len(warnings)} warning{'s' * (len(warnings) != 1)}" if warnings else ""
    print(f"nethook: {_nothing_wrong(configuration, options.files, host)}{warned}", file=sys.stderr)
    return OK


def _as_json(
    problems: Sequence[Problem], warnings: Sequence[Problem] = (), mark_used_by: str = "", said: str = ""
) -> int:
    """Print the mistakes for programs, and return the exit status. ``said`` is why nothing was compared, if so."""
    found = {
        "version": VERSION,
        "problems": [problem_as_json(problem) for problem in problems],
        "warnings": [problem_as_json(problem) for problem in warnings],
        "mark_used_by": mark_used_by or None,
        "said": one_line(said) or None,
    }
    print(json.dumps(found, indent=2))
    return DIFFERENT if problems or mark_used_by else OK


def _because_of(
    files: Sequence[str], problems: Sequence[Problem], warnings: Sequence[Problem], host: Host
) -> tuple[list[Problem], list[Problem]]:
    """Return those that are in these files, or that nothing has without them."""
    known: set[str] = set()
    if any(problem.place.file not in files for problem in (*problems, *warnings)):
        before = load(host)
        found = examine(before, host)
        known = {str(each) for each in (*before.problems, *merged(found.problems), *found.warnings)}
    kept = [
        [each for each in some if each.place.file in files or str(each) not in known] for some in (problems, warnings)
    ]
    return kept[0], kept[1]


class Examination(NamedTuple):
    """The findings about right lines on this host; ``failure`` says why there are none, '' if there are."""

    problems: list[Problem]
    warnings: list[Problem]
    failure: str


def examine(configuration: Configuration, host: Host) -> Examination:
    """Compare the settings and the right lines of the files with this host and its networks."""
    problems: list[Problem] = []
    warnings, failure = change_program_warnings(configuration.settings, host), ""
    warnings += on_link.warnings(configuration.routed_ips)
    try:
        live = live_networks()
        warnings += own_routes(configuration.routed_ips, live)
        warnings += forward_warnings(configuration.forwards, host)
        problems = host_problems(configuration, live, _guests(configuration))
    except NethookError as error:
        failure = f"the files were not compared with this host and its networks: {error}"
    return Examination(problems, warnings, failure)


def _say_who_uses_our_mark(settings: Settings, host: Host) -> bool:
    """Print which foreign rules use our bit of the packet mark, or may use it. Return whether one does."""
    marks = foreign_marks(host)
    used, may_be_used = marks.certain(settings.mark_bit), marks.possible(settings.mark_bit)
    if used:
        print(f"{used}; {marks.advice()}")
    if may_be_used:
        print(f"nethook: {may_be_used}; {marks.advice()}", file=sys.stderr)
    for failure in marks.not_looked_at:
        print(f"nethook: not checked for other users of our mark bit: {failure}", file=sys.stderr)
    return bool(used)


def _show_mistakes(problems: Sequence[Problem]) -> int:
    show_problems(problems, sys.stdout)
    number = sum(problem.mistakes for problem in problems)
    print(f"nethook: {number:,} mistake{'s' * (number != 1)}", file=sys.stderr)
    return DIFFERENT


def _nothing_wrong(configuration: Configuration, files: Sequence[str], host: Host) -> str:
    """Return a sentence about files without mistakes; ``files`` are those of the command line."""
    number = sum(not files or line.place.file in files for line in configuration.lines)
    if number:
        return f"nothing is wrong with {number} line{'s' * (number != 1)}"
    settings = configuration.settings
    read = list(files) or [
        *([settings.routed_ips] if settings.routed_ips else existing_files(host, ROUTED_IPS_FILES)[:1]),
        *([settings.forwarded_ports] if settings.forwarded_ports else existing_files(host, FORWARDED_PORTS_FILES)[:1]),
    ]
    if read:
        return f"nothing is wrong with {', '.join(read)}, which {'have' if read[1:] else 'has'} no lines"
    searched = ", ".join([*ROUTED_IPS_FILES, *FORWARDED_PORTS_FILES])
    return f"there are no lines, because none of these files exists: {searched}"


def _guests(configuration: Configuration) -> dict[str, LiveGuest] | None:
    """Return libvirt's guests; None if no line is bound to a guest, so that they do not matter."""
    return live_guests() if any(line.guest for line in configuration.lines) else None
