"""Desired minus kernel → change. Pure: the difference, within a scope, that one run makes.

A hook's scope is its own network: what is on that network's bridge, and the prefixes that the configuration gives to it
wherever they are now, because an address has one place. Everything else stays as it is. Without a scope, a run decides
about everything of ours.
"""

from __future__ import annotations

from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nethook.config import RoutedIP
    from nethook.desired import Desired
    from nethook.kernel.keys import Element
    from nethook.kernel.routes import Route
    from nethook.kernel.ruleset import Ruleset
    from nethook.kernel.table import Elements, Table
    from nethook.libvirt.network import Network


class Kernel:
    """What was read: our routes, our table (None if there is none), and routes of others that do for ours."""

    __slots__ = ("inherited", "routes", "standing_in", "table")

    def __init__(
        self,
        routes: set[Route],
        table: Table | None,
        standing_in: Collection[Route] = (),
        inherited: Collection[Route] = (),
    ) -> None:
        self.routes = routes
        self.table = table
        self.standing_in = standing_in
        """Routes of others, so that one of ours is neither needed nor possible: a network's own subnet has one."""
        self.inherited = inherited
        """Routes of our predecessor, to be replaced by ours."""


class Scope:
    """What a run decides about: everything, or what is on some bridges, but for some prefixes on each."""

    __slots__ = ("_spared",)

    def __init__(self, spared: Mapping[str, Collection[str]] | None = None) -> None:
        """``spared`` has the prefixes that are left alone, by bridge; None: the scope is everything."""
        self._spared = spared

    def has(self, bridge: str) -> bool:
        """Whether it decides about the bridge itself."""
        return self._spared is None or bridge in self._spared

    def covers(self, prefix: str, bridge: str) -> bool:
        """Whether it decides about the prefix on this bridge."""
        return self._spared is None or (bridge in self._spared and prefix not in self._spared[bridge])


EVERYTHING = Scope()


def scope_of(networks: Iterable[Network], routed_ips: Collection[RoutedIP]) -> Scope:
    """The bridges of these networks. Several networks may use one that the host brings: what is others' stays."""
    networks = list(networks)
    names = {network.name for network in networks}
    of_others = {routed.prefix.text for routed in routed_ips if routed.network not in names}
    return Scope({network.bridge: () if network.is_libvirts_own else of_others for network in networks})


class Change:
    """What differs. Routes that only lead elsewhere now are in ``routes_gone`` and in ``routes_new``."""

    __slots__ = ("elements_gone", "elements_new", "routes_gone", "routes_inherited", "routes_new", "ruleset")

    def __init__(self) -> None:
        self.routes_gone: list[Route] = []
        self.routes_new: list[Route] = []
        self.routes_inherited: list[Route] = []
        self.elements_gone: Elements = {}
        self.elements_new: Elements = {}
        self.ruleset = ""
        """What is done about sets and rules: '' (nothing), created, renewed (elements stay), rebuilt (they are new)."""

    @property
    def concerns_configured(self) -> bool:
        """Whether prefixes come or go that are configured, wherever they are."""
        return any(
            members and name.startswith("routed")
            for elements in (self.elements_gone, self.elements_new)
            for name, members in elements.items()
        )


def difference(desired: Desired, kernel: Kernel, ruleset: Ruleset, scope: Scope, *, rebuild: bool = False) -> Change:
    """What makes the kernel as desired within the scope. ``rebuild``: a table with other rules is made anew."""
    change = Change()
    prefixes = {prefix for prefix, _ in desired.routes}
    surplus = kernel.routes - desired.routes.keys() - desired.kept
    change.routes_gone = sorted(route for route in surplus if scope.covers(*route) or route[0] in prefixes)
    lacking = [route for route in desired.routes if route not in kernel.routes and route not in kernel.standing_in]
    change.routes_new = [route for route in lacking if route not in kernel.inherited]
    change.routes_inherited = [route for route in lacking if route in kernel.inherited]

    present = kernel.table.elements if kernel.table else {name: set() for name in SETS}
    for name in SETS:
        change.elements_gone[name] = _in_scope(name, present[name] - desired.elements[name], prefixes, scope)
        change.elements_new[name] = desired.elements[name] - present[name]

    if kernel.table is None:
        change.ruleset = "created"
    elif not ruleset.is_intact(kernel.table.comments):
        change.ruleset = "renewed"
        if rebuild:
            change.ruleset = "rebuilt"
            for name in SETS:
                change.elements_new[name] = desired.elements[name] | present[name] - change.elements_gone[name]
            change.elements_gone = {}
    return change


def _in_scope(name: str, elements: set[Element], prefixes: set[str], scope: Scope) -> set[Element]:
    """Those of a set's elements that this run decides about. ``prefixes`` are those that it has to place."""
    if not SETS[name].has_device:  # of the configuration alone, so every run decides about all of them
        return elements
    if name in {BRIDGES, ISOLATED}:
        return {element for element in elements if scope.has(element[0])}
    return {(bridge, block) for bridge, block in elements if scope.covers(block, bridge) or block in prefixes}
