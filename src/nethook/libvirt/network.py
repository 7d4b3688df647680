"""A libvirt network, as far as routing to it is concerned."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGED_MODES = frozenset({"", "nat", "route", "open"})
"""Forward modes for which libvirt makes the bridge itself ('' is an isolated network, without ``<forward>``)."""


class Port:
    """A NIC on a network: the name of its guest, and its MAC as the kernel prints it."""

    __slots__ = ("guest", "mac")

    def __init__(self, guest: str, mac: str) -> None:
        self.guest = guest
        self.mac = mac


class Ports:
    """Who is plugged into a network, as far as known: guests by the MACs of their NICs.

    ``all_known``: whoever is not here is not plugged in. Otherwise a guest that is not here may have been plugged in
    unseen, unless it has just ``gone``.
    """

    __slots__ = ("all_known", "gone", "guests")

    def __init__(self, guests: Mapping[str, str], *, all_known: bool, gone: Port | None = None) -> None:
        self.guests = guests
        self.all_known = all_known
        self.gone = gone

    def of(self, guest: str | None, mac: str | None) -> list[str]:
        """The MACs of this guest's NICs; with ``mac``, at most this one."""
        return [nic for nic, owner in self.guests.items() if owner == guest and mac in {None, nic}]


class Network:
    """A network: its name, the device of its bridge ('' if it has none), its forward mode ('' if isolated), its ports.

    https://libvirt.org/formatnetwork.html
    """

    __slots__ = ("bridge", "forward_mode", "name", "ports")

    def __init__(self, name: str, bridge: str, forward_mode: str, ports: Ports | None = None) -> None:
        self.name = name
        self.bridge = bridge
        self.forward_mode = forward_mode
        self.ports = ports or Ports({}, all_known=False)

    @property
    def is_libvirts_own(self) -> bool:
        """Whether behind the bridge are guests alone: a bridge that the host brings may have an uplink as its port."""
        return self.forward_mode in MANAGED_MODES

    @property
    def is_isolated(self) -> bool:
        """Whether its guests must reach nobody but each other and the host."""
        return self.forward_mode == ""
