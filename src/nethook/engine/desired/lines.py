"""What the lines themselves want: routes, and elements of the sets by which packets are classified. Pure."""

from __future__ import annotations

from nethook.net.names import is_sayable
from nethook.net.prefix import parse_prefix
from nethook.net.prefixes import outermost
from nethook.parts.routes import ROUTES
from nethook.parts.tables.ruleset import BRIDGES, ISOLATED, set_name
from nethook.placement.bound import macs_of, nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nethook.config import RoutedIP
    from nethook.engine.desired.state import Desired
    from nethook.host.nftables import Elements
    from nethook.libvirt.network import Network
    from nethook.net.prefix import Prefix
    from nethook.placement.bound import Blocks
    from nethook.placement.scope import Scope


def desire_lines(
    desired: Desired,
    routed_ips: Sequence[RoutedIP],
    networks: Iterable[Network],
    *,
    guarded: Iterable[Prefix],
    decided: Blocks,
    holders: Mapping[str, Collection[str]],
) -> None:
    """What the lines want when these networks are up; where the routes that are kept lead to is accepted, too.

    ``guarded`` are prefixes that are protected against forgery although no line names them; ``decided`` has the blocks
    of those lines that are bound to a guest and that this run decides about, by prefix; ``holders`` the MACs that each
    block is bound to until now.
    """
    up = {network.name: network for network in networks}
    held: dict[str, list[Prefix]] = {}
    for routed in routed_ips:
        text = routed.prefix.text
        network = up.get(routed.network)
        if routed.guest and (text not in decided or not _bind(desired, routed, decided[text], network, holders)):
            continue
        if network:
            desired.routes[text, network.bridge, routed.via or ""] = routed
            held.setdefault(network.bridge, []).append(routed.prefix)
    for text, bridge, _ in desired.kept[ROUTES]:
        held.setdefault(bridge, []).append(parse_prefix(text))
    _accept(desired.elements, held)
    for prefix in outermost([*(routed.prefix for routed in routed_ips), *guarded]):
        desired.elements[set_name("routed", prefix.family, single=prefix.is_address)].add((prefix.text,))


def introduce(elements: Elements, scope: Scope) -> None:
    """Want all bridges with guests behind them in our table, but for those whose names nft cannot say."""
    for bridge, is_isolated in scope.guest_bridges:
        if is_sayable(bridge):
            elements[BRIDGES].add((bridge,))
            if is_isolated:
                elements[ISOLATED].add((bridge,))


def _bind(
    desired: Desired,
    routed: RoutedIP,
    blocks: Sequence[Prefix],
    network: Network | None,
    holders: Mapping[str, Collection[str]],
) -> bool:
    """Nobody but its guest may use the blocks of this line. Whether that is plugged in."""
    desired.bindings.reserve(blocks)
    mac = network and nic(routed, network.ports, macs_of(blocks, holders))
    if network and mac:
        desired.bindings.bind(routed, blocks, network.bridge, mac)
    return bool(mac)


def _accept(elements: Elements, held: Mapping[str, Iterable[Prefix]]) -> None:
    """What is routed to each bridge is accepted there."""
    for bridge, prefixes in held.items():
        for prefix in outermost(prefixes):
            for kind in ("to", "from"):
                elements[set_name(kind, prefix.family, single=prefix.is_address)].add((bridge, prefix.text))
