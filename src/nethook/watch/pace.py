"""The pace: when to look again. Pure: it is told the time, in seconds.

- A burst of changes is collected: a look begins when it has been quiet for QUIET, and at most LONGEST after the first.
- Looks that find nothing may take a SHARE of a processor, and CREDIT at once. So a host where much changes that does
  not concern us does not keep us running. Looks that find something cost nothing of it.
- Another program may undo what a look puts right, again and again. After TOLERATED times, a look that does
  nothing but that is followed by a pause, and the pauses grow.
- What cannot be done is tried again, with growing pauses. What is heard meanwhile does not wait for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

QUIET, LONGEST = 0.05, 0.2
SHARE, CREDIT = 0.05, 1.0
LONGEST_RETRY = 600.0
MOST_DOUBLINGS = 10
"""So often doubled, a second is longer than each longest pause."""
TOLERATED = 3
CALM, LONGEST_FIGHT = 10.0, 60.0
"""A piece that stays for so long, and for twice the pause, is not fought for any more."""


class Pace:
    """The time when the next look is ``due``."""

    def __init__(self) -> None:
        self.fights = Fights()
        self._first: float | None = None
        self._last = 0.0
        self._rests_until = 0.0
        self._credit = CREDIT
        self._credited_at = 0.0
        self._failures = 0
        self._retry_at: float | None = None

    def hear(self, now: float, *, is_urgent: bool = False) -> None:
        """Take note that something may have changed; ``is_urgent``: do not rest before looking at it."""
        if is_urgent:
            self._rests_until = now
        if self._first is None:
            self._first = now
        self._last = now

    @property
    def due(self) -> float | None:
        """The time of the next look; None if nothing was heard, and nothing has to be tried again."""
        times = [] if self._retry_at is None else [self._retry_at]
        if self._first is not None:
            times.append(min(self._last + QUIET, self._first + LONGEST))
        return max(self._rests_until, min(times)) if times else None

    def begin(self, now: float) -> None:
        """Begin a look: what was heard until now is looked at."""
        self._first = self._retry_at = None
        self._credit = min(CREDIT, self._credit + SHARE * (now - self._credited_at))
        self._credited_at = now

    def end(self, now: float, seconds: float, done: Collection[str], *, has_failed: bool) -> None:
        """End a look that took these seconds of processors and has put these pieces right."""
        if done:
            self._rests_until = now + self.fights.take(now, done)
        else:
            self._credit -= seconds
            self._rests_until = max(self._rests_until, now - min(0.0, self._credit) / SHARE)
        if has_failed:
            self._retry_at = now + _doubled(self._failures, LONGEST_RETRY)
            self._failures += 1
        else:
            self._failures = 0


class Fights:
    """Counts how often each piece was put right. ``fought`` is the piece that another program keeps undoing, or ''."""

    def __init__(self) -> None:
        self.fought = ""
        self._times: dict[str, tuple[int, float]] = {}

    def take(self, now: float, pieces: Collection[str]) -> float:
        """Note that these pieces were put right; return how long to rest, which is 0 if not all of them are fought."""
        self._times = {piece: found for piece, found in self._times.items() if not _is_calm(found, now)}
        for piece in pieces:
            self._times[piece] = (self._times.get(piece, (0, 0.0))[0] + 1, now)
        worst = max(pieces, key=lambda piece: self._times[piece][0], default="")
        if self.is_fought(worst):
            self.fought = worst
        return min((_pause(self._times[piece][0]) for piece in pieces), default=0.0)

    def is_fought(self, piece: str) -> bool:
        """Return whether another program keeps undoing this."""
        return self._times.get(piece, (0, 0.0))[0] > TOLERATED

    def is_calm(self, now: float) -> bool:
        """Return whether a fight has just ended; once for each."""
        if not self.fought or not _is_calm(self._times[self.fought], now):
            return False
        self.fought = ""
        return True


def _pause(times: int) -> float:
    return 0.0 if times <= TOLERATED else _doubled(times - TOLERATED - 1, LONGEST_FIGHT)


def _doubled(times: int, longest: float) -> float:
    """Return one second, doubled so many times, but at most ``longest``."""
    return min(longest, 2.0 ** min(times, MOST_DOUBLINGS))


def _is_calm(found: tuple[int, float], now: float) -> bool:
    times, last = found
    return now - last > CALM + 2 * _pause(times)
