"""``nethook doctor``: find out why addresses do not answer, and how to repair that."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import file_for_lines
from nethook.config.text import one_line
from nethook.doctor.finding import FAILURE, WARNING
from nethook.doctor.finding import OK as FINE
from nethook.doctor.walk import Diagnosis, diagnose
from nethook.engine.situation import limited_host, require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.prefix import parse_prefix
from nethook.terminal import coloured

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import TextIO

    from nethook.doctor.finding import Finding

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""

COLOURS = {FAILURE: "red", WARNING: "yellow", FINE: "green"}
MOST_NAMED = 3


def run(options: Namespace) -> int:
    """Examine the addresses, print the findings, and return the exit status."""
    require_root("see the firewalls")
    try:
        wanted = [parse_prefix(text) for text in options.addresses]
    except ValueError as error:
        raise NethookError(one_line(str(error))) from None
    found = diagnose(wanted, file_for_lines(limited_host(), ROUTED_IPS_FILES))
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        print(doctor_text(found, sys.stdout, verbose=options.verbose))
    if found.stopped_by:
        print(f"nethook: the rest was not examined: {found.stopped_by}", file=sys.stderr)
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


def doctor_text(found: Diagnosis, stream: TextIO, *, verbose: bool = False) -> str:
    """Return the findings as text, failures first, with a repair below each, and a summary.

    The text has the colours that the stream takes. With ``verbose``, it also has stations without a problem.
    """
    shown = [FAILURE, WARNING, *([FINE] if verbose else [])]
    lines = [
        line
        for verdict in shown
        for finding in found.findings
        if finding.verdict == verdict
        for line in _lines(finding, stream)
    ]
    return "\n".join([*lines, *([""] if lines else []), _summary(found)])


def _lines(finding: Finding, stream: TextIO) -> list[str]:
    verdict = coloured(finding.verdict, COLOURS[finding.verdict], stream)
    about = f"{_named(finding.addresses)}: " if finding.addresses else ""
    lines = [f"{verdict}: {about}{finding.station}: {finding.text}"]
    if finding.command:
        lines.append(f"    {coloured(f'# {finding.command}', 'bold', stream)}")
    if finding.advice:
        lines.append(f"    {finding.advice}")
    return lines


def _named(addresses: list[str]) -> str:
    rest = len(addresses) - MOST_NAMED
    named = ", ".join(addresses[:MOST_NAMED])
    return f"{named} and {rest} more" if rest > 0 else named


def _summary(found: Diagnosis) -> str:
    verdicts = [finding.verdict for finding in found.findings]
    failures, warnings = (
        f"{verdicts.count(verdict)} {verdict}{'s' * (verdicts.count(verdict) != 1)}" for verdict in (FAILURE, WARNING)
    )
    every = len(found.addresses)
    addresses = f"{every} address{'es' * (every != 1)}"
    healthy = len(found.healthy)
    if every and healthy == every and not found.failures:
        return f"{addresses} healthy; {warnings}"
    return f"{healthy} of {addresses} healthy; {failures}, {warnings}"
