"""The tally of runs since the host started: what they have changed and what has failed, by their causes.

The kernel cannot tell it, and the log is not for programs. It is a file in ``/run/nethook``, which is replaced in one
step under the lock of the record: that one never waits for a run, so a run is counted also where it did not get the
lock of runs. Its first line says whether the last run failed, and when the last one changed something, and failed. Each
other line has four numbers and a cause.
"""

from __future__ import annotations

from nethook.engine.run import APPLY, CLEAR, EVENT, FAILED, TALLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.host import Host

WENT_WELL = "ok"
MOST_CAUSES = 50
"""Each is a series of a monitoring system, and a line of the file. Runs of further causes count as OTHER."""
OTHER = "other"


class Counts:
    """The runs of one cause: those that changed something and did not fail, those that failed, and what they did."""

    __slots__ = ("changed", "changes", "failed", "failures")

    def __init__(self, changed: int = 0, failed: int = 0, changes: int = 0, failures: int = 0) -> None:
        self.changed = changed
        self.failed = failed
        self.changes = changes
        self.failures = failures


class Tally:
    """All runs, by their causes, and whether the last one failed.

    ``changed_at`` and ``failed_at`` are when the last run changed something, and when the last one failed, in seconds
    since 1970; 0 if none has.
    """

    __slots__ = ("by_cause", "changed_at", "failed_at", "has_failed")

    def __init__(self) -> None:
        self.has_failed = False
        self.changed_at = 0.0
        self.failed_at = 0.0
        self.by_cause = {cause: Counts() for cause in (EVENT, APPLY, CLEAR)}

    def add(self, cause: str, changes: int, failures: int, now: float) -> None:
        """Add a run. One that did nothing only ends a failure."""
        cause = " ".join(cause.split())
        if cause not in self.by_cause and len(self.by_cause) >= MOST_CAUSES:
            cause = OTHER
        counts = self.by_cause.setdefault(cause, Counts())
        counts.changes += changes
        counts.failures += failures
        self.has_failed = bool(failures)
        if failures:
            counts.failed += 1
            self.failed_at = now
        elif changes:
            counts.changed += 1
        if changes:
            self.changed_at = now

    @property
    def text(self) -> str:
        """The content of the file."""
        lines = [f"{FAILED if self.has_failed else WENT_WELL} {self.changed_at} {self.failed_at}"]
        for cause, counts in self.by_cause.items():
            lines.append(f"{counts.changed} {counts.failed} {counts.changes} {counts.failures} {cause}")
        return "".join(f"{line}\n" for line in lines)


def read(host: Host) -> Tally:
    """Return the tally, without its broken parts. OSError if it cannot be read."""
    return _parse(host.recorded(TALLY))


def add(cause: str, changes: int, failures: int, host: Host) -> None:
    """Add a run to the file. OSError if it cannot be read or written."""
    with host.record_locked():
        tally = read(host)
        tally.add(cause, changes, failures, host.now())
        host.record(TALLY, tally.text)


def _parse(text: str) -> Tally:
    tally = Tally()
    first, *lines = text.splitlines() or [""]
    try:
        result, changed_at, failed_at = first.split()
        tally.changed_at, tally.failed_at = float(changed_at), float(failed_at)
        tally.has_failed = result == FAILED
    except ValueError:
        return Tally()
    for line in lines:
        try:
            changed, failed, changes, failures, cause = line.split(None, 4)
            tally.by_cause[cause] = Counts(int(changed), int(failed), int(changes), int(failures))
        except ValueError:
            continue
    return tally
