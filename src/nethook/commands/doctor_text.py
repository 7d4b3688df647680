"""A diagnosis as text: failures first, then warnings, what mends each below it, and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING
from nethook.terminal import coloured

if TYPE_CHECKING:
    from typing import TextIO

    from nethook.doctor.finding import Finding
    from nethook.doctor.walk import Diagnosis

COLOURS = {FAILURE: "red", WARNING: "yellow", OK: "green"}
MOST_NAMED = 3


def doctor_text(found: Diagnosis, stream: TextIO, *, verbose: bool = False) -> str:
    """The text, in the colours that this stream takes; with ``verbose``, a line for each station that is fine."""
    shown = [FAILURE, WARNING, *([OK] if verbose else [])]
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
