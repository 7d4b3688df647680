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


class Change:
    """What differs. Routes that only lead elsewhere now are in ``routes_gone`` and in ``routes_new``."""

    __slots__ = ("elements_gone", "elements_new", "routes_gone", "routes_new", "ruleset")

    def __init__(self) -> None:
        self.routes_gone: list[Route] = []
        self.routes_new: list[Route] = []
        self.elements_gone: Elements = {}
        self.elements_new: Elements = {}
        self.ruleset = ""
        """What is done about sets and rules: '' if nothing, else a word for the log."""


def difference(desired: Desired, kernel: Kernel, ruleset: Ruleset, bridges: Collection[str]) -> Change:
    """What makes the kernel as desired, as far as these bridges are concerned."""
    change = Change()
    prefixes = {prefix for prefix, _ in desired.routes}
    in_scope = {route for route in kernel.routes if route[1] in bridges or route[0] in prefixes}
    change.routes_gone = sorted(in_scope - desired.routes.keys())
    change.routes_new = [route for route in desired.routes if route not in kernel.routes]

    present = kernel.table.elements if kernel.table else {name: set() for name in SETS}
    for name in SETS:
        scope = _elements_in_scope(name, desired.elements, present, bridges)
        change.elements_gone[name] = scope - desired.elements[name]
        change.elements_new[name] = desired.elements[name] - present[name]

    if kernel.table is None:
        change.ruleset = "created"
    elif not ruleset.is_intact(kernel.table.comments):
        change.ruleset = "renewed"
    return change


def _elements_in_scope(name: str, desired: Elements, present: Elements, bridges: Collection[str]) -> set[Element]:
    """The elements of a set, among those present, that this run decides about."""
    if name.startswith("routed"):  # from the configuration alone, so every run decides about all of them
        return present[name]
    blocks = set() if name in {BRIDGES, ISOLATED} else {block for _, block in desired[name]}
    return {element for element in present[name] if element[0] in bridges or element[-1] in blocks}
