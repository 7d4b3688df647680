"""Configuration and networks → what the kernel should hold of ours. Pure: nothing is read or run here."""

from __future__ import annotations

from nethook.config import RoutedIP
from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS, set_name
from nethook.libvirt.network import UNKNOWN, Network
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from nethook.config import Configuration
    from nethook.kernel.routes import Route
    from nethook.kernel.table import Elements
    from nethook.prefix import Prefix


class Desired:
    """What should be: ``routes`` with the line that wants each, and ``elements`` of our sets."""

    __slots__ = ("elements", "routes")

    def __init__(self) -> None:
        self.routes: dict[Route, RoutedIP] = {}
        self.elements: Elements = {name: set() for name in SETS}


def desire(routed_ips: Sequence[RoutedIP], networks: Iterable[Network]) -> Desired:
    """What should be when these networks are up, all of which have a bridge."""
    desired = Desired()
    elements = desired.elements
    bridges = {}
    for network in networks:
        bridges[network.name] = network.bridge
        if network.is_libvirts_own:
            elements[BRIDGES].add((network.bridge,))
        if network.is_isolated:
            elements[ISOLATED].add((network.bridge,))
    for routed in routed_ips:
        bridge = bridges.get(routed.network)
        if bridge:
            desired.routes[routed.prefix.text, bridge] = routed
    for prefix in outermost(routed.prefix for routed in routed_ips):
        elements[set_name("routed", prefix.family, single=prefix.is_address)].add((prefix.text,))
    for name, bridge in bridges.items():
        for prefix in outermost(routed.prefix for routed in routed_ips if routed.network == name):
            for kind in ("to", "from"):
                elements[set_name(kind, prefix.family, single=prefix.is_address)].add((bridge, prefix.text))
    return desired


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


def networks_by_routes(
    present: Iterable[Route], routed_ips: Iterable[RoutedIP], except_on: Collection[str]
) -> list[Network]:
    """The networks that our routes show to be up, those on the bridges ``except_on`` left out."""
    bridges = dict(present)
    found = {routed.network: bridges[routed.prefix.text] for routed in routed_ips if routed.prefix.text in bridges}
    return [Network(name, bridge, UNKNOWN) for name, bridge in found.items() if bridge not in except_on]


def doubtful_in_force(
    present: Iterable[Route], configuration: Configuration, networks: Iterable[Network]
) -> list[RoutedIP]:
    """Lines for those of our routes to these networks that a wrong line may be about: they stay as they are."""
    if not configuration.problems:
        return []
    names = {network.bridge: network.name for network in networks}
    named = {routed.prefix.text for routed in configuration.routed_ips}
    place = configuration.problems[0].place
    return [
        RoutedIP(prefix, names[bridge], place)
        for text, bridge in sorted(present)
        if bridge in names and text not in named and configuration.in_doubt(prefix := parse_prefix(text))
    ]
