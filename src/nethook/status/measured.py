"""The values that metrics tell: the overview, as far as it can be had, and the tally of runs.

A monitoring system has to hear most when something is broken. So a source that fails costs what it would have told, and
its name is told instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config import load
from nethook.engine.situation import situation
from nethook.engine.tally import Tally
from nethook.engine.tally import read as read_tally
from nethook.errors import ConfigError, NethookError
from nethook.status.metrics import FILES, FIREWALLS, KERNEL, LIBVIRT, RUNS, Measured, metrics_text
from nethook.status.overview import Overview, overview_of, unknown

if TYPE_CHECKING:
    from typing import Callable

    from nethook.config import Configuration, Settings
    from nethook.engine.situation import Situation
    from nethook.host import Host

    Ask = Callable[[Configuration], Situation]


def measure(host: Host, ask: Ask = situation) -> Measured:
    """Return all that is known now; ``ask`` returns what libvirt says. Nothing of it raises an error."""
    failures: dict[str, str] = {}
    overview = _overview(host, failures, ask)
    if overview.failures:
        failures[FIREWALLS] = "; ".join(overview.failures)
    try:
        tally = read_tally(host)
    except OSError as error:
        failures[RUNS] = f"{error.filename}: {error.strerror}"
        tally = Tally()
    return Measured(overview, tally, host.last_run(), failures)


def _overview(host: Host, failures: dict[str, str], ask: Ask) -> Overview:
    """Return the overview, as far as it is known; enter into ``failures`` why it is not all known."""
    try:
        configuration = load(host)
    except NethookError as error:
        failures[FILES] = str(error)
        return Overview([], error.problems if isinstance(error, ConfigError) else ())
    try:
        now = ask(configuration)
    except NethookError as error:
        failures[LIBVIRT] = str(error)
        return unknown(configuration, str(error))
    if not now.is_live:
        failures[LIBVIRT] = "libvirt does not answer"
    try:
        overview = overview_of(now, host)
    except NethookError as error:
        failures[KERNEL] = str(error)
        return unknown(configuration, str(error))
    if os.geteuid() != 0:
        failures[KERNEL] = "only root can see firewalls and counters"
    return overview


def write_metrics(settings: Settings, host: Host, ask: Ask = situation) -> Measured:
    """Write the metrics to the file that the settings name, and return what they are made of: see ``measure``.

    NethookError if no file is named, or it cannot be written.
    """
    path = settings.metrics_file
    if path is None:
        raise NethookError("no file for metrics is named: write metrics-file = PATH into nethook.conf")
    found = measure(host, ask)
    try:
        host.publish(path, metrics_text(found))
    except OSError as error:
        raise NethookError(f"cannot write {path}: {error.strerror}") from None
    return found
