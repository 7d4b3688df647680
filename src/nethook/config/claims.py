"""The ports that each line of ``forwarded-ports`` has for itself.

The kernel's maps allow a single port within the range of another line, where the port wins, and a line with ``from=``
beside one without that has the same ports, where ``from=`` wins. All else that overlaps is a mistake: nft would refuse
the whole transaction. So ranges are the same or have no port in common, for whomever they are: the set of all ports
that are taken from the host does not know for whom.
"""

from __future__ import annotations

from _bisect import bisect_left  # as in nethook.prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.prefix import Prefix

    Claim = tuple[str, str, int, int]
    """Address, protocol, first and last port. A whole address has no protocol, and the ports 0 to 0."""
    Sender = tuple[object, ...]
    Mistake = tuple[str, str, str]
    """Key of the option that is wrong, '' for the address and ports; what is wrong, and what to write instead."""


class _Intervals:
    """Intervals of numbers of which no two overlap, each with its line."""

    __slots__ = ("_firsts", "_lasts", "_lines")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._lines: list[Forward] = []

    def overlapping(self, first: int, last: int) -> Forward | None:
        """Return the line of an interval that overlaps this one."""
        at = bisect_left(self._lasts, first)
        return self._lines[at] if at < len(self._firsts) and self._firsts[at] <= last else None

    def add(self, first: int, last: int, line: Forward) -> None:
        """Add an interval, unless it lies in another one. It replaces those that lie in it."""
        at = end = bisect_left(self._lasts, first)
        while end < len(self._firsts) and self._firsts[end] <= last:
            if self._firsts[end] <= first and last <= self._lasts[end]:
                return
            end += 1
        self._firsts[at:end] = [first]
        self._lasts[at:end] = [last]
        self._lines[at:end] = [line]


class Claims:
    """The lines that were read up to now, by what each has for itself."""

    def __init__(self) -> None:
        self._for_all: dict[Claim, Forward] = {}
        self._for_some: dict[Claim, _Intervals] = {}
        self._ranges: dict[tuple[str, str], _Intervals] = {}
        self._outgoing: dict[Sender, Forward] = {}
        self._proxied: dict[str, Forward] = {}

    def take(self, line: Forward) -> Mistake | None:
        """Add a line. If it has something of another one, return that mistake instead."""
        claims = _claims(line)
        for claim in claims:
            rival = self._overlapping(claim)
            if rival:
                return _overlap(line, claim, rival)
            rival = self._rival(claim, line.sources)
            if rival:
                return _conflict(line, claim, rival)
        senders = _senders(line) if line.outgoing else []
        mistake = self._mistake_of_sender(line, senders) if senders else None
        mistake = mistake or (self._mistake_of_proxy(line) if line.proxy else None)
        if mistake:
            return mistake
        for claim in claims:
            self._add(claim, line)
        for sender in senders:
            self._outgoing[sender] = line
        return None

    def _mistake_of_sender(self, line: Forward, senders: Iterable[Sender]) -> Mistake | None:
        rival = next(filter(None, map(self._outgoing.get, senders)), None)
        if rival is None:
            return None
        if line.is_whole:
            what = f"what the guest sends already leaves as {rival.prefix}, by {rival.place}"
            return "", what, "add outgoing=no to one of the two lines"
        what = f"what the guest sends from there already leaves as {rival.text}, by {rival.place}"
        return "outgoing", what, "keep one of the two outgoing=yes"

    def _mistake_of_proxy(self, line: Forward) -> Mistake | None:
        other = self._proxied.setdefault(line.prefix.text, line)
        if other.proxy == line.proxy:
            return None
        what = f"the host already answers for {line.prefix} on {other.proxy}, by {other.place}"
        return "proxy", what, f"write proxy={other.proxy}"

    def _add(self, claim: Claim, line: Forward) -> None:
        address, protocol, first, last = claim
        if first != last:
            self._ranges.setdefault((address, protocol), _Intervals()).add(first, last, line)
        if not line.sources:
            self._for_all[claim] = line
        for source in line.sources:
            self._for_some.setdefault(claim, _Intervals()).add(source.first, source.last, line)

    def _overlapping(self, claim: Claim) -> Forward | None:
        """Return the line with a range that overlaps this one and is another one."""
        address, protocol, first, last = claim
        if first == last or claim in self._for_all or claim in self._for_some:
            return None
        ranges = self._ranges.get((address, protocol))
        return ranges.overlapping(first, last) if ranges else None

    def _rival(self, claim: Claim, sources: Sequence[Prefix]) -> Forward | None:
        """Return the line that has the same for some of the same clients."""
        if not sources:
            return self._for_all.get(claim)
        intervals = self._for_some.get(claim)
        found = (intervals.overlapping(source.first, source.last) for source in sources) if intervals else iter(())
        return next(filter(None, found), None)


def _claims(line: Forward) -> list[Claim]:
    address = line.prefix.text
    if not line.ports:
        return [(address, "", 0, 0)]
    return [(address, span.protocol, span.first, span.last) for span in line.spans]


def _senders(line: Forward) -> list[Sender]:
    """Return the guest, or its ports, from which packets leave as the address and ports of this line."""
    guest = (line.network, line.prefix.family, line.guest, line.mac, line.to)
    if line.is_whole:
        return [guest]
    return [(*guest, span.protocol, span.to) for span in line.spans]


def _whose(line: Forward) -> str:
    return f", for guest {line.guest}" if line.guest else ""


def _overlap(line: Forward, claim: Claim, rival: Forward) -> Mistake:
    what = f"{line.text_of(*claim[1:])} overlaps {rival.text} at {rival.place}{_whose(rival)}"
    is_for_some = line.sources or rival.sources
    return "", what, "write ranges that " + "are the same, or " * bool(is_for_some) + "have no port in common"


def _conflict(line: Forward, claim: Claim, rival: Forward) -> Mistake:
    mine = line.text_of(*claim[1:])
    if not line.sources:
        kept = "" if mine == line.text else "the range in " if claim[2] < claim[3] else "the port in "
        return "", f"{mine} is already at {rival.place}{_whose(rival)}", f"keep {kept}one of the two lines"
    shared = next((source, other) for source in line.sources for other in rival.sources if source.overlaps(other))
    what = f"{mine} from {shared[0]} is already at {rival.place}, from {shared[1]}{_whose(rival)}"
    return "from", what, "write prefixes that have no address in common, or other ports"
