"""/etc/network/interfaces of Alpine, for the ifup of busybox and of ifupdown-ng.

https://wiki.alpinelinux.org/wiki/Configure_Networking and interfaces(5) of ifupdown-ng,
https://github.com/ifupdown-ng/ifupdown-ng/blob/main/doc/interfaces.scd

- busybox accepts one address for each stanza, and neither ifup accepts a gateway outside all subnets. So the rest is
  done by `ip`, which both run with ``up``.
- Alpine's DHCP client removes all addresses of the NIC when it begins, so DHCP cannot be combined with fixed addresses.
- Duplicate address detection is off: a route cannot have a source address for which detection is still running, and
  no other guest has these addresses. Linux takes a moment to see that it is off, which on a busy guest may be too long
  for the first attempt (addrconf_dad_work in net/ipv6/addrconf.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format, bare, by_hand, length_of
from nethook.shell import word

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
    if nic.addresses(6):  # before the NIC is up, or a router advertisement would add another default route
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
        if not default.needs_nic:
            yield f"    up ip -{family} route add {default.via} dev {word(nic.interface)}"
        command = f"ip -{family} route add default via {default.via} dev {word(nic.interface)}{source}"
        again = f" || {{ sleep 1; {command}; }}" if source and family == 6 else ""
        yield f"    up {command}{again}"


def _netmask(length: int) -> str:
    bits = (1 << 32) - (1 << (32 - length))
    return ".".join(str((bits >> shift) & 0xFF) for shift in (24, 16, 8, 0))


ALPINE = Format("Alpine", "/etc/network/interfaces", _lines, interface="eth0", keeps_dhcp=False, matches_mac=False)
