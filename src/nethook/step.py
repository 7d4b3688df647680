"""A step: one process that changes the kernel, and what it does."""

from __future__ import annotations

from nethook.effect import REMOVE
from nethook.kernel import flows
from nethook.kernel.batch import batch, refusals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.effect import Effect
    from nethook.kernel.kind import Key, Kind
    from nethook.kernel.process import Call, Tools


class Step:
    """One process to run, all of whose work is done or none; ``effects`` has each change that it makes."""

    def __init__(
        self, call: Call, effects: Sequence[Effect], *, ends_run: bool = False, needs_all: bool = False
    ) -> None:
        self.call = call
        self.effects = list(effects)
        self.ends_run = ends_run
        """Whether what comes behind this step must not be done without it."""
        self.needs_all = needs_all
        """Whether it must not be done unless everything before it has been."""

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [self.call]

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it. Returns what was done, and a sentence for each failure."""
        result = tools.run(self.call)
        return (self.effects, []) if result.status == 0 else ([], [result.failure])


class ObjectChange:
    """What happens to one object: the line for ``ip`` that does it, and its effect."""

    __slots__ = ("effect", "key", "kind", "line")

    def __init__(self, kind: Kind, key: Key, line: str, effect: Effect) -> None:
        self.kind = kind
        self.key = key
        self.line = line
        self.effect = effect


class BatchStep(Step):
    """Objects changed by one process, a line for each; what the kernel refuses of them does not keep the others."""

    def __init__(self, changes: Sequence[ObjectChange]) -> None:
        """In this order."""
        self._changes = changes
        super().__init__(batch([change.line for change in changes]), [change.effect for change in changes])

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it; what is as desired by somebody else's doing is neither done nor a failure."""
        result = tools.run(self.call)
        refused = refusals(result)
        if result.status != 0 and not refused:
            return [], [result.failure]
        failures: list[str] = []
        for number, said in sorted(refused.items()):
            change = self._changes[number]
            if change.effect.sign != REMOVE:
                why = change.kind.why_not_added(change.key, said, tools)
                verb = "add"
            else:
                why = "" if said.startswith(change.kind.already_gone) else said
                verb = "delete"
            if why:
                prefix, device, *_ = change.key
                failures.append(f"cannot {verb} {change.kind.name} {prefix} dev {device}: {why}")
        return [effect for number, effect in enumerate(self.effects) if number not in refused], failures


class FlowStep(Step):
    """Connections of addresses that are at another guest now are deleted, so that none goes on to the old one."""

    def __init__(self, prefixes: Sequence[tuple[str, Effect]]) -> None:
        """Each with its effect."""
        self._prefixes = prefixes
        super().__init__(flows.deletions(prefixes[0][0])[0], [effect for _, effect in prefixes])

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [call for prefix, _ in self._prefixes for call in flows.deletions(prefix)]

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run them; an address without connections is no failure, and nothing was done then."""
        if not flows.can_be_deleted():
            return [], []
        done: list[Effect] = []
        failures: list[str] = []
        for prefix, effect in self._prefixes:
            results = [tools.run(call) for call in flows.deletions(prefix)]
            failures += filter(None, map(flows.failure, results))
            if any(result.status == 0 for result in results):
                done.append(effect)
        return done, failures
