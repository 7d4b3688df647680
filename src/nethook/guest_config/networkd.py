"""systemd-networkd: Arch, Flatcar, many images of Debian.

https://www.freedesktop.org/software/systemd/man/latest/systemd.network.html: GatewayOnLink= (a gateway outside all
subnets), PreferredSource=, UseRoutes= of [DHCPv4]. With Type=ether, the match leaves out VLANs and bridges that the
guest makes on top of its NIC, which have the same MAC address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Nic

PATH = "/etc/systemd/network/10-nethook.network"
"""networkd takes the first file for a NIC, in the order of their names. netplan's begin with 10-netplan."""


def _lines(nic: Nic) -> Iterator[str]:
    yield f"# {PATH}; then:"
    yield "#   systemctl enable --now systemd-networkd; networkctl reload"
    yield "[Match]"
    if nic.mac:
        yield f"MACAddress={nic.mac}"
        yield "Type=ether"
    else:
        yield f"Name={nic.interface}"
    yield ""
    yield "[Network]"
    yield "LinkLocalAddressing=ipv6"
    yield f"DHCP={'ipv4' if 4 in nic.automatic else 'no'}"
    yield f"IPv6AcceptRA={'yes' if 6 in nic.automatic else 'no'}"
    for address in nic.all_addresses:
        yield f"Address={address}"
    for server in nic.dns:
        yield f"DNS={server}"
    for default in nic.defaults:
        yield ""
        yield "[Route]"
        yield f"Gateway={default.via}"
        yield "GatewayOnLink=yes"
        if default.source:
            yield f"PreferredSource={default.source}"
        if default.metric:
            yield f"Metric={default.metric}"
    if 4 in nic.automatic and nic.default(4):
        yield ""
        yield "[DHCPv4]"
        yield "UseRoutes=no"


NETWORKD = Format(
    "systemd-networkd: Arch, Flatcar, and others",
    PATH,
    _lines,
    interface="enp1s0",
    keeps_dhcp=True,
    matches_mac=True,
)
