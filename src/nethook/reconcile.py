"""Decide and do it: what every run does, whoever started it.

"Could not read" is not "empty": a failed read ends the run before it has written anything. Others write at the same
time (libvirt, iptables), and what they made stale is read and decided anew, once. Nothing is atomic across tools: what
one of them refuses is said, and the rest is done all the same. When nothing differs, nothing is written.
"""

from __future__ import annotations

from nethook.errors import NethookError
from nethook.libvirt import record
from nethook.plan import decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.effect import Effect
    from nethook.kernel.process import Tools
    from nethook.libvirt.network import Network
    from nethook.others import Others
    from nethook.scope import Scope
    from nethook.step import Step

ATTEMPTS = 2


class Outcome:
    """What a run has done, and what failed, a sentence each; and what is ``left`` to be done without the lock."""

    __slots__ = ("done", "failures", "left")

    def __init__(self) -> None:
        self.done: list[Effect] = []
        self.failures: list[str] = []
        self.left: list[Step] = []

    def take(self, todo: Sequence[Step], tools: Tools) -> bool:
        """Take the steps. False when one failed without which the others must not be taken."""
        for step in todo:
            if step.needs_all and self.failures:
                continue
            if not step.needs_lock:
                self.left.append(step)
            elif not self._take(step, tools) and step.ends_run:
                return False
        return True

    def finish(self, tools: Tools) -> None:
        """Take what is left, once the lock has been given back."""
        for step in self.left:
            self._take(step, tools)
        self.left = []

    def _take(self, step: Step, tools: Tools) -> bool:
        try:
            done, failures = step.take(tools)
        except NethookError as error:  # what the steps before have done is still said
            done, failures = [], [str(error)]
        self.done += done
        self.failures += failures
        return not failures


def reconcile(
    configuration: Configuration, networks: Sequence[Network], scope: Scope, tools: Tools, others: Others | None = None
) -> Outcome:
    """Make the kernel as it should be within the scope, when exactly these networks of it are up.

    ReadError if the kernel's state cannot be known; then nothing was changed.
    """
    outcome = Outcome()
    for attempt in range(ATTEMPTS):
        try:
            plan = decide(configuration, networks, scope, tools, others, again=attempt > 0)
        except (NethookError, ImportError) as error:  # the package may be replaced while we run
            if not outcome.done:
                raise
            outcome.failures.append(str(error))
            break
        outcome.failures = list(plan.failures)
        if outcome.take(plan.steps, tools):
            break
    outcome.failures += record.update(networks, scope)
    return outcome
