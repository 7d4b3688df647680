"""Desired minus kernel → change. Pure: the difference, within a scope, that one run makes.

A hook's scope is its own network: what is on that network's bridge, and the prefixes that the configuration gives to it
wherever they are now, because an address has one place. Everything else stays as it is. Without a scope, a run decides
about everything of ours.
"""

from __future__ import annotations

from nethook.kernel.arp import ArpRules
from nethook.kernel.binding import BINDING
from nethook.kernel.gateways import GATEWAYS
from nethook.kernel.kinds import KINDS
from nethook.kernel.proxies import PROXIES
from nethook.kernel.routes import ROUTES
from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nethook.config import RoutedIP
    from nethook.desired import Desired
    from nethook.kernel.bridge_ipv6 import Values
    from nethook.kernel.keys import Element
    from nethook.kernel.kind import Key, Kind
    from nethook.kernel.kinds import Objects
    from nethook.kernel.layout import Layout
    from nethook.kernel.routes import Place
    from nethook.kernel.ruleset import Ruleset
    from nethook.kernel.table import Elements, Table
    from nethook.libvirt.network import Network
    from nethook.prefix import Prefix


class Kernel:
    """What was read: our objects, our tables (None if there is none), and routes of others that do for ours."""

    __slots__ = (
        *("arp", "binding", "inherited", "objects", "opened"),
        *("proxy_ndp", "standing_in", "table", "taps"),
    )

    def __init__(
        self,
        objects: Objects,
        table: Table | None,
        standing_in: Collection[Place] = (),
        inherited: Collection[Place] = (),
        binding: Table | None = None,
    ) -> None:
        self.arp: Sequence[str] = ()
        """Comments of the rules in our table for ARP."""
        self.opened: Mapping[str, Values] = {}
        """The bridges on which we have turned IPv6 on, with what turns it off."""
        self.proxy_ndp: Collection[str] = ()
        """The uplinks on which we have turned on proxy_ndp."""
        self.objects = objects
        self.table = table
        """The one in which packets are classified."""
        self.binding = binding
        """The one that keeps addresses to the guests that they are bound to."""
        self.taps: set[tuple[str, str]] = set()
        """Index and MAC of each tap of a guest, if that matters."""
        self.standing_in = standing_in
        """Where routes of others lead, so that one of ours is neither needed nor possible: as to a network's subnet."""
        self.inherited = inherited
        """Where routes of our predecessor lead, to be replaced by ours."""

    @property
    def routes(self) -> set[Key]:
        """Our routes."""
        return self.objects.get(ROUTES, set())

    @property
    def holders(self) -> dict[str, set[str]]:
        """The MACs that each block is bound to."""
        holders: dict[str, set[str]] = {}
        for name, members in self.binding.elements.items() if self.binding else ():
            if name.startswith("holders"):
                for mac, block in members:
                    holders.setdefault(block, set()).add(mac)
        return holders


class Scope:
    """What a run decides about: everything, or some networks and what is on their bridges, but for some prefixes.

    ``subnets`` are the networks' own, as far as they are known: of those in the scope at least.
    """

    __slots__ = ("_networks", "_spared", "subnets")

    def __init__(
        self,
        spared: Mapping[str, Collection[str]] | None = None,
        networks: Collection[str] = (),
        subnets: Iterable[Prefix] = (),
    ) -> None:
        """``spared`` has the prefixes that are left alone, by bridge; None: the scope is everything."""
        self._spared = spared
        self._networks = networks
        self.subnets = {subnet.text for subnet in subnets}

    def has(self, bridge: str) -> bool:
        """Whether it decides about the bridge itself."""
        return self._spared is None or bridge in self._spared

    def has_network(self, name: str) -> bool:
        """Whether it decides about the network of this name."""
        return self._spared is None or name in self._networks

    def covers(self, prefix: str, bridge: str) -> bool:
        """Whether it decides about the prefix on this bridge; bridge '': about what depends on no network."""
        return self._spared is None or not bridge or (bridge in self._spared and prefix not in self._spared[bridge])


def scope_of(
    networks: Iterable[Network], routed_ips: Collection[RoutedIP], subnets: Iterable[Prefix] | None = None
) -> Scope:
    """The bridges of these networks. Several networks may use one that the host brings: what is others' stays.

    ``subnets`` are those of all networks that are known, by default of these.
    """
    networks = list(networks)
    names = {network.name for network in networks}
    of_others = {routed.prefix.text for routed in routed_ips if routed.network not in names}
    spared = {network.bridge: () if network.is_libvirts_own else of_others for network in networks}
    return Scope(spared, names, subnets_of(networks) if subnets is None else subnets)


