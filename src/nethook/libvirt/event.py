"""The event that libvirt passes to a network hook: four arguments, and XML on standard input.

https://libvirt.org/hooks.html#etc-libvirt-hooks-network
"""

from __future__ import annotations

from nethook.libvirt import PORT, XML, Ports, read_network, read_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.libvirt import Network, Port

PLUGGED = frozenset({"port-created", "plugged"})
UNPLUGGED = frozenset({"port-deleted", "unplugged"})
"""libvirt up to 5.x calls these operations plugged and unplugged."""
RUNNING = frozenset({"started"}) | PLUGGED | UNPLUGGED
"""Operations that only a network that is up has."""
UPDATED = "updated"
"""Comes also for a network that is down, of `virsh net-update --config`."""
UP = RUNNING | {UPDATED}
"""Operations after which the network is up, as a rule."""
DOWN = frozenset({"start", "stopped"})
"""Operations after which it is down. "start" comes before the start, when leftovers of an unseen stop are removed."""


class Event:
    """One event: its operation, its network, and the port of a guest that it is about, if any."""

    __slots__ = ("network", "operation", "port")

    def __init__(self, operation: str, network: Network, port: Port | None) -> None:
        self.operation = operation
        self.network = network
        self.port = port

    @property
    def begins(self) -> bool:
        """True if the network is about to start."""
        return self.operation == "start"

    @property
    def is_up(self) -> bool:
        """True if the network is up after this event."""
        return self.operation in UP

    def ports(self, before: Iterable[Port]) -> Ports:
        """Return the ports after this event; ``before`` has those before it."""
        known = {port.uuid: port for port in before}
        gone = None
        if self.port and self.operation in PLUGGED:
            known[self.port.uuid] = self.port
        elif self.port and self.operation in UNPLUGGED:
            gone = self.port
            known.pop(gone.uuid, None)
        return Ports(known.values(), all_known=False, gone=gone)


def parse_event(arguments: Sequence[str], xml: bytes) -> Event | None:
    """Return the event in the arguments and the input of the hook, None for an operation that does not matter.

    ReadError if the input is not the XML of a network hook.
    """
    name, operation = arguments[:2]
    if operation not in UP | DOWN:
        return None
    source = f"libvirt's XML for {operation} of network {name}"
    read = XML(xml, source)
    network = read_network(read, source, "hookData/network").network
    network.name = network.name or name
    return Event(operation, network, read_port(read, f"hookData/{PORT}"))
