"""Configuration and networks → what the kernel should hold of ours. Pure: nothing is read or run here."""

from __future__ import annotations

from nethook.bound import is_undecided, nic
from nethook.kernel import binding
from nethook.kernel.fallbacks import FALLBACKS
from nethook.kernel.gateways import GATEWAYS, WITHOUT_ROUTE
from nethook.kernel.kinds import KINDS
from nethook.kernel.neighbours import NEIGHBOURS
from nethook.kernel.proxies import PROXIES
from nethook.kernel.routes import ROUTES
from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS, set_name
from nethook.kernel.taps import tap_mac
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nethook.change import Kernel, Scope
    from nethook.config import Configuration, RoutedIP
    from nethook.config.settings import Settings
    from nethook.kernel.bridge_ipv6 import Values
    from nethook.kernel.kind import Key, Kind
    from nethook.kernel.table import Elements
    from nethook.libvirt.network import Network
    from nethook.prefix import Prefix


class Desired:
    """What should be: ``objects`` by kind, with the line that wants each; ``elements`` of the sets of both tables.

    Objects that are ``kept`` are there, and stay although no line is known to want them.
    """

    __slots__ = ("_pinned", "decided", "elements", "ipv6", "kept", "lines", "named", "nics", "objects", "proxy_ndp")

    def __init__(self) -> None:
        self.objects: dict[Kind, dict[Key, RoutedIP]] = {kind: {} for kind in KINDS}
        self.kept: set[Key] = set()
        self.elements: Elements = {name: set() for name in (*SETS, *binding.SETS)}
        self.proxy_ndp: list[str] = []
        """The uplinks that need it and do not have it."""
        self.ipv6: dict[str, Values] = {}
        """The bridges that need IPv6, with what turns it on where it is off."""
        self.named: set[str] = set()
        """All blocks of the files that are bound to guests."""
        self.decided: set[str] = set()
        """Those of them of which this run decides to whom they are bound now."""
        self.lines: dict[str, RoutedIP] = {}
        """The lines that these are of."""
        self.nics: dict[str, str] = {}
        """The MAC of the NIC that each bound line is for, whose guest is plugged in, by its prefix."""
        self._pinned: dict[tuple[str, str], Key] = {}

    @property
    def routes(self) -> dict[Key, RoutedIP]:
        """The routes among the objects."""
        return self.objects[ROUTES]

    def reserve(self, routed: RoutedIP, blocks: Iterable[Prefix]) -> None:
        """Nobody may use these blocks of a bound line, unless they are bound to a NIC."""
        for block in blocks:
            self.decided.add(block.text)
            self.lines[block.text] = routed
            self._bind(("bound", "claimed"), block, ())

    def bind(self, routed: RoutedIP, blocks: Iterable[Prefix], bridge: str, mac: str) -> None:
        """A bound line is for this NIC: its blocks, and the address at which the host looks for them."""
        self.nics[routed.prefix.text] = mac
        for block in blocks:
            self._bind(("holders", "claimers"), block, (mac,))
        target = routed.via or (routed.prefix.text if routed.prefix.is_address else "")
        if not target:
            return
        pins = self.objects[NEIGHBOURS]
        rival = self._pinned.get((target, bridge))
        if rival:
            if routed.via:  # of one address, a line that is about it tells more than one with it as next hop
                return
            del pins[rival]
        self._pinned[target, bridge] = key = (target, bridge, mac)
        pins[key] = routed

    def know_taps(self, macs: Collection[str], taps: Collection[tuple[str, str]]) -> None:
        """Which taps there are, and which belong to the NICs with these MACs, to which something is bound."""
        if not macs:
            return
        indices: dict[str, list[str]] = {}
        for index, tap in taps:
            indices.setdefault(tap, []).append(index)
        pairs = {(index, mac) for mac in macs for index in indices.get(tap_mac(mac), ())}
        self.elements[binding.NICS] = {(mac,) for mac in macs}
        self.elements[binding.TAPPED] = {(mac,) for _, mac in pairs}
        self.elements[binding.TAPS] = {(index,) for index, _ in taps}
        self.elements[binding.NIC_TAPS] = {*pairs}

    def rebind(self, routed: RoutedIP, blocks: Iterable[Prefix], mac: str) -> None:
        """A bound line has been for this NIC, and stays so: its blocks are reserved for it."""
        for block in blocks:
            self.lines[block.text] = routed
            self._bind(("bound", "claimed"), block, ())
            self._bind(("holders", "claimers"), block, (mac,))

    def _bind(self, kinds: Iterable[str], block: Prefix, key: tuple[str, ...]) -> None:
        for kind in kinds:
            if kind in binding.KINDS[block.family]:
                name = binding.set_name(kind, block.family, single=block.is_address)
                self.elements[name].add((*key, block.text))


