"""The XML of a libvirt network, as far as it matters here.

https://libvirt.org/formatnetwork.html
"""

from __future__ import annotations

import pyexpat

from nethook.errors import ReadError
from nethook.libvirt.network import Network

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
    except pyexpat.ExpatError as error:
        raise ReadError(f"{source} is broken: {error}") from None
    if not reader.seen:
        raise ReadError(f"{source} contains no <network>")
    return NetworkXML(Network(reader.name, reader.bridge, reader.forward_mode), reader.ips)


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
