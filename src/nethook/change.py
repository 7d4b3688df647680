"""Desired minus kernel → change. Pure: the difference, within a scope, that one run makes.

A hook's scope is its own network: what is on that network's bridge, and the prefixes that the configuration gives to it
wherever they are now, because an address has one place. Everything else stays as it is.
"""

from __future__ import annotations

from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.desired import Desired
    from nethook.kernel.keys import Element
    from nethook.kernel.routes import Route
    from nethook.kernel.ruleset import Ruleset
    from nethook.kernel.table import Elements, Table


class Kernel:
    """What was read of ours: routes, and the table (None if there is none)."""

    __slots__ = ("routes", "table")

    def __init__(self, routes: set[Route], table: Table | None) -> None:
        self.routes = routes
        self.table = table


class Scope:
    """What a run decides about: what is on these ``bridges``, but for the prefixes in ``spared``."""

    __slots__ = ("bridges", "spared")

    def __init__(self, bridges: Collection[str], spared: Collection[str] = ()) -> None:
        self.bridges = bridges
        self.spared = spared

    def covers(self, prefix: str, bridge: str) -> bool:
        """Whether a prefix on a bridge is one of these things."""
        return bridge in self.bridges and prefix not in self.spared


class Change:
    """What differs. Routes that only lead elsewhere now are in ``routes_gone`` and in ``routes_new``."""

    __slots__ = ("elements_gone", "elements_new", "routes_gone", "routes_new", "ruleset")

    def __init__(self) -> None:
        self.routes_gone: list[Route] = []
        self.routes_new: list[Route] = []
        self.elements_gone: Elements = {}
        self.elements_new: Elements = {}
        self.ruleset = ""
        """What is done about sets and rules: '' (nothing), created, renewed (elements stay), rebuilt (they are new)."""


def difference(desired: Desired, kernel: Kernel, ruleset: Ruleset, scope: Scope, *, rebuild: bool = False) -> Change:
    """What makes the kernel as desired within the scope. ``rebuild``: a table with other rules is made anew."""
    change = Change()
    prefixes = {prefix for prefix, _ in desired.routes}
    surplus = kernel.routes - desired.routes.keys()
    change.routes_gone = sorted(route for route in surplus if scope.covers(*route) or route[0] in prefixes)
    change.routes_new = [route for route in desired.routes if route not in kernel.routes]

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
        return {element for element in elements if element[0] in scope.bridges}
    return {(bridge, block) for bridge, block in elements if scope.covers(block, bridge) or block in prefixes}