def desire(
    routed_ips: Sequence[RoutedIP],
    networks: Iterable[Network],
    *,
    kept: Iterable[Key] = (),
    guarded: Iterable[Prefix] = (),
    bound: Mapping[str, Sequence[Prefix]] | None = None,
    holders: Mapping[str, Collection[str]] | None = None,
) -> Desired:
    """What should be when these networks are up, all of which have a bridge.

    ``kept`` are routes that are there, and stay, and what they lead to is accepted; ``guarded`` are prefixes that are
    protected against forgery although no line names them; ``bound`` has the blocks of those lines that are bound to a
    guest and are decided about, by prefix; ``holders`` the MACs that each block is bound to until now.
    """
    desired = Desired()
    desired.kept.update(kept)
    bound = bound or {}
    holders = holders or {}
    elements = desired.elements
    up = {}
    for network in networks:
        up[network.name] = network
        if network.is_libvirts_own:
            elements[BRIDGES].add((network.bridge,))
        if network.is_isolated:
            elements[ISOLATED].add((network.bridge,))
    held: dict[str, list[Prefix]] = {}
    for routed in routed_ips:
        text = routed.prefix.text
        if routed.guest and text not in bound:
            continue
        network_up = up.get(routed.network)
        if routed.guest:
            desired.reserve(routed, bound[text])
            mac = network_up and nic(routed, network_up.ports, _macs(bound[text], holders))
            if not network_up or not mac:
                continue
            desired.bind(routed, bound[text], network_up.bridge, mac)
        if network_up:
            desired.routes[text, network_up.bridge, routed.via or ""] = routed
            held.setdefault(network_up.bridge, []).append(routed.prefix)
    for text, bridge, _ in desired.kept:
        held.setdefault(bridge, []).append(parse_prefix(text))
    _accept(elements, held)
    for prefix in outermost([*(routed.prefix for routed in routed_ips), *guarded]):
        elements[set_name("routed", prefix.family, single=prefix.is_address)].add((prefix.text,))
    return desired


def _accept(elements: Elements, held: Mapping[str, Iterable[Prefix]]) -> None:
    """What is routed to each bridge is accepted there."""
    for bridge, prefixes in held.items():
        for prefix in outermost(prefixes):
            for kind in ("to", "from"):
                elements[set_name(kind, prefix.family, single=prefix.is_address)].add((bridge, prefix.text))


def undecided(
    routed: RoutedIP, network: Network | None, blocks: Iterable[Prefix], holders: Mapping[str, Collection[str]]
) -> bool:
    """Whether it is not known if the guest of this bound line is plugged in; ``network`` is None if it is not up."""
    return network is not None and is_undecided(routed, network.ports, _macs(blocks, holders))


def _macs(blocks: Iterable[Prefix], holders: Mapping[str, Collection[str]]) -> set[str]:
    return {mac for block in blocks for mac in holders.get(block.text, ())}


def keep_bindings(desired: Desired, kernel: Kernel, doubtful: Callable[[Prefix], bool]) -> None:
    """Whatever is bound stays so for the routes that are kept, and for what may be meant by a wrong line."""
    targets = {(route[2] or route[0], route[1]) for route in desired.kept}
    desired.kept.update(pin for pin in kernel.objects.get(NEIGHBOURS, ()) if pin[:2] in targets)
    if kernel.binding:
        for name in (name for name, kind in binding.SETS.items() if kind.family):
            members = kernel.binding.elements[name]
            stay = (member for member in members if member[-1] not in desired.decided)
            desired.elements[name].update(member for member in stay if doubtful(parse_prefix(member[-1])))


