"""A run about everything that libvirt knows: ask it, take the lock, change what differs, and once more if need be.

What makes it hard, and how each point is met:

- libvirt must not be asked while the lock is held: it may wait for a hook that waits for the lock. So it is asked
  first. If another run has come between, which may have known better, it is asked again.
- A network may stop just now, and then what leads to it fails. So what fails is tried once more, with new answers.
- An event may have given up waiting for the lock. Its network is looked at again.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nethook.engine.run import APPLY, Outcome, count_run, reconcile
from nethook.engine.situation import limited_host
from nethook.errors import NethookError, ReadError
from nethook.libvirt import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nethook.engine.situation import Situation

ATTEMPTS = 10
"""A run that finds another one in between has changed nothing, and events come one by one."""
WAITING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that wait until what was begun is done and told: Ctrl-C, the end of a session, systemd's time-out."""


def cycle(
    ask: Callable[[], Situation | None], tell: Callable[[Outcome], None], cause: str = APPLY
) -> tuple[Situation, Outcome] | None:
    """Change what differs from what ``ask`` answers; None if that is None.

    ``tell`` gets what was done and what failed, in one part or in several. Returns the last answer and the last part.
    ReadError if the kernel's state cannot be known, NethookError if other runs keep coming between. All that is told
    is counted as one run of this cause.
    """
    told, found = Outcome(), None

    def hear(outcome: Outcome) -> None:
        told.done += outcome.done
        told.failures += outcome.failures
        tell(outcome)

    try:
        found = _cycle(ask, hear)
    except NethookError as error:
        told.failures.append(str(error))
        raise
    finally:
        if found or told.done or told.failures:
            count_run(cause, told.done, told.failures, limited_host())
    return found


def _cycle(ask: Callable[[], Situation | None], tell: Callable[[Outcome], None]) -> tuple[Situation, Outcome] | None:
    failed: list[str] | None = None
    has_told = False
    for _ in range(ATTEMPTS):
        host = limited_host()
        host.take_missed()
        before = host.last_run()
        with host.version(record.FILE) as asked:
            now = ask()
            if now is None:
                return None
            with uninterrupted():
                host = limited_host()
                with host.locked(as_of=before) as lock:
                    if not lock.is_current or not now.record(asked, host):
                        continue
                    try:
                        outcome = reconcile(now.question(host))
                    except ReadError:
                        if failed is not None:
                            raise
                        failed = []
                        continue
                    outcome.failures += now.not_recorded
                outcome.finish(host)
                if not host.take_missed() and (not outcome.failures or failed is not None):
                    tell(outcome)
                    return now, outcome
                if outcome.failures:
                    failed, outcome.failures = outcome.failures, []
                if outcome.done:
                    tell(outcome)
                    has_told = True
    if failed:
        last = Outcome()
        last.failures = failed
        tell(last)
        has_told = True
    raise NethookError(f"other runs keep coming between{'' if has_told else '; nothing was changed'}; try again")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let signals wait until this block has ended. nft, ip and iptables that it starts are not interrupted either."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WAITING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
