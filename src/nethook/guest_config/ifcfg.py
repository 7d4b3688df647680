"""ifcfg files: RHEL, Alma and Rocky 8, and older installations of 9, where NetworkManager reads them.

https://networkmanager.dev/docs/api/latest/nm-settings-ifcfg-rh.html: IPADDRn, PREFIXn, GATEWAY (NetworkManager adds a
route to a gateway outside all subnets), IPV6ADDR and IPV6ADDR_SECONDARIES with length, IPV6_DEFAULTGW with the device
of a link-local address. The first address is the guest's source address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format, bare, length_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Nic


def _lines(nic: Nic) -> Iterator[str]:
    name = nic.interface
    yield f"# /etc/sysconfig/network-scripts/ifcfg-{name}; then: nmcli connection reload; nmcli connection up {name}"
    yield "TYPE=Ethernet"
    yield f"NAME={name}"
    yield f"DEVICE={name}"
    if nic.mac:
        yield f"HWADDR={nic.mac.upper()}"
    yield "ONBOOT=yes"
    yield "BOOTPROTO=none"
    for number, address in enumerate(nic.addresses(4)):
        yield f"IPADDR{number}={bare(address)}"
        yield f"PREFIX{number}={length_of(address)}"
    for default in nic.defaults:
        if default.family == 4:
            yield "DEFROUTE=yes"
            yield f"GATEWAY={default.via}"
    yield "IPV6INIT=yes"
    yield "IPV6_AUTOCONF=no"
    first, *others = nic.addresses(6) or [""]
    if first:
        yield f"IPV6ADDR={first}"
    if others:
        yield f'IPV6ADDR_SECONDARIES="{" ".join(others)}"'
    for default in nic.defaults:
        if default.family == 6:
            zone = f"%{name}" if default.needs_nic else ""
            yield f"IPV6_DEFAULTGW={default.via}{zone}"
    for number, server in enumerate(nic.dns, 1):
        yield f"DNS{number}={server}"


IFCFG = Format(
    "RHEL, Alma and Rocky 8",
    "/etc/sysconfig/network-scripts/ifcfg-{}",
    _lines,
    interface="eth0",
    keeps_dhcp=False,
    matches_mac=False,
)
