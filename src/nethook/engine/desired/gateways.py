"""Gateways: the same address on every bridge that has routed IPs."""

from __future__ import annotations

from nethook.parts.gateways import GATEWAYS, WITHOUT_ROUTE
from nethook.parts.routes import ROUTES
from nethook.parts.tables.ruleset import BRIDGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.config import RoutedIP
    from nethook.config.settings import Settings
    from nethook.engine.desired.state import Desired
    from nethook.engine.present import Present
    from nethook.host.host import Host


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
    for text, bridge, _ in desired.kept[ROUTES]:
        gateway = settings.gateway(6 if ":" in text else 4)
        if gateway:
            desired.kept[GATEWAYS].update((gateway, bridge, how) for how in ("", WITHOUT_ROUTE))


def leave_to_others(desired: Desired, present: Present, protocol: int, host: Host) -> None:
    """No gateway where something else has the address: an IPv4 one on this host, a link-local one on this bridge."""
    gateways = desired.objects[GATEWAYS]
    lacking = gateways.keys() - present.objects[GATEWAYS]
    others = GATEWAYS.of_others(host, protocol) if lacking else ()
    for key in lacking:
        address, bridge, _ = key
        for other, device in others:
            if address == other and (":" not in address or bridge == device):
                desired.taken[address, bridge] = device
                gateways.pop(key, None)
