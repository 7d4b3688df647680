"""IPv6 on the bridges that need it, where libvirt has turned it off."""

from __future__ import annotations

from nethook.parts import switches
from nethook.parts.tables.ruleset import set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.engine.desired.state import Desired
    from nethook.host.host import Host
    from nethook.libvirt.network import Network
    from nethook.placement.scope import Scope


def desire_ipv6(desired: Desired, networks: Iterable[Network], scope: Scope, *, has_gateway: bool, host: Host) -> None:
    """The bridges that need IPv6, with what turns it on where libvirt has it off, as it has without an IPv6 <ip>."""
    names = [set_name("to", 6, single=single) for single in (True, False)]
    needing = {bridge for name in names for bridge, _ in desired.elements[name]}
    for network in networks:
        bridge = network.bridge
        if bridge in needing and network.is_libvirts_own and scope.has(bridge):
            is_libvirts_doing = all(subnet.family == 4 for subnet in network.subnets)
            is_off = is_libvirts_doing and switches.is_ipv6_off(host, bridge)
            desired.ipv6[bridge] = switches.ipv6_values(has_gateway=has_gateway) if is_off else {}
