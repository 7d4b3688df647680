"""A libvirt network on a host."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_interface
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


def network_xml(name: str, mode: str | None, bridge: str, addresses: Sequence[str]) -> str:
    """The XML of a network without DHCP.

    `mode` is libvirt's forward mode (nat, route, open), None for an isolated network; `addresses` are those
    of the bridge, with prefix length.
    """
    forward = f"<forward mode={quoteattr(mode)}/>" if mode else ""
    ips = "".join(_ip_xml(address) for address in addresses)
    bridge_xml = f"<bridge name={quoteattr(bridge)} stp='off' delay='0'/>"
    return f"<network><name>{escape(name)}</name>{forward}{bridge_xml}{ips}</network>"


def _ip_xml(address: str) -> str:
    interface = ip_interface(address)
    family = f"ipv{interface.version}"
    return f"<ip family='{family}' address='{interface.ip}' prefix='{interface.network.prefixlen}'/>"