def desire_fallbacks(desired: Desired, routed_ips: Iterable[RoutedIP], scope: Scope) -> None:
    """A fallback for each line, whatever networks are up; those of other networks stay as they are.

    Never for a network's own subnet: libvirt does not start a network if there is a route to exactly its subnet.
    """
    fallbacks = desired.objects[FALLBACKS]
    for routed in routed_ips:
        text = routed.prefix.text
        if text not in scope.subnets:
            if scope.has_network(routed.network):
                fallbacks[text, ""] = routed
            else:
                desired.kept.add((text, ""))


def desire_proxies(desired: Desired, routed_ips: Iterable[RoutedIP], scope: Scope) -> None:
    """A proxy entry for each address that a line wants one for, and that is routed; other networks' ones stay."""
    routed_ips = [routed for routed in routed_ips if routed.proxy]
    if not routed_ips:  # as on most hosts
        return
    proxies = desired.objects[PROXIES]
    routed_now = set(map(id, desired.routes.values()))
    for routed in routed_ips:
        keys: list[Key] = [(address, "", str(routed.proxy)) for address in routed.prefix.addresses()]
        if not scope.has_network(routed.network):
            desired.kept.update(keys)
        elif id(routed) in routed_now:
            proxies.update(dict.fromkeys(keys, routed))


def desire_gateways(desired: Desired, settings: Settings, opened: Collection[str]) -> None:
    """The gateways on each of libvirt's own bridges that has routed addresses of the family.

    ``opened`` are the bridges that have IPv6 by our doing, and so no other link-local address. A bridge on which the
    address is a next hop has somebody else with it.
    """
    gateways = desired.objects[GATEWAYS]
    next_hops = {(via, bridge) for _, bridge, via in desired.routes}
    first: dict[tuple[str, bool], RoutedIP] = {}
    for (prefix, bridge, _), routed in desired.routes.items():
        first.setdefault((bridge, ":" in prefix), routed)
    for (bridge, _), routed in first.items():
        gateway = settings.gateway(routed.prefix.family)
        if gateway and (bridge,) in desired.elements[BRIDGES] and (gateway, bridge) not in next_hops:
            is_bare = routed.prefix.family == 4 or bridge in opened or bool(desired.ipv6.get(bridge))
            gateways.setdefault((gateway, bridge, "" if is_bare else WITHOUT_ROUTE), routed)
    for text, bridge, _ in list(desired.kept):
        gateway = settings.gateway(6 if ":" in text else 4)
        if gateway:
            desired.kept.update((gateway, bridge, how) for how in ("", WITHOUT_ROUTE))


def outermost(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """The single addresses, and those prefixes that lie in no other one: elements of an interval set are disjoint."""
    chosen: list[Prefix] = []
    blocks: list[Prefix] = []
    for prefix in prefixes:
        (chosen if prefix.is_address else blocks).append(prefix)
    last = {4: -1, 6: -1}
    for prefix in sorted(blocks, key=lambda block: (block.first, block.length)):
        if prefix.first > last[prefix.family]:
            last[prefix.family] = prefix.last
            chosen.append(prefix)
    return chosen


def disjoint(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """Those of the prefixes, single addresses too, that lie in no other one; in order."""
    chosen: list[Prefix] = []
    for prefix in sorted(prefixes, key=lambda block: (block.family, block.first, block.length)):
        if not chosen or not prefix.lies_in(chosen[-1]):
            chosen.append(prefix)
    return chosen


def in_doubt(present: Iterable[Key], configuration: Configuration) -> dict[Key, Prefix]:
    """Those of our routes that no right line names, and a wrong line may be about: they stay as they are."""
    if not configuration.problems:
        return {}
    named = {routed.prefix.text for routed in configuration.routed_ips}
    unnamed = {route: parse_prefix(route[0]) for route in sorted(present) if route[0] not in named}
    return {route: prefix for route, prefix in unnamed.items() if configuration.in_doubt(prefix)}
