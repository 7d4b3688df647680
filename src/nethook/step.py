"""A step: one process that changes the kernel, and what it does."""

from __future__ import annotations

from nethook.effect import REMOVE
from nethook.kernel import routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.effect import Effect
    from nethook.kernel.process import Call, Tools
    from nethook.kernel.routes import Route


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

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it. Returns what was done, and a sentence for each failure."""
        result = tools.run(self.call)
        return (self.effects, []) if result.status == 0 else ([], [result.failure])


class RouteStep(Step):
    """Routes changed by one process, a line for each; what the kernel refuses of them does not keep the others."""

    def __init__(self, changes: Sequence[tuple[str, Route, Effect]]) -> None:
        """Each change is the line for ``ip``, the route that it is about, and its effect."""
        self._routes = [route for _, route, _ in changes]
        super().__init__(routes.batch([line for line, _, _ in changes]), [effect for _, _, effect in changes])

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it; a route that is as desired by somebody else's doing is neither done nor a failure."""
        result = tools.run(self.call)
        refused = routes.refusals(result)
        if result.status != 0 and not refused:
            return [], [result.failure]
        failures: list[str] = []
        for number, why in sorted(refused.items()):
            prefix, device = self._routes[number]
            if self.effects[number].sign != REMOVE:
                failures += _why_not_added(self._routes[number], why, tools)
            elif not why.startswith(routes.ALREADY_GONE):
                failures.append(f"cannot delete route {prefix} dev {device}: {why}")
        return [effect for number, effect in enumerate(self.effects) if number not in refused], failures


def _why_not_added(route: Route, why: str, tools: Tools) -> Iterator[str]:
    prefix, device = route
    if why.startswith(routes.NO_DEVICE):  # its network stopped just now, and an event will tell
        return
    if why == routes.EXISTS:
        holder = routes.holder(tools.run(routes.holder_call(prefix)))
        if f" dev {device} " in f"{holder} ":
            return
        why = f"there is a route to it already, which is not ours: {holder or '(not found any more)'}"
    yield f"cannot add route {prefix} dev {device}: {why}"
