"""The report of doctor as text: what to do first, then each problem with its repair, and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import some
from nethook.doctor.finding import FAILURE, OK, WARNING
from nethook.doctor.ways import OURS, PLACES, ROUTE, broken_at
from nethook.terminal import coloured, folded, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from nethook.doctor.finding import Finding
    from nethook.doctor.walk import Diagnosis

COLOURS = {FAILURE: "red", WARNING: "yellow", OK: "green"}
MOST_NAMED = 3
ARROWS = ("→", "✗"), ("->", "X")
"""The signs for the next place on the way, and for the one at which it ends; in ASCII if the terminal has no other."""
SELDOM = frozenset({ROUTE, OURS})
"""Places that are shown only if the way ends there."""
DETAILS = {"gate": "closed gate"}
"""What stands at the end of the way instead of the name of the station."""


def doctor_text(found: Diagnosis, stream: TextIO, *, verbose: bool = False) -> str:
    """Return what to do first, the findings, failures first, with the way and a repair below each, and a summary.

    The text has the colours, the signs and the width that the stream takes. With ``verbose``, it also has stations
    without a problem.
    """
    return "\n".join(_Report(found, stream).lines(verbose=verbose))


class _Report:
    def __init__(self, found: Diagnosis, stream: TextIO) -> None:
        self._found = found
        self._stream = stream
        self._width = width_of(stream)

    def lines(self, *, verbose: bool) -> Iterator[str]:
        """Yield the lines, some of which are folded."""
        found = self._found
        shown = [FAILURE, WARNING, *([OK] if verbose else [])]
        findings = [finding for verdict in shown for finding in found.findings if finding.verdict == verdict]
        if found.failures and any(_repair(found.failures[0])):
            yield from self._first(found.failures[0])
            yield ""
        for finding in findings:
            yield from self._finding(finding)
            if not found.failures or _repair(finding) != _repair(found.failures[0]):  # which is above already
                yield from self._repair(finding)
        if findings:
            yield ""
        yield from self._not_tried()
        yield self._folded(summary(found))

    def _folded(self, text: str) -> str:
        return folded(text, self._width) if self._width else text

    def _first(self, finding: Finding) -> Iterator[str]:
        """Yield what to do first: the repair of the first failure, which is the cause of others."""
        if finding.command:
            yield "Do this first:"
            yield from self._repair(finding)
        else:
            yield self._folded(f"Do this first: {finding.advice}")

    def _repair(self, finding: Finding) -> Iterator[str]:
        """Yield command and advice. A command is never folded, because it is there to be copied."""
        if finding.command:
            yield f"    {coloured(f'# {finding.command}', 'bold', self._stream)}"
        if finding.advice:
            yield self._folded(f"    {finding.advice}")

    def _finding(self, finding: Finding) -> Iterator[str]:
        about = f"{some(finding.addresses, MOST_NAMED)}: " if finding.addresses else ""
        text = self._folded(f"{finding.verdict}: {about}{finding.station}: {finding.text}")
        verdict = coloured(finding.verdict, COLOURS[finding.verdict], self._stream)
        yield verdict + text[len(finding.verdict) :]
        if finding.verdict == FAILURE and (way := self._way(finding)):
            yield self._folded(f"    {way}")

    def _way(self, finding: Finding) -> str:
        """Return the way of a packet to the addresses of the finding, with the place where it ends; '' without one."""
        ways = self._found.ways
        broken = broken_at(finding, [ways[name] for name in finding.addresses if name in ways])
        if broken is None:
            return ""
        arrow, end = _signs(self._stream)
        places = []
        for number, (kind, name) in enumerate(zip(PLACES, broken[0])):
            if number == broken[1]:
                detail = DETAILS.get(finding.station, finding.station)
                places.append(f"{name} {end}" + (f" {detail}" if detail != kind else ""))
            elif kind not in SELDOM:
                places.append(name)
        return f" {arrow} ".join(places)

    def _not_tried(self) -> Iterator[str]:
        """Yield which addresses nobody was asked for, so that it is not known whether they answer."""
        found = self._found
        if found.not_tried and not found.stopped_by:
            named = some(found.not_tried, MOST_NAMED)
            yield self._folded(f"not tried: {named} (of a large prefix, name an address that a guest has)")


def _signs(stream: TextIO) -> tuple[str, str]:
    for signs in ARROWS:
        try:
            "".join(signs).encode(getattr(stream, "encoding", None) or "ascii")
        except UnicodeEncodeError:
            continue
        return signs
    return ARROWS[-1]


def _repair(finding: Finding) -> tuple[str, str]:
    return finding.command, finding.advice


def summary(found: Diagnosis) -> str:
    """Return how many addresses are healthy, and how many problems there are."""
    verdicts = [finding.verdict for finding in found.findings]
    failures, warnings = (
        f"{verdicts.count(verdict)} {verdict}{'s' * (verdicts.count(verdict) != 1)}" for verdict in (FAILURE, WARNING)
    )
    every = len(found.addresses)
    addresses = f"{every} address{'es' * (every != 1)}"
    healthy = len(found.healthy)
    if every and healthy == every and not found.failures:
        return f"{addresses} healthy; {warnings}"
    untried = f", {len(found.not_tried)} not tried" if found.not_tried else ""
    return f"{healthy} of {addresses} healthy{untried}; {failures}, {warnings}"
