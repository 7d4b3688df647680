"""What was found at one station: a verdict, a sentence, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.problem import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

OK: Final = "ok"
WARNING: Final = "warning"
"""It works, but not after the next restart, not for everything, or nobody can know."""
FAILURE: Final = "failure"
"""It does not work, or ends to work with the next event of its network."""


class Finding:
    """``command`` mends it when run as root; ``advice`` says what else to do or to write; both may be ''.

    ``addresses`` are the addresses or prefixes that it is about, nothing if it is about the host.
    """

    __slots__ = ("addresses", "advice", "command", "station", "text", "verdict")

    def __init__(
        self,
        verdict: str,
        station: str,
        text: str,
        *,
        command: str = "",
        advice: str = "",
        addresses: Iterable[str] = (),
    ) -> None:
        self.verdict = verdict
        self.station = station
        self.text = one_line(text)
        # Names that others have chosen are in some of them, and escaped text would be another command.
        self.command = command if command.isprintable() else ""
        self.advice = one_line(advice)
        self.addresses = list(addresses)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it says, whatever address it is about."""
        return self.verdict, self.station, self.text, self.command, self.advice


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """What is said of several addresses in the same words is one finding, at the place of the first."""
    kept: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        first = kept.setdefault(finding.key, finding)
        if first is not finding:
            first.addresses += [address for address in finding.addresses if address not in first.addresses]
    return list(kept.values())
