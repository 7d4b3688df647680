"""Our neighbour entries: permanent ones that carry our protocol number, so that no guest can take another's address.

They are read over netlink, because every run does it, and most hosts have none: that must not cost a process.
Messages and attributes: linux/rtnetlink.h, linux/neighbour.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, if_indextoname, inet_ntop
from struct import pack, unpack_from

from nethook.kernel.kind import Kind
from nethook.kernel.netlink import NETLINK_ROUTE, Netlink, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.kernel.kind import Key
    from nethook.kernel.process import Result

GET_NEIGHBOURS = 30
HEADER = "BBHiHBB"
HEADER_SIZE = 12
ADDRESS, MAC, PROTOCOL = 1, 2, 12
PERMANENT = 0x80
FAMILIES = (AF_INET, AF_INET6)


class Neighbours(Kind):
    """Keys are (address, device, MAC)."""

    name = "neighbour"
    already_gone = (*Kind.already_gone, "No such file or directory")

    def read(self, results: Sequence[Result], protocol: int) -> set[Key]:
        """Our entries."""
        del results
        found: set[Key] = set()
        for data, begin, end in Netlink(NETLINK_ROUTE, "neighbours").dump(GET_NEIGHBOURS, pack(HEADER, *[0] * 7)) or ():
            family, _, _, device, state, _, _ = unpack_from(HEADER, data, begin)
            if family not in FAMILIES or not state & PERMANENT:
                continue
            values = {number: data[at:until] for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
            if values.get(PROTOCOL) == bytes([protocol]) and ADDRESS in values and MAC in values:
                name = _device(device)
                if name:
                    found.add((inet_ntop(family, values[ADDRESS]), name, values[MAC].hex(":")))
        return found

    def add(self, key: Key, protocol: int) -> str:
        """``replace``, because the kernel may know the address already, from a guest that has answered for it."""
        address, device, mac = key
        return f"neighbour replace {address} lladdr {mac} dev {device} nud permanent protocol {protocol}"

    def delete(self, key: Key, protocol: int) -> str:
        """The entry of this address."""
        del protocol
        address, device, _ = key
        return f"neighbour delete {address} dev {device}"


def _device(number: int) -> str:
    """The name of the device, '' if it has gone."""
    try:
        return if_indextoname(number)
    except OSError:
        return ""


NEIGHBOURS = Neighbours()
