"""NetworkManager's keyfile: Fedora, RHEL, Alma and Rocky from 9 on, openSUSE, desktops.

https://networkmanager.dev/docs/api/latest/nm-settings-keyfile.html: ``addressN=ADDRESS/LENGTH``,
``routeN=DESTINATION/LENGTH,NEXT_HOP,METRIC``, ``routeN_options=onlink=true,src=ADDRESS``; lists end each entry with
``;``; a file that other users than root can read is ignored. ignore-auto-routes leaves out the default routes of DHCP
and router advertisements, but not the routes in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format, family_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Nic

PATH = "/etc/NetworkManager/system-connections/nethook.nmconnection"
HIGHEST = 999
"""At boot, NetworkManager takes the connection of the highest priority. That of cloud-init has 120 (cloud-init 23)."""
WITHOUT_ADDRESS = {4: "disabled", 6: "link-local"}
"""The method for an IP family without addresses."""


def _lines(nic: Nic) -> Iterator[str]:
    yield f"# {PATH}, which root alone may read (chmod 600);"
    yield "# then: nmcli connection reload; nmcli connection up nethook"
    yield "[connection]"
    yield "id=nethook"
    yield "type=ethernet"
    if not nic.mac:
        yield f"interface-name={nic.interface}"
    yield f"autoconnect-priority={HIGHEST}"
    if nic.mac:
        yield ""
        yield "[ethernet]"
        yield f"mac-address={nic.mac}"
    for family in (4, 6):
        yield ""
        yield from _family(nic, family)


def _family(nic: Nic, family: int) -> Iterator[str]:
    yield f"[ipv{family}]"
    addresses = nic.addresses(family)
    is_automatic = family in nic.automatic
    yield f"method={'auto' if is_automatic else 'manual' if addresses else WITHOUT_ADDRESS[family]}"
    for number, address in enumerate(addresses, 1):
        yield f"address{number}={address}"
    default = nic.default(family)
    if default:
        metric = f",{default.metric}" if default.metric else ""
        source = f",src={default.source}" if default.source else ""
        yield f"route1={default.to},{default.via}{metric}"
        yield f"route1_options=onlink=true{source}"
        if is_automatic:
            yield "ignore-auto-routes=true"
    servers = [server for server in nic.dns if family_of(server) == family]
    if servers:
        yield f"dns={''.join(f'{server};' for server in servers)}"


NETWORKMANAGER = Format(
    "Fedora, RHEL, Alma and Rocky from 9 on, openSUSE, desktops: NetworkManager",
    PATH,
    _lines,
    interface="enp1s0",
    keeps_dhcp=True,
    matches_mac=True,
)
