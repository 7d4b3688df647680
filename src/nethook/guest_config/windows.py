"""Windows, with the NetTCPIP cmdlets of PowerShell: Windows 10, Server 2016 and later.

https://learn.microsoft.com/powershell/module/nettcpip/: New-NetIPAddress (SkipAsSource: the address is no source
address), New-NetRoute (a NextHop of 0.0.0.0 is on the link), Set-NetIPInterface;
https://learn.microsoft.com/powershell/module/dnsclient/set-dnsclientserveraddress. Without netsh, Windows cannot
combine DHCP with fixed addresses on the same NIC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format, bare, length_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Nic


def _lines(nic: Nic) -> Iterator[str]:
    yield "# In a PowerShell with administrator rights; the addresses stay over reboots"
    if nic.mac:
        mac = nic.mac.upper().replace(":", "-")
        yield f"$nic = (Get-NetAdapter | Where-Object MacAddress -eq '{mac}').ifIndex"
    else:
        yield f"$nic = (Get-NetAdapter -Name '{nic.interface}').ifIndex"
    if nic.addresses(4):
        yield "Set-NetIPInterface -InterfaceIndex $nic -AddressFamily IPv4 -Dhcp Disabled"
    yield "Set-NetIPInterface -InterfaceIndex $nic -AddressFamily IPv6 -RouterDiscovery Disabled"
    for family in (4, 6):
        for number, address in enumerate(nic.addresses(family)):
            skip = " -SkipAsSource $true" if number else ""
            yield (
                f"New-NetIPAddress -InterfaceIndex $nic -IPAddress {bare(address)} "
                f"-PrefixLength {length_of(address)}{skip}"
            )
    for default in nic.defaults:
        if not default.needs_nic:
            length = 32 if default.family == 4 else 128
            yield _route(f"{default.via}/{length}", bare(default.to))
        yield _route(default.to, default.via)
    if nic.dns:
        servers = ",".join(f"'{server}'" for server in nic.dns)
        yield f"Set-DnsClientServerAddress -InterfaceIndex $nic -ServerAddresses {servers}"


def _route(prefix: str, next_hop: str) -> str:
    return f"New-NetRoute -InterfaceIndex $nic -DestinationPrefix '{prefix}' -NextHop '{next_hop}'"


WINDOWS = Format("Windows", "", _lines, interface="Ethernet", keeps_dhcp=False, matches_mac=True)
