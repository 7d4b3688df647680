"""The networks as libvirt itself tells of them, over its API; see connection.py.

``network:///system`` is served by virtnetworkd where the daemons are modular, and by libvirtd where they are not; no
driver for guests is needed. https://libvirt.org/html/libvirt-libvirt-network.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.libvirt.connection import ask
from nethook.libvirt.network_xml import read_network
from nethook.prefix import BITS, Prefix, address_text, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.libvirt.network import Network

URI = "network:///system"
ADVICE = "is it running? Look at `systemctl status libvirtd virtnetworkd`"


class LiveNetwork:
    """A network that is defined or active.

    ``subnets`` are those of its ``<ip>`` elements; ``addresses`` the bridge's own ones, with their lengths.
    """

    __slots__ = ("addresses", "is_active", "network", "subnets")

    def __init__(
        self,
        network: Network,
        subnets: list[Prefix],
        *,
        is_active: bool,
        addresses: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.network = network
        self.subnets = subnets
        self.addresses = addresses
        self.is_active = is_active


def live_networks() -> dict[str, LiveNetwork]:
    """All networks by name; LibvirtError if they cannot be had."""
    return ask(URI, lambda libvirt, connection: dict(_read(libvirt, connection)), "its networks", ADVICE)


def _read(libvirt: Any, connection: Any) -> Iterator[tuple[str, LiveNetwork]]:
    for network in connection.listAllNetworks():
        try:
            yield network.name(), _live(network)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:  # undefined meanwhile
                raise


def _live(network: Any) -> LiveNetwork:
    is_active = bool(network.isActive())
    read = read_network(network.XMLDesc().encode(), f"libvirt's XML of network {network.name()}")
    subnets = [_subnet(ip) for ip in read.ips]
    addresses = [(address_text(*parse_address(ip["address"])), subnet.length) for ip, subnet in zip(read.ips, subnets)]
    return LiveNetwork(read.network, subnets, is_active=is_active, addresses=addresses)


def _subnet(ip: dict[str, str]) -> Prefix:
    """The subnet of an ``<ip>`` element: a length or netmask, or by class of the address where it has neither."""
    family, number = parse_address(ip["address"])
    if "prefix" in ip:
        length = int(ip["prefix"])
    elif "netmask" in ip:
        length = bin(parse_address(ip["netmask"])[1]).count("1")
    else:  # virSocketAddrGetIPPrefix: classes for IPv4, 64 for IPv6
        length = 64 if family == 6 else 8 if number < 0x80000000 else 16 if number < 0xC0000000 else 24
    host_bits = BITS[family] - length
    return Prefix(family, number >> host_bits << host_bits, length)
