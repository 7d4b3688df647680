"""The event that libvirt gives to a network hook: four arguments, and XML on standard input.

https://libvirt.org/hooks.html#etc-libvirt-hooks-network
"""

from __future__ import annotations

import pyexpat

from nethook.errors import ReadError
from nethook.libvirt.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

UP = frozenset({"started", "port-created", "port-deleted", "updated", "plugged", "unplugged"})
"""Operations after which the network is up. libvirt until 5.x says plugged and unplugged for its ports."""
DOWN = frozenset({"start", "stopped"})
"""Operations after which it is not: what a network left behind that went down unseen goes before it starts."""


class Event:
    """What happened (``operation``), and to which network."""

    __slots__ = ("network", "operation")

    def __init__(self, operation: str, network: Network) -> None:
        self.operation = operation
        self.network = network

    @property
    def is_up(self) -> bool:
        """Whether the network is up after this event."""
        return self.operation in UP


def parse_event(arguments: Sequence[str], xml: bytes) -> Event | None:
    """The event of the hook's arguments and input, None for an operation that does not matter.

    ReadError if the XML is none, or is not that of a network hook.
    """
    name, operation = arguments[:2]
    if operation not in UP | DOWN:
        return None
    reader = _NetworkReader()
    try:
        reader.read(xml)
    except pyexpat.ExpatError as error:
        raise ReadError(f"the XML that came with {operation} of network {name} is broken: {error}") from None
    if not reader.seen:
        raise ReadError(f"the XML that came with {operation} of network {name} contains no <network>")
    return Event(operation, Network(reader.name or name, reader.bridge, reader.forward_mode))


class _NetworkReader:
    """Picks what we need out of ``<hookData><network>``, by exact place: its ``<metadata>`` may hold anything."""

    def __init__(self) -> None:
        self.seen = False
        self.name = ""
        self.bridge = ""
        self.forward_mode = ""
        self._path: list[str] = []

    def read(self, xml: bytes) -> None:
        parser = pyexpat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(xml, True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        if self._path == ["hookData", "network"]:
            self.seen = True
        elif self._path == ["hookData", "network", "bridge"]:
            self.bridge = attributes.get("name", "")
        elif self._path == ["hookData", "network", "forward"]:
            self.forward_mode = attributes.get("mode", "nat")

    def _end(self, tag: str) -> None:
        del tag
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._path == ["hookData", "network", "name"]:
            self.name += text
