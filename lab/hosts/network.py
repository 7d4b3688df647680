"""A libvirt network on a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from lab.hosts.host import Host


class HostNetwork:
    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self.name = name

    def define(self, xml: str) -> None:
        """Define it, or change the definition; a running network keeps the one it was started with."""
        path = "/run/bench-network.xml"
        self._host.write(path, xml)
        self._host.virsh("net-define", path)

    def start(self) -> None:
        self._host.virsh("net-start", self.name)

    def stop(self) -> None:
        self._host.virsh("net-destroy", self.name)


def network_xml(
    name: str,
    mode: str | None,
    bridge: str,
    addresses: Sequence[str],
    reserves: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The XML of a network, whose DHCP server knows no other addresses than those that it `reserves`, by MAC.

    `mode` is libvirt's forward mode (nat, route, open), None for an isolated network; `addresses` are those
    of the bridge, with prefix length.
    """
    forward = f"<forward mode={quoteattr(mode)}/>" if mode else ""
    ips = "".join(_ip_xml(address, reserves) for address in addresses)
    bridge_xml = f"<bridge name={quoteattr(bridge)} stp='off' delay='0'/>"
    return f"<network><name>{escape(name)}</name>{forward}{bridge_xml}{ips}</network>"


def _ip_xml(address: str, reserves: Mapping[str, str]) -> str:
    interface = ip_interface(address)
    family = f"ipv{interface.version}"
    hosts = [
        f"<host mac='{mac}' ip='{reserved}'/>"
        for mac, reserved in reserves.items()
        if ip_interface(reserved).ip in interface.network
    ]
    dhcp = f"<dhcp>{''.join(hosts)}</dhcp>" if hosts else ""
    return f"<ip family='{family}' address='{interface.ip}' prefix='{interface.network.prefixlen}'>{dhcp}</ip>"
