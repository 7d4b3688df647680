"""/etc/network/interfaces as Alpine has it, for the ifup of busybox as well as for ifupdown-ng.

https://wiki.alpinelinux.org/wiki/Configure_Networking and interfaces(5) of ifupdown-ng,
https://github.com/ifupdown-ng/ifupdown-ng/blob/main/doc/interfaces.scd. busybox takes one address a stanza, and neither
knows a gateway outside all subnets: so `ip` it is, which both run with ``up``. Alpine's DHCP client removes all
addresses of the NIC when it begins, so DHCP and fixed addresses do not go together there.

Nobody but this guest has its addresses, and a route that names one as its source needs one that is not still being
looked for elsewhere: so duplicate address detection is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format, bare, by_hand, length_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Nic


def _lines(nic: Nic) -> Iterator[str]:
    name = nic.interface
    yield "# /etc/network/interfaces; then: rc-service networking restart"
    yield from by_hand(nic)
    yield "auto lo"
    yield "iface lo inet loopback"
    yield ""
    yield f"auto {name}"
    if nic.addresses(6):  # before the NIC is up, or a router advertisement would make another default route
        yield from _inet6(nic)
    if nic.addresses(4):
        yield from _inet(nic)


def _inet(nic: Nic) -> Iterator[str]:
    name = nic.interface
    first, *others = nic.addresses(4)
    yield f"iface {name} inet static"
    yield f"    address {bare(first)}"
    yield f"    netmask {_netmask(int(length_of(first)))}"
    for address in others:
        yield f"    up ip addr add {address} dev {name}"
    yield from _route(nic, 4)


def _inet6(nic: Nic) -> Iterator[str]:
    name = nic.interface
    first, *others = nic.addresses(6)
    yield f"iface {name} inet6 static"
    for key in ("accept_ra", "accept_dad"):
        yield f"    pre-up echo 0 > /proc/sys/net/ipv6/conf/{name}/{key}"
    yield f"    address {bare(first)}"
    yield f"    netmask {length_of(first)}"
    for address in others:
        yield f"    up ip -6 addr add {address} dev {name}"
    yield from _route(nic, 6)


def _route(nic: Nic, family: int) -> Iterator[str]:
    default = nic.default(family)
    if default:
        source = f" src {default.source}" if default.source else ""
        if not default.via.startswith("fe80:"):
            yield f"    up ip -{family} route add {default.via} dev {nic.interface}"
        yield f"    up ip -{family} route add default via {default.via} dev {nic.interface}{source}"


def _netmask(length: int) -> str:
    bits = (1 << 32) - (1 << (32 - length))
    return ".".join(str(bits >> shift & 0xFF) for shift in (24, 16, 8, 0))


ALPINE = Format(_lines, interface="eth0", keeps_dhcp=False, matches_mac=False)
