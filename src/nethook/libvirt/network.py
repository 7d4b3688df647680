"""A libvirt network, as far as routing to it is concerned."""

from __future__ import annotations

from nethook.net.names import is_safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.net.prefix import Prefix

ISOLATED = ""
"""The forward mode of a network without ``<forward>``."""
MANAGED_MODES = frozenset({ISOLATED, "nat", "route", "open"})
"""Forward modes for which libvirt makes the bridge itself ('' is an isolated network, without ``<forward>``)."""


OPENVSWITCH = "openvswitch"
"""In the place of a forward mode: the bridge is one of Open vSwitch."""


class Port:
    """A NIC on a network: libvirt's UUID of this port, its MAC as the kernel prints it, and the name of its guest.

    A NIC may have two for a moment: when libvirt is to change it, as by ``virsh domif-setlink``, it creates another
    port, and then deletes one of both.
    """

    __slots__ = ("guest", "mac", "uuid")

    def __init__(self, uuid: str, mac: str, guest: str) -> None:
        self.uuid = uuid
        self.mac = mac
        self.guest = guest

    def is_of(self, guest: str | None, mac: str | None) -> bool:
        """Whether it is this guest's; with ``mac``, of this NIC."""
        return self.guest == guest and mac in {None, self.mac}


class Ports:
    """Who is plugged into a network, as far as known: the ports that are there (``known``).

    ``all_known``: whoever is not here is not plugged in. Otherwise a guest that is not here may have been plugged in
    unseen, unless its port has just ``gone``.
    """

    __slots__ = ("all_known", "gone", "known")

    def __init__(self, known: Collection[Port], *, all_known: bool, gone: Port | None = None) -> None:
        self.known = known
        self.all_known = all_known
        self.gone = gone

    def of(self, guest: str | None, mac: str | None) -> list[str]:
        """The MACs of this guest's NICs; with ``mac``, at most this one."""
        return list(dict.fromkeys(port.mac for port in self.known if port.is_of(guest, mac)))


class Network:
    """A network: its name, the device of its bridge ('' if it has none), its forward mode ('' if isolated), its ports.

    ``subnets`` are those of its ``<ip>`` elements, ``routes`` the prefixes of its ``<route>`` elements: libvirt makes a
    route to each of both, and refuses to start the network where the main table has one to the same IPv4 prefix.

    https://libvirt.org/formatnetwork.html
    """

    __slots__ = ("bridge", "forward_mode", "name", "ports", "routes", "subnets")

    def __init__(
        self,
        name: str,
        bridge: str,
        forward_mode: str,
        ports: Ports | None = None,
        *,
        subnets: Sequence[Prefix] = (),
        routes: Sequence[Prefix] = (),
    ) -> None:
        self.name = name
        self.bridge = bridge
        self.forward_mode = forward_mode
        self.ports = ports or Ports((), all_known=False)
        self.subnets = subnets
        self.routes = routes

    @property
    def own_prefixes(self) -> set[str]:
        """The prefixes to which libvirt itself makes routes."""
        return {prefix.text for prefix in (*self.subnets, *self.routes)}

    @property
    def why_unroutable(self) -> str:
        """Why nothing can ever be routed to it, as it is defined; '' if that is possible.

        A bridge that libvirt makes has a name at the latest when the network starts.
        """
        if self.forward_mode == OPENVSWITCH:
            return f"network {self.name} has a bridge of Open vSwitch, which nftables and this program do not see"
        if not self.bridge and not self.is_libvirts_own:
            return f"network {self.name} has no bridge (forward mode {self.forward_mode})"
        if self.bridge and not is_safe(self.bridge):
            name = f"the name of the bridge of network {self.name}"
            return f"{name} cannot be used in rules and routes: {self.bridge!r}"
        return ""

    @property
    def is_libvirts_own(self) -> bool:
        """Whether behind the bridge are guests alone: a bridge that the host brings may have an uplink as its port."""
        return self.forward_mode in MANAGED_MODES

    @property
    def is_isolated(self) -> bool:
        """Whether its guests must reach nobody but each other and the host."""
        return self.forward_mode == ISOLATED
