"""Foreign routes that make ours needless: they lead to the same place. Only thorough runs look for them.

A network's own subnet has a route of the kernel's; a line that names this very subnet needs no other.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.host.process import Call, json_lists
from nethook.legacy06.leftovers import is_of_0_6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from nethook.host import Host
    from nethook.host.process import Result
    from nethook.parts.routes import Place

INDIRECT = frozenset({"gateway", "via", "nexthops", "type"})
"""What a route has that leads to somewhere behind the bridge, or nowhere."""


class ForeignRoutes:
    """The foreign routes on these bridges, which exist."""

    def __init__(self, bridges: Collection[str]) -> None:
        self._bridges = sorted(bridges)

    def read_calls(self, host: Host) -> list[Call]:
        """Return the calls that list those routes: one for each family, with a listing for each bridge."""
        if not self._bridges:
            return []
        lines = "".join(f"route show dev {bridge}\n" for bridge in self._bridges)
        return [Call(("ip", f"-{family}", "-json", "-batch", "-"), lines) for family in host.families()]

    def routes(self, results: Iterable[Result]) -> tuple[set[Place], set[Place]]:
        """Return routes that stand in for ours, and routes of release 0.6; ReadError if they are not known."""
        standing_in: set[Place] = set()
        inherited: set[Place] = set()
        for result in results:
            for bridge, listed in self._listed(result):
                if INDIRECT.isdisjoint(listed) and listed["dst"] != "default":
                    (inherited if is_of_0_6(listed) else standing_in).add((listed["dst"], bridge))
        return standing_in, inherited

    def _listed(self, result: Result) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each listed route, with its bridge."""
        if result.status != 0:
            raise ReadError(result.failure)
        for bridge, routes in zip(self._bridges, json_lists(result, len(self._bridges))):
            for route in routes:
                if not isinstance(route.get("dst"), str):
                    raise ReadError(result.not_understood)
                yield bridge, route
