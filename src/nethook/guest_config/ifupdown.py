"""ifupdown: Debian.

https://manpages.debian.org/trixie/ifupdown/interfaces.5.en.html: an interface may have several ``iface`` stanzas, which
are all brought up, in order; ``up`` commands follow the addresses of their stanza, and with IPv6 the end of duplicate
address detection. IPv6 is first: a router advertisement, once the NIC is up, would bring another default route.
``gateway`` cannot say which address the guest uses of itself, so `ip route` it is. dhcpcd, its DHCP client now, removes
default routes of others when it gets an address (seen with 10.1), so DHCP and a fixed default route do not go together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Default, Nic


def _lines(nic: Nic) -> Iterator[str]:
    name = nic.interface
    yield f"# /etc/network/interfaces.d/nethook; then: ifup {name}"
    if nic.mac:
        yield f"# {name} is the NIC {nic.mac}"
    if nic.dns:
        yield "# dns-nameservers needs the package resolvconf; else write them into /etc/resolv.conf"
    yield f"auto {name}"
    for family, inet in ((6, "inet6"), (4, "inet")):
        default = nic.default(family)
        for number, address in enumerate(nic.addresses(family)):
            yield f"iface {name} {inet} static"
            yield f"    address {address}"
            if family == 6 and number == 0:
                yield "    accept_ra 0"
                yield "    autoconf 0"
            if default and number == 0:
                yield f"    up ip {_route(default, name)}"
    if nic.dns:  # of the last stanza
        yield f"    dns-nameservers {' '.join(nic.dns)}"


def _route(default: Default, name: str) -> str:
    source = f" src {default.source}" if default.source else ""
    return f"-{default.family} route add default via {default.via} dev {name} onlink{source}"


IFUPDOWN = Format(_lines, interface="enp1s0", keeps_dhcp=False, matches_mac=False)
