"""The network devices of this host: which there are, what is plugged into bridges, and which IP families they have.

Messages and attributes: linux/rtnetlink.h, linux/if_link.h, linux/if_bridge.h.
"""

from __future__ import annotations

import os
from _socket import if_indextoname, if_nametoindex
from struct import pack, unpack_from

from nethook.host.netlink import attributes, routing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

GET_LINKS = 18
HEADER, HEADER_SIZE = "BBHiII", 16
ADDRESS, NAME, MASTER, INFO, EXTENDED_MASK = 1, 3, 10, 18, 29
KIND, DATA = 1, 2
UP = 1
"""A flag: the kernel's IFF_UP."""
OPTIONS, NO_LEARNING = 46, 1
WITHOUT_STATISTICS = pack("HHI", 8, EXTENDED_MASK, 8)
IPV6 = "/proc/sys/net/ipv6/conf"
NO_IPV6 = "this kernel has no IPv6"
NO_IPV6_ADVICE = "remove ipv6.disable=1 from the kernel's command line and boot anew, or remove the lines with IPv6"

BRIDGE = "bridge"
GUEST_KINDS = frozenset({"tun", "veth"})
"""The kinds that a port of a guest or container can have. Any other port is, or may be, an uplink."""
TAP, TAP_IF_NIC_HAS_THAT = "fe", "fa"
"""The first byte of a tap's MAC. The rest is that of its guest's NIC: libvirt's virNetDevTapCreateInBridgePort."""


class Link:
    """A network device: its number, name, kind ('' if unknown), MAC, and the number of its bridge (0: none).

    ``learns``: a bridge that learns from frames to link-local groups (its setting no_linklocal_learn is off).
    ``is_up``: it is turned on, whether or not anything is at its other end.
    """

    __slots__ = ("is_up", "kind", "learns", "mac", "master", "name", "number")

    def __init__(
        self,
        number: int,
        name: str,
        kind: str = "",
        mac: str = "",
        *,
        master: int = 0,
        learns: bool = False,
        is_up: bool = True,
    ) -> None:
        self.number = number
        self.name = name
        self.kind = kind
        self.mac = mac
        self.master = master
        self.learns = learns
        self.is_up = is_up

    @property
    def is_tap(self) -> bool:
        """Return whether it looks like the tap of a libvirt guest, by its MAC.

        A guest cannot change that: the tap is a device of the host.
        """
        return bool(self.master) and self.mac[:2] in {TAP, TAP_IF_NIC_HAS_THAT}


def links() -> list[Link]:
    """Return all devices of this network namespace; ReadError if they cannot be known."""
    found = []
    for data, begin, end in routing("devices", GET_LINKS, pack(HEADER, *[0] * 6) + WITHOUT_STATISTICS):
        values = {number: (at, until) for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
        info = _parts(data, values, INFO)
        options = _parts(data, info, DATA)
        kind = data[slice(*info[KIND])].rstrip(b"\0").decode() if KIND in info else ""
        learns = kind == BRIDGE and OPTIONS in options and not _number(data, options[OPTIONS]) & NO_LEARNING
        _, _, _, index, flags, _ = unpack_from(HEADER, data, begin)
        found.append(
            Link(
                index,
                data[slice(*values.get(NAME, (0, 0)))].rstrip(b"\0").decode("utf-8", "surrogateescape"),
                kind,
                data[slice(*values.get(ADDRESS, (0, 0)))].hex(":"),
                master=_number(data, values[MASTER]) if MASTER in values else 0,
                learns=learns,
                is_up=bool(flags & UP),
            )
        )
    return found


def _parts(data: bytes, values: dict[int, tuple[int, int]], number: int) -> dict[int, tuple[int, int]]:
    """Return the attributes within this one."""
    if number not in values:
        return {}
    return {inner: (first, last) for inner, first, last in attributes(data, *values[number])}


def _number(data: bytes, span: tuple[int, int]) -> int:
    number: int = unpack_from("I", data, span[0])[0]
    return number


def guest_bridges(found: Iterable[Link]) -> list[str]:
    """Return the names of the bridges with guests of libvirt on them and nothing that leads outside."""
    found = list(found)
    with_tap = {link.master for link in found if link.is_tap}
    with_uplink = {link.master for link in found if link.master and link.kind not in GUEST_KINDS}
    return [link.name for link in found if link.kind == BRIDGE and link.number in with_tap - with_uplink]


def tap_mac(nic: str) -> str:
    """Return the MAC of the tap of the NIC with this MAC."""
    return (TAP_IF_NIC_HAS_THAT if nic[:2] == TAP else TAP) + nic[2:]


def number_of(name: str) -> int:
    """Return the number of this device in this network namespace; 0 if there is none."""
    try:
        return if_nametoindex(name)
    except OSError:
        return 0


def exists(name: str) -> bool:
    """Return whether there is such a device in this network namespace."""
    return number_of(name) > 0


def name_of(number: int) -> str:
    """Return the name of the device with this number; '' if it has gone."""
    try:
        return if_indextoname(number)
    except OSError:
        return ""


def available() -> tuple[int, ...]:
    """Return the IP families of this kernel: 4 and 6, or 4 alone with ``ipv6.disable=1`` or a kernel without IPv6."""
    return (4, 6) if os.path.isdir(IPV6) else (4,)


def has_ipv6(device: str) -> bool:
    """Return whether the device has IPv6, on or off. A device with an MTU below 1280 bytes has none (RFC 8200)."""
    return os.path.isdir(f"{IPV6}/{device}")
