"""A libvirt network and its ports, as far as routing to them is concerned, and reading them from libvirt's XML.

Elements are found by their exact path, because ``<metadata>`` may hold elements of any name.

https://libvirt.org/formatnetwork.html, https://libvirt.org/formatnetworkport.html
"""

from __future__ import annotations

import pyexpat

from nethook.errors import ReadError
from nethook.prefix import BITS, Prefix, address_text, is_mac, is_safe, parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.prefix import Prefix

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


class Reservation:
    """An address that a network's DHCP server keeps for a guest: by the MAC address of its NIC, or by its name.

    ``mac`` and ``name`` are '' where they are not given. libvirt takes no MAC for IPv6, where ``name`` is what the
    guest calls itself.
    """

    __slots__ = ("address", "mac", "name")

    def __init__(self, address: str, mac: str, name: str) -> None:
        self.address = address
        self.mac = mac
        self.name = name


class Network:
    """A network: its name, its bridge ('' if it has none), its forward mode ('' if it is isolated), and its ports.

    ``subnets`` are those of its ``<ip>`` elements, ``routes`` the prefixes of its ``<route>`` elements. libvirt adds a
    route to each of them, and refuses to start the network if the main table has a route to the same IPv4 prefix.
    ``reservations`` are those of ``<dhcp>``.

    https://libvirt.org/formatnetwork.html
    """

    __slots__ = ("bridge", "forward_mode", "name", "ports", "reservations", "routes", "subnets")

    def __init__(
        self,
        name: str,
        bridge: str,
        forward_mode: str,
        ports: Ports | None = None,
        *,
        subnets: Sequence[Prefix] = (),
        routes: Sequence[Prefix] = (),
        reservations: Sequence[Reservation] = (),
    ) -> None:
        self.name = name
        self.bridge = bridge
        self.forward_mode = forward_mode
        self.ports = ports or Ports((), all_known=False)
        self.subnets = subnets
        self.routes = routes
        self.reservations = reservations

    def reserved(self, family: int, guest: str, macs: Collection[str]) -> tuple[str, str]:
        """Return the address (of this family, 4 or 6) reserved for one of these NICs or the guest's name, and that MAC.

        Both are '' without one; the MAC is the first of ``macs`` if the reservation is for the name.
        """
        of_family = [each for each in self.reservations if (":" in each.address) == (family == 6)]
        for mac in macs:
            for each in of_family:
                if each.mac == mac:
                    return each.address, mac
        for each in of_family:
            if not each.mac and each.name == guest:
                return each.address, next(iter(macs), "")
        return "", ""

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


PORT = "networkport"

DEEPEST = 5
"""Elements that are nested deeper are ignored: paths for all of them would take quadratic time."""
TEXTS = (
    *("network/name", "networkport/uuid", "networkport/owner/name"),
    *("hookData/network/name", "hookData/networkport/uuid", "hookData/networkport/owner/name"),
)
"""The elements whose text is kept. Other texts may be megabytes long, as in ``<metadata>``."""


class XML:
    """An XML document: the attributes of its elements by path, such as ``network/bridge``, and the texts of TEXTS."""

    __slots__ = ("_attributes", "_depth", "_path", "_pieces")

    def __init__(self, xml: bytes, source: str) -> None:
        """Parse the XML in linear time. ReadError, which names ``source``, if it is broken."""
        self._attributes: dict[str, list[dict[str, str]]] = {}
        self._pieces: dict[str, list[str]] = {path: [] for path in TEXTS}
        self._path: list[str] = []
        self._depth = 0
        parser = pyexpat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(xml, True)
        except pyexpat.ExpatError as error:
            raise ReadError(f"{source} is broken: {error}") from None

    def has(self, path: str) -> bool:
        """Return whether there is an element at this path."""
        return path in self._attributes

    def all(self, path: str) -> Sequence[dict[str, str]]:
        """Return the attributes of each element at this path."""
        return self._attributes.get(path, ())

    def first(self, path: str) -> dict[str, str]:
        """Return the attributes of the first element at this path, {} without one."""
        return next(iter(self.all(path)), {})

    def text(self, path: str) -> str:
        """Return the text of the elements at this path, which is one of TEXTS; '' without one."""
        return "".join(self._pieces[path])

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth <= DEEPEST:
            self._path.append(f"{self._path[-1]}/{tag}" if self._path else tag)
            self._attributes.setdefault(self._path[-1], []).append(attributes)

    def _end(self, tag: str) -> None:
        del tag
        if self._depth <= DEEPEST:
            self._path.pop()
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._depth <= DEEPEST and self._path[-1] in self._pieces:
            self._pieces[self._path[-1]].append(text)