def subnets_of(networks: Iterable[Network]) -> list[Prefix]:
    """The networks' own subnets."""
    return [subnet for network in networks for subnet in network.subnets]


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

    __slots__ = ("arp", "binding", "closed", "gone", "inherited", "new", "opened", "proxy_ndp", "table")

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
        for name, members in self.binding.gone.items():
            if name.startswith("holders"):
                blocks.update(block for _, block in members)
        return sorted(blocks)


def difference(desired: Desired, kernel: Kernel, ruleset: Ruleset, scope: Scope, *, rebuild: bool = False) -> Change:
    """What makes the kernel as desired within the scope. ``rebuild``: a table with other rules is made anew."""
    prefixes = {route[0] for route in desired.routes}
    table = TableChange(ruleset)
    _compare(table, kernel.table, desired, lambda name, gone: _in_scope(name, gone, prefixes, scope), rebuild=rebuild)
    if kernel.table is None:
        table.what = "created"
    change = Change(table, _binding_change(desired, kernel, rebuild=rebuild))
    for kind in KINDS:
        present, wanted = kernel.objects.get(kind, set()), desired.objects[kind]
        surplus = present - wanted.keys() - desired.kept
        change.gone[kind] = sorted(key for key in surplus if scope.covers(key[0], key[1]) or key[0] in prefixes)
        change.new[kind] = [key for key in wanted if key not in present]
    lacking = [route for route in change.new[ROUTES] if route[:2] not in kernel.standing_in]
    change.new[ROUTES] = [route for route in lacking if route[:2] not in kernel.inherited]
    change.inherited = [route for route in lacking if route[:2] in kernel.inherited]

    gateways = (kernel.objects.get(GATEWAYS, set()) - set(change.gone[GATEWAYS])).union(change.new[GATEWAYS])
    rules = ArpRules(gateways)
    change.arp = rules if rules.comments != list(kernel.arp) else None
    proxies = (kernel.objects.get(PROXIES, set()) - set(change.gone[PROXIES])).union(change.new[PROXIES])
    answering = {uplink for address, _, uplink in proxies if ":" in address}
    change.proxy_ndp = {uplink: False for uplink in sorted(kernel.proxy_ndp) if uplink not in answering}
    change.proxy_ndp.update(dict.fromkeys(desired.proxy_ndp, True))
    change.opened = {bridge: values for bridge, values in desired.ipv6.items() if values}
    change.closed = {
        bridge: values for bridge, values in kernel.opened.items() if scope.has(bridge) and bridge not in desired.ipv6
    }
    return change


def _binding_change(desired: Desired, kernel: Kernel, *, rebuild: bool) -> TableChange:
    """What differs in the table that is there only while something is bound."""
    change = TableChange(BINDING)

    def decided(name: str, gone: set[Element]) -> set[Element]:
        if not BINDING.sets[name].family:
            return gone
        return {element for element in gone if element[-1] in desired.decided or element[-1] not in desired.named}

    desired.know_taps(_macs_afterwards(desired, kernel, decided), kernel.taps)
    _compare(change, kernel.binding, desired, decided, rebuild=rebuild)
    if not desired.named and not any(desired.elements[name] for name in BINDING.sets):
        change.gone, change.new = {}, {}
        change.what = "removed" if kernel.binding else ""
    elif kernel.binding is None and any(change.new.values()):
        change.what = "created"
    return change


def _macs_afterwards(
    desired: Desired, kernel: Kernel, decided: Callable[[str, set[Element]], set[Element]]
) -> set[str]:
    """The MACs that something is bound to when the change has been made."""
    macs: set[str] = set()
    for name in BINDING.sets:
        if name.startswith("holders"):
            present = kernel.binding.elements[name] if kernel.binding else set()
            wanted = desired.elements[name]
            macs.update(mac for mac, _ in wanted | present - decided(name, present - wanted))
    return macs


def _compare(
    change: TableChange,
    table: Table | None,
    desired: Desired,
    in_scope: Callable[[str, set[Element]], set[Element]],
    *,
    rebuild: bool,
) -> None:
    sets = change.layout.sets
    elements = table.elements if table else {name: set() for name in sets}
    for name in sets:
        change.gone[name] = in_scope(name, elements[name] - desired.elements[name])
        change.new[name] = desired.elements[name] - elements[name]
    if table and not change.layout.is_intact(table.comments):
        change.what = "renewed"
        if rebuild:
            change.what = "rebuilt"
            for name in sets:
                change.new[name] = desired.elements[name] | elements[name] - change.gone[name]
            change.gone = {}


def _in_scope(name: str, elements: set[Element], prefixes: set[str], scope: Scope) -> set[Element]:
    """Those of a set's elements that this run decides about. ``prefixes`` are those that it has to place."""
    if not SETS[name].fields:  # of the configuration alone, so every run decides about all of them
        return elements
    if name in {BRIDGES, ISOLATED}:
        return {element for element in elements if scope.has(element[0])}
    return {(bridge, block) for bridge, block in elements if scope.covers(block, bridge) or block in prefixes}
