"""Desired minus present → change: the difference, within a scope, that one run makes. Pure."""

from __future__ import annotations

from nethook.net.names import is_sayable
from nethook.net.prefix import parse_prefix
from nethook.net.prefixes import Ordered, disjoint
from nethook.parts.fallback_rules import FALLBACK_RULES, in_place, rules_for
from nethook.parts.fallbacks import FALLBACKS, INNER, MAIN, is_inner
from nethook.parts.flows import Owed
from nethook.parts.gateways import GATEWAYS
from nethook.parts.kinds import KINDS
from nethook.parts.moved import handed_on
from nethook.parts.proxies import PROXIES
from nethook.parts.routes import ROUTES
from nethook.parts.tables.arp import ArpRules
from nethook.parts.tables.binding import BINDING
from nethook.parts.tables.ruleset import BRIDGES, ISOLATED, SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nethook.engine.desired import Desired
    from nethook.engine.desired.bindings import Bindings
    from nethook.engine.present import Present
    from nethook.host.keys import Element
    from nethook.host.layout import Layout
    from nethook.host.nftables import Elements, Table
    from nethook.parts.kind import Key, Kind
    from nethook.parts.switches import Values
    from nethook.parts.tables.ruleset import Ruleset
    from nethook.placement.scope import Scope


class TableChange:
    """What differs in one of our tables: elements, and ``what`` is done about the table itself.

    That is '' (nothing), created, renewed (elements stay), rebuilt (they are new), or removed.
    """

    __slots__ = ("gone", "layout", "new", "what")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.what = ""
        self.gone: Elements = {}
        self.new: Elements = {}


class Change:
    """What differs. An object that is only another now is in ``gone`` and in ``new``; both are by kind."""

    __slots__ = (
        "arp",
        "binding",
        "closed",
        "gone",
        "inherited",
        "new",
        "no_learning",
        "opened",
        "owed",
        "proxy_ndp",
        "table",
    )

    def __init__(self, table: TableChange, binding: TableChange) -> None:
        self.gone: dict[Kind, list[Key]] = {}
        self.new: dict[Kind, list[Key]] = {}
        self.inherited: list[Key] = []
        """Routes that take the place of our predecessor's."""
        self.table = table
        self.binding = binding
        self.arp: ArpRules | None = None
        """The rules for ARP, where they are not as they should be."""
        self.proxy_ndp: dict[str, bool] = {}
        """The uplinks on which it is turned on, or off."""
        self.no_learning: dict[str, bool] = {}
        """The bridges on which that they do not learn from link-local frames is switched on, or off."""
        self.owed = Owed()
        """The prefixes that moved in earlier runs and whose connections are still to be deleted."""
        self.opened: Mapping[str, Values] = {}
        """The bridges on which IPv6 is turned on, with what does it."""
        self.closed: Mapping[str, Values] = {}
        """Those on which it is turned off again."""

    @property
    def concerns_configured(self) -> bool:
        """Whether prefixes come or go that are configured, wherever they are."""
        return any(
            members and name.startswith("routed")
            for elements in (self.table.gone, self.table.new)
            for name, members in elements.items()
        )

    @property
    def moved(self) -> list[str]:
        """The prefixes that are not where they were before, or not at the same guest."""
        placed = [
            {(block, bridge) for name in elements if name.startswith("to") for bridge, block in elements[name]}
            for elements in (self.table.gone, self.table.new)
        ]
        blocks = {block for block, _ in placed[0]} & {block for block, _ in placed[1]}
        return sorted(blocks | handed_on(self.binding.gone, self.binding.new))


def difference(desired: Desired, present: Present, ruleset: Ruleset, scope: Scope, *, rebuild: bool = False) -> Change:
    """What makes the kernel as desired within the scope. ``rebuild``: a table with other rules is made anew."""
    prefixes = {route[0] for route in desired.routes}
    table = TableChange(ruleset)
    _compare(
        table,
        present.table,
        desired.elements,
        lambda name, gone: _in_scope(name, gone, prefixes, scope),
        rebuild=rebuild,
    )
    if present.table is None:
        table.what = "created"
    change = Change(table, _binding_change(desired.bindings, present, rebuild=rebuild))
    for kind in KINDS:
        there, wanted = present.objects[kind], desired.objects[kind]
        surplus = there - wanted.keys() - desired.kept[kind]
        in_the_way = {key for key in there if key[0] in scope.starting} if kind is ROUTES else set()
        mine = {key for key in surplus if scope.covers(key[0], key[1]) or key[0] in prefixes}
        change.gone[kind] = sorted(mine | in_the_way)
        change.new[kind] = [key for key in wanted if key not in there]
    lacking = [route for route in change.new[ROUTES] if route[:2] not in present.standing_in]
    change.new[ROUTES] = [route for route in lacking if route[:2] not in present.inherited]
    change.inherited = [route for route in lacking if route[:2] in present.inherited]

    _complete_fallbacks(change, present, scope)
    rules = ArpRules(_afterwards(GATEWAYS, change, present))
    change.arp = rules if rules.comments != list(present.arp) else None
    answering = {uplink for address, _, uplink in _afterwards(PROXIES, change, present) if ":" in address}
    change.proxy_ndp = {uplink: False for uplink in sorted(present.proxy_ndp) if uplink not in answering}
    change.proxy_ndp.update(dict.fromkeys(desired.proxy_ndp, True))
    change.no_learning = {
        bridge: False
        for bridge in sorted(present.no_learning)
        if scope.has(bridge) and bridge not in desired.no_learning
    }
    change.no_learning.update((bridge, True) for bridge, is_lacking in desired.no_learning.items() if is_lacking)
    change.owed = present.owed
    change.opened = {bridge: values for bridge, values in desired.ipv6.items() if values}
    change.closed = {
        bridge: values for bridge, values in present.opened.items() if scope.has(bridge) and bridge not in desired.ipv6
    }
    return change


