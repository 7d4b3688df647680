"""One run, of an event, a verb or the service: decide and do it.

"Could not read" is not "empty": a failed read ends the run before it has written anything. Others write at the same
time (libvirt, iptables), and what they made stale is read and decided anew, once. Nothing is atomic across tools: what
one of them refuses is said, and the rest is done all the same. When nothing differs, nothing is written.
"""

from __future__ import annotations

from nethook.config import Configuration
from nethook.engine.plan import decide
from nethook.engine.snapshot import Question
from nethook.errors import NethookError
from nethook.host.lock import FOLDER, RECORD_LOCK
from nethook.libvirt import record
from nethook.parts.classifying import protect
from nethook.parts.flows import FlowStep
from nethook.parts.routes import ROUTES
from nethook.placement.scope import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.changes import Effect, Step
    from nethook.config import Settings
    from nethook.config.text import Problem
    from nethook.engine.plan import Plan
    from nethook.host import Host

ATTEMPTS = 2
MOST_BY_EVENT = 50_000
"""New addresses that an event has the time to put in force."""


class Outcome:
    """The outcome of a run: its effects, a sentence for each failure, and the step that is ``left`` for after the lock.

    ``refused`` are the problems of lines that were not put in force, because on this host they must not be.
    """

    __slots__ = ("done", "failures", "left", "refused")

    def __init__(self) -> None:
        self.done: list[Effect] = []
        self.failures: list[str] = []
        self.left: FlowStep | None = None
        self.refused: Sequence[Problem] = ()

    def take(self, todo: Sequence[Step], host: Host) -> bool:
        """Take the steps. False when one failed without which the others must not be taken.

        What is left to be done without the lock is noted before anything changes.
        """
        for step in todo:
            if isinstance(step, FlowStep):
                self.left = step.joined(self.left)
        not_noted = self.left.note(host) if self.left else []
        is_complete = self._take_all(todo, host)
        self.failures += not_noted
        return is_complete

    def _take_all(self, todo: Sequence[Step], host: Host) -> bool:
        for step in todo:
            if isinstance(step, FlowStep) or (step.needs_all and self.failures):
                continue
            if not self._take(step, host) and step.ends_run:
                return False
        return True

    def finish(self, host: Host) -> None:
        """Take what is left, once the lock has been given back."""
        if self.left:
            self._take(self.left, host)
        self.left = None

    def _take(self, step: Step, host: Host) -> bool:
        try:
            done, failures = step.take(host)
        except NethookError as error:  # what the steps before have done is still said
            done, failures = [], [str(error)]
        self.done += done
        self.failures += failures
        return not failures


def _refuse_too_many(plan: Plan) -> None:
    """Raise NethookError if an event has no time for all new addresses: a random half would be in force."""
    new = len(plan.case.delta(ROUTES).new)
    if new > MOST_BY_EVENT:
        raise NethookError(
            f"nothing was changed: {new} new addresses are more than an event has time for ({MOST_BY_EVENT}); "
            "run `nethook apply`"
        )


def reconcile(question: Question) -> Outcome:
    """Make the kernel as it should be. ReadError if its state cannot be known; then nothing was changed."""
    outcome, host = Outcome(), question.host
    for attempt in range(ATTEMPTS):
        try:
            plan = decide(question.anew() if attempt else question)
        except (NethookError, ImportError) as error:  # the package may be replaced while we run
            if not outcome.done:
                raise
            outcome.failures.append(str(error))
            break
        if not question.is_thorough:
            _refuse_too_many(plan)
        outcome.failures = list(plan.failures)
        outcome.refused = plan.refused
        if outcome.take(plan.steps, host):
            break
    if question.clears:
        return outcome
    try:
        # An event may have come since, whose bridge a table does not have that was made anew.
        outcome.done += protect(host, [*record.read(host).guest_bridges, *question.scope.guest_bridges], question.scope)
    except NethookError as error:
        outcome.failures.append(str(error))
    return outcome


def clear(settings: Settings, host: Host) -> Outcome:
    """Remove everything of ours, and what we have noted, but for the record. The caller holds the lock.

    Without the record, the next event would take other networks for the outside. OSError, and as ``reconcile``.
    """
    outcome = reconcile(Question(Configuration(settings, [], []), [], Scope(), host, is_thorough=True, clears=True))
    if not outcome.failures:
        for name in host.names(FOLDER):
            if f"{FOLDER}/{name}" not in {record.FILE, RECORD_LOCK}:
                host.remove(f"{FOLDER}/{name}")
    return outcome
