"""``nethook check``: find mistakes in the files, both in themselves and on this host."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.config import ROUTED_IPS_FILES, SETTINGS_FILE, Configuration, Settings, load
from nethook.config.files import existing_files, read_file
from nethook.config.routed_ips import parse_routed_ips
from nethook.config.settings import parse_settings
from nethook.doctor import on_link
from nethook.doctor.foreign_marks import foreign_marks
from nethook.doctor.host_problems import SECONDS, host_problems, own_routes
from nethook.engine.situation import say_what_is_not_read
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.exit_status import DIFFERENT, OK
from nethook.host import Host
from nethook.libvirt.live import live_guests, live_networks
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.config.text import Problem
    from nethook.libvirt.live import LiveGuest


def run(options: Namespace) -> int:
    """Check these files, or those in use."""
    host = Host(SECONDS)
    try:
        if options.files:
            configuration = _given(options.files, host)
        else:
            configuration = load(host)
            say_what_is_not_read(configuration, host)
    except ConfigError as error:
        return _show_mistakes(error.problems)
    problems = configuration.problems
    warnings = on_link.warnings(configuration.routed_ips)
    try:
        live = live_networks()
        warnings += own_routes(configuration.routed_ips, live)
        problems = problems + host_problems(configuration, live, _guests(configuration))
    except NethookError as error:
        print(f"nethook: the files were not compared with this host and its networks: {error}", file=sys.stderr)
    show_problems(warnings, sys.stdout)
    is_used = _say_who_uses_our_mark(configuration.settings, host)
    if problems:
        return _show_mistakes(sorted(problems, key=lambda problem: (problem.place.file, problem.place.line)))
    if is_used:
        return DIFFERENT
    warned = f"; {len(warnings)} warning{'s' * (len(warnings) != 1)}" if warnings else ""
    print(f"nethook: {_nothing_wrong(configuration, options.files, host)}{warned}", file=sys.stderr)
    return OK


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
    number = len(configuration.routed_ips)
    if number:
        return f"nothing is wrong with {number} line{'s' * (number != 1)}"
    chosen = configuration.settings.routed_ips
    read = list(files) or ([chosen] if chosen else existing_files(host, ROUTED_IPS_FILES)[:1])
    if read:
        return f"nothing is wrong with {', '.join(read)}, which has no lines of routed IPs"
    return f"there are no routed IPs, because none of these files exists: {', '.join(ROUTED_IPS_FILES)}"


def _guests(configuration: Configuration) -> dict[str, LiveGuest] | None:
    """Return libvirt's guests; None if no line is bound to a guest, so that they do not matter."""
    return live_guests() if any(line.guest for line in configuration.routed_ips) else None


def _given(files: Sequence[str], host: Host) -> Configuration:
    """Return the configuration in these files of the command line."""
    settings = Settings()
    sources = []
    for file in files:
        data = read_file(host, file)
        if data is None:
            raise ReadError(f"{file}: no such file")
        if os.path.basename(file) == os.path.basename(SETTINGS_FILE):
            settings = parse_settings(file, data)
        else:
            sources.append((file, data))
    return Configuration(settings, *parse_routed_ips(sources))
