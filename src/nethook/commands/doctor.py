"""``nethook doctor``: find out why addresses do not answer, and how to repair that."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import file_for_lines
from nethook.doctor.finding import WARNING, Finding
from nethook.doctor.report import doctor_text
from nethook.doctor.walk import SECONDS as LONGEST
from nethook.doctor.walk import Diagnosis, diagnose
from nethook.doctor.ways import broken_at
from nethook.engine.situation import asked_about, limited_host, require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.host import Host
from nethook.shell import argument_lists, word
from nethook.terminal import is_dumb

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import TextIO

CLEAR_LINE = "\033[K"
VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""

SECONDS, MOST_TRIED = 10.0, 20
"""For how long, and how many packets, --probe looks."""


def run(options: Namespace) -> int:
    """Examine the addresses, print the findings, and return the exit status."""
    require_root("see the firewalls")
    if options.probe and len(options.addresses) != 1:
        raise NethookError("--probe tries one address: name it")
    with _Progress(sys.stderr) as progress:
        wanted = asked_about(options.addresses)
        found = diagnose(wanted, file_for_lines(limited_host(), ROUTED_IPS_FILES), progress.reached)
    if options.probe:
        found.findings[:0] = _tried(options.addresses[0])
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        print(doctor_text(found, sys.stdout, verbose=options.verbose))
        if len(options.addresses) == 1 and not (options.probe or found.failures) and sys.stdout.isatty():
            again = f"nethook doctor --probe {word(options.addresses[0])}"
            print(f"If it does not answer all the same, try it with real packets: {again}")
    if found.stopped_by:
        print(f"nethook: the rest was not examined: {found.stopped_by}", file=sys.stderr)
    if found.failures:
        return DIFFERENT
    return UNKNOWN if found.stopped_by else OK


def _tried(address: str) -> list[Finding]:
    """Return what has become of real packets to and from this address, one of which this host sends to the guest."""
    from nethook.commands.trace import subject_of  # noqa: PLC0415 - seldom needed
    from nethook.tracing.probe import probe  # noqa: PLC0415
    from nethook.tracing.reading import Reading  # noqa: PLC0415
    from nethook.tracing.session import Session  # noqa: PLC0415
    from nethook.tracing.subject import Asked  # noqa: PLC0415
    from nethook.tracing.text import what_to_do  # noqa: PLC0415
    from nethook.tracing.tried import STATION, findings  # noqa: PLC0415

    failures: list[str] = []

    def begun() -> None:
        print(f"nethook: trying it for {SECONDS:g} s: {what_to_do(about)} from outside now", file=sys.stderr)
        if failure := probe(about):
            print(f"nethook: {failure}", file=sys.stderr)
            failures.append(failure)

    try:
        about = subject_of(Asked(address, probes=True))
        session = Session(about, Reading(Host(SECONDS + LONGEST)), MOST_TRIED, lambda _: None)
        session.run(SECONDS, begun, lambda _: None)
    except NethookError as error:
        return [Finding(WARNING, STATION, f"not tried: {error}")]
    return [*findings(session, about.lines, "".join(failures))]


def _as_json(found: Diagnosis) -> dict[str, Any]:
    return {
        "version": VERSION,
        "addresses": found.addresses,
        "healthy": found.healthy,
        "not_tried": found.not_tried,
        "findings": [_finding_as_json(finding, found) for finding in found.findings],
        "stopped_by": found.stopped_by or None,
    }


def _finding_as_json(finding: Finding, found: Diagnosis) -> dict[str, Any]:
    places, at = broken_at(finding, [found.ways[name] for name in finding.addresses if name in found.ways]) or ([], 0)
    return {
        "verdict": finding.verdict,
        "station": finding.station,
        "text": finding.text,
        "command": finding.command or None,
        "commands": argument_lists(finding.command),
        "advice": finding.advice or None,
        "addresses": finding.addresses,
        "way": places or None,
        "way_at": at if places else None,
    }


class _Progress:
    """The station that was reached last, shown at a terminal until the report is there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = stream.isatty() and not is_dumb()

    def __enter__(self) -> _Progress:
        return self

    def reached(self, station: str) -> None:
        """Show that this station was examined."""
        if self._is_shown:
            self._stream.write(f"\r{CLEAR_LINE}examined: {station} …")
            self._stream.flush()

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._stream.write(f"\r{CLEAR_LINE}")
            self._stream.flush()
