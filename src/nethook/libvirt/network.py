"""A libvirt network, as far as routing to it is concerned."""

from __future__ import annotations

from nethook.net import is_safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.net import Prefix

ISOLATED = ""
"""The forward mode of a network without ``<forward>``."""
MANAGED_MODES = frozenset({ISOLATED, "nat", "route", "open"})
"""Forward modes for which libvirt makes the bridge itself ('' is an isolated network, without ``<forward>``)."""


OPENVSWITCH = "openvswitch"
"""Takes the place of the forward mode if the bridge is one of Open vSwitch."""


class Port:
    """A guest's NIC on a network: libvirt's UUID of the port, the MAC address as the kernel prints it, and the guest.

    A NIC may have two ports for a moment: to change it, as ``virsh domif-setlink`` does, libvirt creates another port
    and then deletes one of the two.
    """

    __slots__ = ("guest", "mac", "uuid")

    def __init__(self, uuid: str, mac: str, guest: str) -> None:
        self.uuid = uuid
        self.mac = mac
        self.guest = guest

    def is_of(self, guest: str | None, mac: str | None) -> bool:
        """Return whether this is a port of the guest and, if ``mac`` is given, of that NIC."""
        return self.guest == guest and mac in {None, self.mac}


class Ports:
    """The ports of a network, as far as they are ``known``.

    With ``all_known``, a guest without a port here is not plugged in. Without it, such a guest may have been plugged in
    unseen, unless its port is ``gone``: the one that was just deleted.
    """

    __slots__ = ("all_known", "gone", "known")

    def __init__(self, known: Collection[Port], *, all_known: bool, gone: Port | None = None) -> None:
        self.known = known
        self.all_known = all_known
        self.gone = gone

    def of(self, guest: str | None, mac: str | None) -> list[str]:
        """Return the MAC addresses of the guest's NICs; with ``mac``, at most that one."""
        return list(dict.fromkeys(port.mac for port in self.known if port.is_of(guest, mac)))


class Network:
    """A network: its name, its bridge ('' if it has none), its forward mode ('' if it is isolated), and its ports.

    ``subnets`` are those of its ``<ip>`` elements, ``routes`` the prefixes of its ``<route>`` elements. libvirt adds a
    route to each of them, and refuses to start the network if the main table has a route to the same IPv4 prefix.

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
        """The prefixes to which libvirt itself adds routes."""
        return {prefix.text for prefix in (*self.subnets, *self.routes)}

    @property
    def why_unroutable(self) -> str:
        """The reason why nothing can be routed to this network as it is defined; '' if it can.

        A bridge that libvirt creates may get its name only when the network starts.
        """
        if self.forward_mode == OPENVSWITCH:
            return f"network {self.name} has a bridge of Open vSwitch, which nftables does not see"
        if not self.bridge and not self.is_libvirts_own:
            return f"network {self.name} has no bridge (forward mode {self.forward_mode})"
        if self.bridge and not is_safe(self.bridge):
            name = f"the name of the bridge of network {self.name}"
            return f"{name} cannot be used in rules and routes: {self.bridge!r}"
        return ""

    @property
    def is_libvirts_own(self) -> bool:
        """True if libvirt made the bridge, so that only guests are behind it. Other bridges may have an uplink."""
        return self.forward_mode in MANAGED_MODES

    @property
    def is_isolated(self) -> bool:
        """True if guests of this network may only reach each other and the host."""
        return self.forward_mode == ISOLATED
