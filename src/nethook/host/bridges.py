"""The bridges of this host, and what is plugged into them: what tells guests' bridges from those with an uplink.

Messages and attributes: linux/rtnetlink.h, linux/if_link.h.
"""

from __future__ import annotations

from struct import pack, unpack_from

from nethook.host.netlink import attributes, routing
from nethook.host.taps import GET_LINKS, HEADER, HEADER_SIZE, TAP, TAP_IF_NIC_HAS_THAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS, NAME, MASTER, INFO, INFO_KIND = 1, 3, 10, 18, 1
GUEST_KINDS = frozenset({b"tun", b"veth"})
"""What a guest's or container's port can be; anything else is, or may be, an uplink."""
TAPS = frozenset(bytes.fromhex(first) for first in (TAP, TAP_IF_NIC_HAS_THAT))


class Bridge:
    """A bridge. ``has_tap``: a port looks like the tap of a libvirt guest; ``has_uplink``: a port may be an uplink."""

    __slots__ = ("has_tap", "has_uplink", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.has_tap = False
        self.has_uplink = False

    @property
    def is_of_guests(self) -> bool:
        """Whether guests of libvirt are on it, and nothing that leads outside."""
        return self.has_tap and not self.has_uplink


def bridges() -> list[Bridge]:
    """Return all bridges of this network namespace; ReadError if they cannot be known."""
    found: dict[int, Bridge] = {}
    ports: list[tuple[int, bytes, bytes]] = []
    for index, values in _links():
        kind = values.get(INFO, b"")
        if kind == b"bridge":
            found[index] = Bridge(values.get(NAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape"))
        if MASTER in values:
            ports.append((unpack_from("I", values[MASTER])[0], values.get(ADDRESS, b"")[:1], kind))
    for master, first, kind in ports:
        if master in found:
            found[master].has_tap |= first in TAPS
            found[master].has_uplink |= kind not in GUEST_KINDS
    return list(found.values())


def _links() -> Iterator[tuple[int, dict[int, bytes]]]:
    """Each device's number and attributes; instead of the attribute INFO only the kind that it holds."""
    for data, begin, end in routing("devices", GET_LINKS, pack(HEADER, *[0] * 6)):
        values = {}
        for number, at, until in attributes(data, begin + HEADER_SIZE, end):
            values[number] = data[at:until]
            if number == INFO:
                kinds = (data[first:last] for inner, first, last in attributes(data, at, until) if inner == INFO_KIND)
                values[number] = next(kinds, b"").rstrip(b"\0")
        yield unpack_from(HEADER, data, begin)[3], values
