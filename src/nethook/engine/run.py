"""One run, of an event, a verb or the service: decide and do it.

"Could not read" is not "empty": a failed read ends the run before it has written anything. Others write at the same
time (libvirt, iptables), and what they made stale is read and decided anew, once. Nothing is atomic across tools: what
one of them refuses is said, and the rest is done all the same. When nothing differs, nothing is written.
"""

from __future__ import annotations

from nethook import log
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
    from nethook.engine.case import Case
    from nethook.engine.plan import Plan
    from nethook.host import Host

ATTEMPTS = 2
MOST_BY_EVENT = 50_000
"""New addresses that an event has the time to put in force."""
APPLIED = f"{FOLDER}/applied"
"""The file that says what is applied: ``applied.py``."""
CLEARED = "cleared"
"""Begins it after `nethook clear`, instead of a fingerprint."""
NOTHING_APPLIED = f"{CLEARED}\0\0\0\0end\0"
"""Its content right after that."""
TALLY = f"{FOLDER}/runs"
"""The file with what runs have done, for `nethook metrics`: ``tally.py``."""
FAILED = "failed"
"""Begins the tally if the last run failed."""
EVENT, APPLY, CLEAR = "event", "apply", "clear"
"""Causes of runs. The service has others."""


class Outcome:
    """The outcome of a run: its effects, a sentence for each failure, and the step that is ``left`` for after the lock.

    ``refused`` are the problems of lines that were not put in force, because on this host they must not be;
    ``warnings`` are those of lines that were. ``case`` is what the run decided by; None if it did not get so far.
    """

    __slots__ = ("case", "done", "failures", "left", "refused", "warnings")

    def __init__(self) -> None:
        self.done: list[Effect] = []
        self.failures: list[str] = []
        self.left: FlowStep | None = None
        self.refused: Sequence[Problem] = ()
        self.warnings: Sequence[Problem] = ()
        self.case: Case | None = None

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
        """Take what is left, and tell the program of ``on-change``, once the lock has been given back."""
        if self.left:
            self._take(self.left, host)
        self.left = None
        self.tell_program(host)

    def tell_program(self, host: Host) -> None:
        """Tell the program of the setting ``on-change``, if there is one, which addresses came and went."""
        if self.case and self.case.settings.on_change:
            from nethook.engine.on_change import tell  # noqa: PLC0415 - few hosts have such a program

            tell(self.case.settings.on_change, self.done, self.case, host)

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
            outcome.warnings = plan.warnings or outcome.warnings
        except (NethookError, ImportError) as error:  # the package may be replaced while we run
            if not outcome.done:
                raise
            outcome.failures.append(str(error))
            break
        if not question.is_thorough:
            _refuse_too_many(plan)
        outcome.failures = list(plan.failures)
        outcome.refused = plan.refused
        outcome.case = plan.case
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


def count_run(cause: str, done: Sequence[Effect], failures: Sequence[str], host: Host) -> None:
    """Add a run to the tally: its cause, which is one of a few words, what it has changed, and what has failed.

    A run that finds nothing to do writes nothing, unless the one before it failed. That a run cannot be counted is
    logged, and nothing more.
    """
    try:
        if done or failures or host.recorded(TALLY).startswith(FAILED):
            from nethook.engine.tally import add  # noqa: PLC0415 - most events have nothing to count

            add(cause, len(done), len(failures), host)
    except (OSError, ImportError) as error:  # the package may be replaced while we run
        log.errors([f"cannot count this run in {TALLY}: {getattr(error, 'strerror', None) or error}"], host)


def _note_clear(host: Host) -> list[str]:
    """Note that the administrator wants nothing in force; return why that is not possible, if so."""
    try:
        if host.recorded(APPLIED) != NOTHING_APPLIED:
            host.record(APPLIED, NOTHING_APPLIED)
    except OSError as error:
        return [f"cannot write {APPLIED}: {error.strerror}; nethook.service may bring everything back"]
    return []


def cleared(settings: Settings, host: Host) -> Question:
    """Return the question of a run that wants nothing."""
    return Question(Configuration(settings, [], []), [], Scope(), host, is_thorough=True, clears=True)


def clear(settings: Settings, host: Host) -> Outcome:
    """Remove everything of ours, and what we have noted, but for record and tally. The caller holds the lock.

    Without the record, the next event would take other networks for the outside. What the administrator wants is
    noted first, so that the service does not bring it back. OSError, and as ``reconcile``.
    """
    not_noted = _note_clear(host)
    outcome = reconcile(cleared(settings, host))
    outcome.failures += not_noted
    if not outcome.failures:
        for name in host.names(FOLDER):
            if f"{FOLDER}/{name}" not in {record.FILE, RECORD_LOCK, TALLY, APPLIED}:
                host.remove(f"{FOLDER}/{name}")
    count_run(CLEAR, outcome.done, outcome.failures, host)
    return outcome
