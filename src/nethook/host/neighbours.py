"""The kernel's neighbour table, in which pins and proxy entries of ours are: reading it over netlink.

Every run does that, and most hosts have neither, so it must not cost a process. Messages and attributes:
linux/rtnetlink.h, linux/neighbour.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import pack, unpack_from

from nethook.host.links import name_of
from nethook.host.netlink import NETLINK_ROUTE, Netlink, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GET_NEIGHBOURS = 30
HEADER, HEADER_SIZE = "BBHiHBB", 12
ADDRESS, MAC, PROTOCOL = 1, 2, 12
PERMANENT = 0x80
"""A state: the kernel's NUD_PERMANENT."""
PROXY = 0x08
"""A flag: the kernel's NTF_PROXY."""
FAMILIES = (AF_INET, AF_INET6)


def permanent_entries(protocol: int) -> Iterator[tuple[str, str, str]]:
    """Yield address, device and MAC of each permanent entry with this protocol number. ReadError."""
    for address, device, mac, state, _ in _entries(protocol, "neighbours", [0], 0):
        if state & PERMANENT and mac:
            yield address, device, mac


def proxy_entries(protocol: int) -> Iterator[tuple[str, str]]:
    """Yield address and device of each proxy entry with this protocol number. ReadError."""
    for address, device, _, _, flags in _entries(protocol, "proxy entries", FAMILIES, PROXY):
        if flags & PROXY:
            yield address, device


def _entries(
    protocol: int, about: str, families: Sequence[int], wanted: int
) -> Iterator[tuple[str, str, str, int, int]]:
    """Yield address, device, MAC, state and flags of entries with this number; ``wanted`` are flags of the question."""
    with Netlink(NETLINK_ROUTE, about) as netlink:
        questions = (pack(HEADER, asked, 0, 0, 0, 0, wanted, 0) for asked in families)
        found = [entry for question in questions for entry in netlink.dump(GET_NEIGHBOURS, question) or ()]
    for data, begin, end in found:
        family, _, _, index, state, flags, _ = unpack_from(HEADER, data, begin)
        values = {number: data[at:until] for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
        if family in FAMILIES and ADDRESS in values and values.get(PROTOCOL) == bytes([protocol]):
            device = name_of(index)
            if device:
                yield inet_ntop(family, values[ADDRESS]), device, values.get(MAC, b"").hex(":"), state, flags
