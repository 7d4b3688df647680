"""The event that libvirt gives to a network hook: four arguments, and XML on standard input.

https://libvirt.org/hooks.html#etc-libvirt-hooks-network
"""

from __future__ import annotations

from nethook.libvirt.network import Ports
from nethook.libvirt.network_xml import PORT, XML, read_network, read_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.libvirt.network import Network, Port

PLUGGED = frozenset({"port-created", "plugged"})
UNPLUGGED = frozenset({"port-deleted", "unplugged"})
"""libvirt until 5.x says plugged and unplugged for its ports."""
UP = frozenset({"started", "updated"}) | PLUGGED | UNPLUGGED
"""Operations after which the network is up."""
DOWN = frozenset({"start", "stopped"})
"""Operations after which it is not: what a network left behind that went down unseen goes before it starts."""


class Event:
    """What happened (``operation``), to which network, and at which of its ports (None: not at a guest's)."""

    __slots__ = ("network", "operation", "port")

    def __init__(self, operation: str, network: Network, port: Port | None) -> None:
        self.operation = operation
        self.network = network
        self.port = port

    @property
    def begins(self) -> bool:
        """Whether the network is about to start."""
        return self.operation == "start"

    @property
    def is_up(self) -> bool:
        """Whether the network is up after this event."""
        return self.operation in UP

    def ports(self, before: Iterable[Port]) -> Ports:
        """Who is plugged in after this event, if these ports were there before it."""
        known = {port.uuid: port for port in before}
        gone = None
        if self.port and self.operation in PLUGGED:
            known[self.port.uuid] = self.port
        elif self.port and self.operation in UNPLUGGED:
            gone = self.port
            known.pop(gone.uuid, None)
        return Ports(known.values(), all_known=False, gone=gone)


def parse_event(arguments: Sequence[str], xml: bytes) -> Event | None:
    """The event of the hook's arguments and input, None for an operation that does not matter.

    ReadError if the XML is none, or is not that of a network hook.
    """
    name, operation = arguments[:2]
    if operation not in UP | DOWN:
        return None
    source = f"the XML that came with {operation} of network {name}"
    read = XML(xml, source)
    network = read_network(read, source, "hookData/network").network
    network.name = network.name or name
    return Event(operation, network, read_port(read, f"hookData/{PORT}"))