class NetworkXML:
    """A network that was read, and the attributes of its ``<ip>`` elements."""

    __slots__ = ("ips", "network")

    def __init__(self, network: Network, ips: Sequence[dict[str, str]]) -> None:
        self.network = network
        self.ips = ips


def read_network(xml: XML, source: str, path: str = "network") -> NetworkXML:
    """Return the network at this path. ReadError, which names ``source``, if it is missing or not understood."""
    if not xml.has(path):
        raise ReadError(f"{source} contains no <network>")
    mode = xml.first(f"{path}/forward").get("mode", "nat") if xml.has(f"{path}/forward") else ""
    mode = "" if mode == "none" else mode
    bridge = xml.first(f"{path}/bridge").get("name", "")
    ports = (*xml.all(f"{path}/virtualport"), *xml.all(f"{path}/portgroup/virtualport"))
    if any(port.get("type") == OPENVSWITCH for port in ports):
        mode, bridge = OPENVSWITCH, ""
    ips = xml.all(f"{path}/ip")
    try:
        subnets = [subnet_of(ip) for ip in ips]
        routes = [subnet_of(route) for route in xml.all(f"{path}/route")]
    except (KeyError, ValueError):
        raise ReadError(f"{source} has an <ip> or a <route> that is not understood") from None
    reservations = [*filter(None, map(_reservation, xml.all(f"{path}/ip/dhcp/host")))]
    name = xml.text(f"{path}/name")
    return NetworkXML(Network(name, bridge, mode, subnets=subnets, routes=routes, reservations=reservations), ips)


def _reservation(host: dict[str, str]) -> Reservation | None:
    """Return the reservation of a ``<host>`` element; None if it names no guest, or is not understood."""
    mac, name = host.get("mac", "").lower(), host.get("name", "")
    try:
        address = address_text(*parse_address(host.get("ip", "")))
    except ValueError:
        return None
    # The address and the MAC go into the input of nft.
    return Reservation(address, mac, name) if (is_mac(mac) if mac else name) else None


def subnet_of(ip: dict[str, str]) -> Prefix:
    """Return the subnet of an ``<ip>`` or ``<route>`` element, from its length, its netmask, or its address's class."""
    family, number = parse_address(ip["address"])
    if "prefix" in ip:
        length = int(ip["prefix"])
    elif "netmask" in ip:
        length = bin(parse_address(ip["netmask"])[1]).count("1")
    else:  # virSocketAddrGetIPPrefix: classes for IPv4, 64 for IPv6
        length = 64 if family == 6 else 8 if number < 0x80000000 else 16 if number < 0xC0000000 else 24
    host_bits = BITS[family] - length
    return Prefix(family, (number >> host_bits) << host_bits, length)


def read_port(xml: XML, path: str = PORT) -> Port | None:
    """Return the port at this path; None if there is none, or if it is not a guest's."""
    guest, mac = xml.text(f"{path}/owner/name"), xml.first(f"{path}/mac").get("address", "").lower()
    # The MAC address goes into the input of nft and ip, so it is checked. A port without a UUID is known by it.
    return Port(xml.text(f"{path}/uuid") or mac, mac, guest) if guest and is_mac(mac) else None
