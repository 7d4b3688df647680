"""Configuration and networks → what the kernel should hold of ours. Pure: nothing is read or run here."""

from __future__ import annotations

from nethook.kernel.kinds import KINDS
from nethook.kernel.routes import ROUTES
from nethook.kernel.ruleset import BRIDGES, ISOLATED, SETS, set_name
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.kernel.kind import Key, Kind
    from nethook.kernel.table import Elements
    from nethook.libvirt.network import Network
    from nethook.prefix import Prefix


class Desired:
    """What should be: ``objects`` by kind, with the line that wants each; ``elements`` of sets.

    Objects that are ``kept`` are there, and stay although no line is known to want them.
    """

    __slots__ = ("elements", "kept", "objects")

    def __init__(self) -> None:
        self.objects: dict[Kind, dict[Key, RoutedIP]] = {kind: {} for kind in KINDS}
        self.kept: set[Key] = set()
        self.elements: Elements = {name: set() for name in SETS}

    @property
    def routes(self) -> dict[Key, RoutedIP]:
        """The routes among the objects."""
        return self.objects[ROUTES]


def desire(
    routed_ips: Sequence[RoutedIP],
    networks: Iterable[Network],
    *,
    kept: Iterable[Key] = (),
    guarded: Iterable[Prefix] = (),
) -> Desired:
    """What should be when these networks are up, all of which have a bridge.

    ``kept`` are routes that are there, and stay, and what they lead to is accepted; ``guarded``
    are prefixes that are protected against forgery although no line names them.
    """
    desired = Desired()
    desired.kept.update(kept)
    elements = desired.elements
    bridges = {}
    for network in networks:
        bridges[network.name] = network.bridge
        if network.is_libvirts_own:
            elements[BRIDGES].add((network.bridge,))
        if network.is_isolated:
            elements[ISOLATED].add((network.bridge,))
    held: dict[str, list[Prefix]] = {}
    for routed in routed_ips:
        bridge = bridges.get(routed.network)
        if bridge:
            desired.routes[routed.prefix.text, bridge, routed.via or ""] = routed
            held.setdefault(bridge, []).append(routed.prefix)
    for text, bridge, _ in desired.kept:
        held.setdefault(bridge, []).append(parse_prefix(text))
    for bridge, prefixes in held.items():
        for prefix in outermost(prefixes):
            for kind in ("to", "from"):
                elements[set_name(kind, prefix.family, single=prefix.is_address)].add((bridge, prefix.text))
    for prefix in outermost([*(routed.prefix for routed in routed_ips), *guarded]):
        elements[set_name("routed", prefix.family, single=prefix.is_address)].add((prefix.text,))
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