def _complete_fallbacks(change: Change, present: Present, scope: Scope) -> None:
    """Add what depends on all routes: inner fallback routes, and the rules that lead to fallback routes."""
    fallbacks = {key[0] for key in _afterwards(FALLBACKS, change, present) if key[2:] != (MAIN,)}
    routed = {route[0] for route in (*_afterwards(ROUTES, change, present), *change.inherited, *present.standing_in)}
    routed |= scope.own_prefixes
    unrouted = fallbacks - routed
    around = Ordered(disjoint(parse_prefix(text) for text in routed if "/" in text)) if unrouted else None
    inner = {text for text in unrouted if around and is_inner(prefix := parse_prefix(text)) and around.around(prefix)}
    keys: set[Key] = {(text, "", INNER) for text in inner}
    there = present.objects[FALLBACKS]
    change.gone[FALLBACKS] = sorted(
        {key for key in change.gone[FALLBACKS] if key[2:] != (INNER,)}
        | {key for key in there if key[2:] == (INNER,) and key not in keys}
    )
    change.new[FALLBACKS] += sorted(keys - there)
    rules = rules_for(unrouted - inner, inner)
    stay = in_place(rules, present.objects[FALLBACK_RULES])
    change.gone[FALLBACK_RULES] = sorted(present.objects[FALLBACK_RULES] - stay)  # the last of them first
    change.new[FALLBACK_RULES] = sorted(rules - stay, reverse=True)


def _afterwards(kind: Kind, change: Change, present: Present) -> set[Key]:
    """The objects of this kind when the change has been made."""
    return (present.objects[kind] - set(change.gone[kind])).union(change.new[kind])


def _binding_change(bindings: Bindings, present: Present, *, rebuild: bool) -> TableChange:
    """What differs in the table that is there only while something is bound."""
    change = TableChange(BINDING)

    def decided(name: str, gone: set[Element]) -> set[Element]:
        return {element for element in gone if bindings.decides(name, element)}

    macs = _macs_afterwards(bindings, present, decided)
    if macs:
        bindings.know_taps(macs, present.read_taps())
    _compare(change, present.binding, bindings.elements, decided, rebuild=rebuild)
    if not bindings.named and not any(bindings.elements.values()):
        change.gone, change.new = {}, {}
        change.what = "removed" if present.binding else ""
    elif present.binding is None and any(change.new.values()):
        change.what = "created"
    return change


def _macs_afterwards(
    bindings: Bindings, present: Present, decided: Callable[[str, set[Element]], set[Element]]
) -> set[str]:
    """The MACs that something is bound to when the change has been made."""
    macs: set[str] = set()
    for name in BINDING.sets:
        if name.startswith("holders"):
            there = present.binding.elements[name] if present.binding else set()
            wanted = bindings.elements[name]
            macs.update(mac for mac, _ in wanted | there - decided(name, there - wanted))
    return macs


def _compare(
    change: TableChange,
    table: Table | None,
    wanted: Elements,
    in_scope: Callable[[str, set[Element]], set[Element]],
    *,
    rebuild: bool,
) -> None:
    there = table.elements if table else {name: set() for name in wanted}
    for name, elements in wanted.items():
        change.gone[name] = in_scope(name, there[name] - elements)
        change.new[name] = elements - there[name]
    if table and not change.layout.is_intact(table.comments):
        change.what = "renewed"
        if rebuild:
            change.what = "rebuilt"
            change.new = {name: elements | there[name] - change.gone[name] for name, elements in wanted.items()}
            change.gone = {}


def _in_scope(name: str, elements: set[Element], prefixes: set[str], scope: Scope) -> set[Element]:
    """Those of a set's elements that this run decides about. ``prefixes`` are those that it has to place."""
    if not SETS[name].fields:  # of the configuration alone, so every run decides about all of them
        return elements
    if name in {BRIDGES, ISOLATED}:
        return {element for element in elements if scope.has(element[0]) and is_sayable(element[0])}
    return {(bridge, block) for bridge, block in elements if scope.has(bridge) or block in prefixes}
