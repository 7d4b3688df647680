"""A finding at one station: a verdict, a sentence, and the repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

OK: Final = "ok"
WARNING: Final = "warning"
"""It works, but not for everything, or not after the next restart; or the doctor cannot know."""
FAILURE: Final = "failure"
"""It does not work, or stops working at the next event of its network."""


class Finding:
    """One finding at a station: a verdict and a sentence, and the repair if it is not OK.

    ``command`` repairs it when root runs it. ``advice`` tells what else to do or to write. Both may be ''.
    ``addresses`` are the addresses or prefixes that it is about; it is empty for a finding about the host.
    ``is_answer``: somebody has answered at each of them. ``is_silence``: nothing shows that packets reach them and come
    back, so they are not called healthy.
    """

    __slots__ = ("addresses", "advice", "command", "is_answer", "is_silence", "station", "text", "verdict")

    def __init__(
        self,
        verdict: str,
        station: str,
        text: str,
        *,
        command: str = "",
        advice: str = "",
        addresses: Iterable[str] = (),
        is_answer: bool = False,
        is_silence: bool = False,
    ) -> None:
        self.verdict = verdict
        self.station = station
        self.text = one_line(text)
        # Some commands contain names that other people have chosen. With characters escaped, it would be another
        # command.
        self.command = command if command.isprintable() else ""
        self.advice = one_line(advice)
        self.addresses = list(addresses)
        self.is_answer = is_answer
        self.is_silence = is_silence

    @property
    def key(self) -> tuple[str, ...]:
        """The finding without its addresses."""
        return self.verdict, self.station, self.text, self.command, self.advice


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, with those that differ only in their addresses as one, at the place of the first."""
    kept: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        first = kept.setdefault(finding.key, finding)
        if first is not finding:
            first.addresses += [address for address in finding.addresses if address not in first.addresses]
    return list(kept.values())
