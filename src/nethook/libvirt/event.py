"""The event that libvirt gives to a network hook: four arguments, and XML on standard input.

https://libvirt.org/hooks.html#etc-libvirt-hooks-network
"""

from __future__ import annotations

from nethook.libvirt.network_xml import read_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.libvirt.network import Network

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
    network = read_network(xml, f"the XML that came with {operation} of network {name}", within=["hookData"]).network
    network.name = network.name or name
    return Event(operation, network)
