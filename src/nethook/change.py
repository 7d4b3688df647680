"""Desired minus kernel → change. Pure: the difference, within a scope, that one run makes.

A hook's scope is its own network: what is on that network's bridge, and the prefixes that the configuration gives to it
wherever they are now, because an address has one place. Everything else stays as it is. Without a scope, a run decides
about everything of ours.
"""

from __future__ import annotations

from nethook.kernel.kinds import KINDS
from nethook.kernel.routes import ROUTES
from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nethook.config import RoutedIP
    from nethook.desired import Desired
    from nethook.kernel.keys import Element
    from nethook.kernel.kind import Key, Kind
    from nethook.kernel.kinds import Objects
    from nethook.kernel.routes import Place
    from nethook.kernel.ruleset import Ruleset
    from nethook.kernel.table import Elements, Table
    from nethook.libvirt.network import Network


class Kernel:
    """What was read: our objects, our table (None if there is none), and routes of others that do for ours."""

    __slots__ = ("inherited", "objects", "standing_in", "table")

    def __init__(
        self,
        objects: Objects,
        table: Table | None,
        standing_in: Collection[Place] = (),
        inherited: Collection[Place] = (),
    ) -> None:
        self.objects = objects
        self.table = table
        self.standing_in = standing_in
        """Where routes of others lead, so that one of ours is neither needed nor possible: as to a network's subnet."""
        self.inherited = inherited
        """Where routes of our predecessor lead, to be replaced by ours."""

    @property
    def routes(self) -> set[Key]:
        """Our routes."""
        return self.objects.get(ROUTES, set())


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
        """Whether it decides about the prefix on this bridge; bridge '': about what depends on no network."""
        return self._spared is None or not bridge or (bridge in self._spared and prefix not in self._spared[bridge])


EVERYTHING = Scope()


def scope_of(networks: Iterable[Network], routed_ips: Collection[RoutedIP]) -> Scope:
    """The bridges of these networks. Several networks may use one that the host brings: what is others' stays."""
    networks = list(networks)
    names = {network.name for network in networks}
    of_others = {routed.prefix.text for routed in routed_ips if routed.network not in names}
    return Scope({network.bridge: () if network.is_libvirts_own else of_others for network in networks})


class Change:
    """What differs. An object that is only another now is in ``gone`` and in ``new``; both are by kind."""

    __slots__ = ("elements_gone", "elements_new", "gone", "inherited", "new", "ruleset")

    def __init__(self) -> None:
        self.gone: dict[Kind, list[Key]] = {}
        self.new: dict[Kind, list[Key]] = {}
        self.inherited: list[Key] = []
        """Routes that take the place of our predecessor's."""
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
    prefixes = {route[0] for route in desired.routes}
    for kind in KINDS:
        present, wanted = kernel.objects.get(kind, set()), desired.objects[kind]
        surplus = present - wanted.keys() - desired.kept
        change.gone[kind] = sorted(key for key in surplus if scope.covers(key[0], key[1]) or key[0] in prefixes)
        change.new[kind] = [key for key in wanted if key not in present]
    lacking = [route for route in change.new[ROUTES] if route[:2] not in kernel.standing_in]
    change.new[ROUTES] = [route for route in lacking if route[:2] not in kernel.inherited]
    change.inherited = [route for route in lacking if route[:2] in kernel.inherited]

    elements = kernel.table.elements if kernel.table else {name: set() for name in SETS}
    for name in SETS:
        change.elements_gone[name] = _in_scope(name, elements[name] - desired.elements[name], prefixes, scope)
        change.elements_new[name] = desired.elements[name] - elements[name]

    if kernel.table is None:
        change.ruleset = "created"
    elif not ruleset.is_intact(kernel.table.comments):
        change.ruleset = "renewed"
        if rebuild:
            change.ruleset = "rebuilt"
            for name in SETS:
                change.elements_new[name] = desired.elements[name] | elements[name] - change.elements_gone[name]
            change.elements_gone = {}
    return change


def _in_scope(name: str, elements: set[Element], prefixes: set[str], scope: Scope) -> set[Element]:
    """Those of a set's elements that this run decides about. ``prefixes`` are those that it has to place."""
    if not SETS[name].has_device:  # of the configuration alone, so every run decides about all of them
        return elements
    if name in {BRIDGES, ISOLATED}:
        return {element for element in elements if scope.has(element[0])}
    return {(bridge, block) for bridge, block in elements if scope.covers(block, bridge) or block in prefixes}
