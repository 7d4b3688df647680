"""``nethook doctor``: what keeps addresses from answering, and what mends it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nethook.commands.doctor_text import doctor_text
from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import place_for_lines
from nethook.config.problem import one_line
from nethook.doctor.walk import Diagnosis, diagnose
from nethook.engine.situation import require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.net.prefix import parse_prefix

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.doctor.finding import Finding

VERSION = 1
"""Of the shape of --json, which docs/json.md describes."""


def run(options: Namespace) -> int:
    """Look, and print. Returns the exit status."""
    require_root("see the firewalls")
    try:
        wanted = [parse_prefix(text) for text in options.addresses]
    except ValueError as error:
        raise NethookError(one_line(str(error))) from None
    found = diagnose(wanted, place_for_lines(ROUTED_IPS_FILES))
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        print(doctor_text(found, sys.stdout, verbose=options.verbose))
    if found.stopped_by:
        print(f"nethook: the rest was not looked at: {found.stopped_by}", file=sys.stderr)
    if found.failures:
        return DIFFERENT
    return UNKNOWN if found.stopped_by else OK


def _as_json(found: Diagnosis) -> dict[str, Any]:
    return {
        "version": VERSION,
        "addresses": found.addresses,
        "healthy": found.healthy,
        "findings": [_finding_as_json(finding) for finding in found.findings],
        "stopped_by": found.stopped_by or None,
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict,
        "station": finding.station,
        "text": finding.text,
        "command": finding.command or None,
        "advice": finding.advice or None,
        "addresses": finding.addresses,
    }
