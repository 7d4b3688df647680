"""The XML of a libvirt network and of its ports, as far as it matters here.

https://libvirt.org/formatnetwork.html, https://libvirt.org/formatnetworkport.html
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.libvirt.network import Network, Port
from nethook.libvirt.place import XML

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = "networkport"


class NetworkXML:
    """What was read: the network, and the attributes of each of its ``<ip>`` elements."""

    __slots__ = ("ips", "network")

    def __init__(self, network: Network, ips: Sequence[dict[str, str]]) -> None:
        self.network = network
        self.ips = ips


def read_network(xml: XML, source: str, path: str = "network") -> NetworkXML:
    """The network whose element is at this path. ReadError, which names ``source``, if there is none."""
    if not xml.has(path):
        raise ReadError(f"{source} contains no <network>")
    mode = xml.first(f"{path}/forward").get("mode", "nat") if xml.has(f"{path}/forward") else ""
    bridge = xml.first(f"{path}/bridge").get("name", "")
    return NetworkXML(Network(xml.text(f"{path}/name"), bridge, mode), xml.all(f"{path}/ip"))


def read_port(xml: XML, path: str = PORT) -> Port | None:
    """The port whose element is at this path, None without one or if it is no guest's."""
    guest, mac = xml.text(f"{path}/owner/name"), xml.first(f"{path}/mac").get("address", "")
    return Port(guest, mac.lower()) if guest and mac else None
