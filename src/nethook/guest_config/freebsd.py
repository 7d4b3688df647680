"""FreeBSD's rc.conf.

https://man.freebsd.org/cgi/man.cgi?rc.conf(5): ifconfig_IF, ifconfig_IF_ipv6, ifconfig_IF_aliasN, static_routes,
defaultrouter, ipv6_defaultrouter. A gateway outside all subnets needs a route to itself first (route(8), -interface);
the default route follows the static ones. The first address is the guest's source address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format, bare, by_hand, length_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Nic


def _lines(nic: Nic) -> Iterator[str]:
    name = nic.interface
    yield f"# /etc/rc.conf; then: service netif restart {name} && service routing restart"
    yield from by_hand(nic)
    aliases = []
    for family, variable in ((4, f"ifconfig_{name}"), (6, f"ifconfig_{name}_ipv6")):
        if nic.addresses(family):
            first, *others = nic.addresses(family)
            yield f'{variable}="{_inet(first, family)}"'
            aliases += [_inet(address, family) for address in others]
    for number, alias in enumerate(aliases):
        yield f'ifconfig_{name}_alias{number}="{alias}"'
    for default in nic.defaults:
        zone = f"%{name}" if default.needs_nic else ""
        if default.family == 4:
            yield 'static_routes="gateway"'
            yield f'route_gateway="-host {default.via} -interface {name}"'
            yield f'defaultrouter="{default.via}"'
        else:
            if not zone:
                yield 'ipv6_static_routes="gateway"'
                yield f'ipv6_route_gateway="-host {default.via} -interface {name}"'
            yield f'ipv6_defaultrouter="{default.via}{zone}"'


def _inet(address: str, family: int) -> str:
    return f"inet {address}" if family == 4 else f"inet6 {bare(address)} prefixlen {length_of(address)}"


FREEBSD = Format("FreeBSD", "/etc/rc.conf", _lines, interface="vtnet0", keeps_dhcp=False, matches_mac=False)
