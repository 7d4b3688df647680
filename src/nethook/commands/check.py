"""``nethook check``: what is wrong in the files, by themselves and for this host."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.commands.situation import say_what_is_not_read
from nethook.config import SETTINGS_FILE, Configuration, Settings, load
from nethook.config.files import read_file
from nethook.config.routed_ips import parse_routed_ips
from nethook.config.settings import parse_settings
from nethook.diagnosis.host_problems import host_problems
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.exit_status import DIFFERENT, OK
from nethook.libvirt.live import live_guests, live_networks
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def run(options: Namespace) -> int:
    """Check these files, or those in use."""
    try:
        if options.files:
            configuration = _given(options.files)
        else:
            configuration = load()
            say_what_is_not_read(configuration)
    except ConfigError as error:
        show_problems(error.problems, sys.stdout)
        return DIFFERENT
    problems = configuration.problems
    try:
        problems = problems + host_problems(configuration, live_networks(), _guests(configuration))
    except NethookError as error:
        print(f"nethook: not compared with this host and its networks: {error}", file=sys.stderr)
    show_problems(sorted(problems, key=lambda problem: (problem.place.file, problem.place.line)), sys.stdout)
    if problems:
        print(f"nethook: {len(problems)} to mend", file=sys.stderr)
        return DIFFERENT
    print(f"nethook: nothing is wrong with {len(configuration.routed_ips)} lines", file=sys.stderr)
    return OK


def _guests(configuration: Configuration) -> dict[str, list[tuple[str, str]]] | None:
    """The guests of libvirt, asked for only where lines are bound to some."""
    return live_guests() if any(line.guest for line in configuration.routed_ips) else None


def _given(files: Sequence[str]) -> Configuration:
    """The configuration that these files make together."""
    settings = Settings()
    sources = []
    for file in files:
        data = read_file(file)
        if data is None:
            raise ReadError(f"{file}: there is no such file")
        if os.path.basename(file) == os.path.basename(SETTINGS_FILE):
            settings = parse_settings(file, data)
        else:
            sources.append((file, data))
    return Configuration(settings, *parse_routed_ips(sources))
