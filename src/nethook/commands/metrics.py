"""``nethook metrics``: print metrics for Prometheus, or write them to the file that node_exporter reads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.config import load_settings
from nethook.config.text import one_line
from nethook.engine.situation import limited_host
from nethook.errors import ConfigError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.status.measured import measure, write_metrics
from nethook.status.metrics import metrics_text

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.config import Settings
    from nethook.host import Host


def run(options: Namespace) -> int:
    """Print or write the metrics, and return the exit status."""
    host = limited_host()
    if options.write:
        found = write_metrics(_settings(host), host)
    else:
        found = measure(host)
        print(metrics_text(found), end="")
    for failure in found.failures.values():
        print(f"nethook: {one_line(failure)}", file=sys.stderr)
    if not found.has_overview:
        return UNKNOWN
    if not found.overview.is_as_desired:
        return DIFFERENT
    return UNKNOWN if found.failures else OK


def _settings(host: Host) -> Settings:
    """Return the settings. If some are wrong, the file of metrics has to tell so: ConfigError only if none is named."""
    try:
        return load_settings(host)
    except ConfigError as error:
        if error.settings and error.settings.metrics_file:
            return error.settings
        raise
