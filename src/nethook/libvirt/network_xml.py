"""The XML of a libvirt network, as far as it matters here.

https://libvirt.org/formatnetwork.html
"""

from __future__ import annotations

import pyexpat

from nethook.errors import ReadError
from nethook.libvirt.network import Network
from nethook.prefix import BITS, Prefix, parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class NetworkXML:
    """What was read: the network, and the attributes of each of its ``<ip>`` elements."""

    __slots__ = ("ips", "network")

    def __init__(self, network: Network, ips: Sequence[dict[str, str]]) -> None:
        self.network = network
        self.ips = ips


def read_network(xml: bytes, source: str, within: Sequence[str] = ()) -> NetworkXML:
    """The network whose element is within these elements, from the outermost one on.

    ReadError, which names ``source``, if the XML is broken or has no network there.
    """
    reader = _Reader([*within, "network"])
    try:
        reader.read(xml)
        subnets = [_subnet(ip) for ip in reader.ips]
    except pyexpat.ExpatError as error:
        raise ReadError(f"{source} is broken: {error}") from None
    except (KeyError, ValueError):
        raise ReadError(f"{source} has an <ip> that is not understood") from None
    if not reader.seen:
        raise ReadError(f"{source} contains no <network>")
    return NetworkXML(Network(reader.name, reader.bridge, reader.forward_mode, subnets), reader.ips)


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


class _Reader:
    """Picks what we need by exact place: a network's ``<metadata>`` may hold anything."""

    def __init__(self, network: list[str]) -> None:
        self.seen = False
        self.name = ""
        self.bridge = ""
        self.forward_mode = ""
        self.ips: list[dict[str, str]] = []
        self._path: list[str] = []
        self._network = network
        self._name = [*network, "name"]

    def read(self, xml: bytes) -> None:
        parser = pyexpat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(xml, True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._path == self._network:
            if tag == "bridge":
                self.bridge = attributes.get("name", "")
            elif tag == "forward":
                self.forward_mode = attributes.get("mode", "nat")
            elif tag == "ip":
                self.ips.append(attributes)
        self._path.append(tag)
        if self._path == self._network:
            self.seen = True

    def _end(self, tag: str) -> None:
        del tag
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._path == self._name:
            self.name += text
