"""ifupdown: Debian.

https://manpages.debian.org/trixie/ifupdown/interfaces.5.en.html

- An interface may have several ``iface`` stanzas, which are brought up in order. ``up`` commands run after the
  addresses of their stanza are set and, with IPv6, after duplicate address detection.
- IPv6 comes first, because a router advertisement would add another default route as soon as the NIC is up.
- ``gateway`` cannot set the guest's source address, so `ip route` adds the default route.
- dhcpcd, now Debian's DHCP client, removes other default routes when it gets an address (seen with 10.1), so DHCP
  cannot be combined with a fixed default route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Default, Nic

PATH = "/etc/network/interfaces.d/nethook"
INSTALLED = "/etc/network/interfaces"


def _lines(nic: Nic) -> Iterator[str]:
    name = nic.interface
    yield f"# {PATH}; then (the NIC may be in {INSTALLED}, as Debian's installer writes it):"
    yield f"#   ifdown {name}; {_comment_out(name)}; ifup {name}"
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
    if nic.dns:  # part of the last stanza
        yield f"    dns-nameservers {' '.join(nic.dns)}"


def _comment_out(name: str) -> str:
    """Return the command that makes comments of the NIC's stanzas in the installer's file, and keeps the old file."""
    stanza = f"\\n(auto|allow-hotplug|iface) {name}( |$)"  # of each line, sed's hold space has the stanza's first one
    return f"sed -E -i.old '/^[a-z]/h; G; /{stanza}/s/^/#/; P; d' {INSTALLED}"


def _route(default: Default, name: str) -> str:
    source = f" src {default.source}" if default.source else ""
    return f"-{default.family} route add default via {default.via} dev {name} onlink{source}"


IFUPDOWN = Format(
    "Debian as its installer sets it up: ifupdown",
    PATH,
    _lines,
    interface="enp1s0",
    keeps_dhcp=False,
    matches_mac=False,
)
