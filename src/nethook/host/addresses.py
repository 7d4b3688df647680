"""The addresses of this host, and its neighbour table, read over netlink.

Messages and attributes: linux/rtnetlink.h, linux/if_addr.h, linux/neighbour.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import pack, unpack, unpack_from

from nethook.host.links import name_of
from nethook.host.netlink import NETLINK_ROUTE, Netlink, attributes, routing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NUMBERS = {4: AF_INET, 6: AF_INET6}
FAMILIES = {AF_INET: 4, AF_INET6: 6}

GET_ADDRESSES = 22
ADDRESS_HEADER, ADDRESS_HEADER_SIZE = "BBBBI", 8
ADDRESS, LOCAL, FLAGS, METRIC = 1, 2, 8, 9

GET_NEIGHBOURS = 30
NEIGHBOUR_HEADER, NEIGHBOUR_HEADER_SIZE = "BBHiHBB", 12
DESTINATION, MAC, TIMES, NEIGHBOUR_PROTOCOL = 1, 2, 3, 12
TICKS = 100
"""In a second: the kernel's USER_HZ, in which it tells times."""
PERMANENT = 0x80
"""A state: the kernel's NUD_PERMANENT."""
FAILED = 0x20
"""A state: the kernel's NUD_FAILED."""
PROXY = 0x08
"""A flag: the kernel's NTF_PROXY."""


class Address:
    """An address with its family (4, 6), the length of its subnet, its device, its metric (0: none) and its flags."""

    __slots__ = ("device", "family", "flags", "length", "metric", "text")

    def __init__(self, family: int, text: str, length: int, device: str, *, metric: int = 0, flags: int = 0) -> None:
        self.family = family
        self.text = text
        self.length = length
        self.device = device
        self.metric = metric
        self.flags = flags


def addresses() -> list[Address]:
    """Return all addresses of this network namespace; ReadError if they cannot be known."""
    found = []
    names: dict[int, str] = {}
    for data, begin, end in routing("addresses", GET_ADDRESSES, pack(ADDRESS_HEADER, *[0] * 5)):
        family, length, _, _, index = unpack_from(ADDRESS_HEADER, data, begin)
        values = {number: data[at:until] for number, at, until in attributes(data, begin + ADDRESS_HEADER_SIZE, end)}
        text = values.get(LOCAL) or values.get(ADDRESS)
        if index not in names:
            names[index] = name_of(index)
        device = names[index]
        if family in FAMILIES and text and device:
            metric, flags = (unpack("I", values[number])[0] if number in values else 0 for number in (METRIC, FLAGS))
            found.append(Address(FAMILIES[family], inet_ntop(family, text), length, device, metric=metric, flags=flags))
    return found


def permanent_entries(protocol: int) -> Iterator[tuple[str, str, str]]:
    """Yield address, device and MAC of each permanent entry with this protocol number. ReadError."""
    for address, device, mac, state, *_ in _neighbours(protocol, "neighbours", [0], 0):
        if state & PERMANENT and mac:
            yield address, device, mac


def proxy_entries(protocol: int | None) -> Iterator[tuple[str, str]]:
    """Yield address and device of each proxy entry with this protocol number, or with any. ReadError."""
    for address, device, _, _, flags, _ in _neighbours(protocol, "proxy entries", FAMILIES, PROXY):
        if flags & PROXY:
            yield address, device


def unanswered(seconds: float) -> Iterator[tuple[str, str]]:
    """Yield address and device of each neighbour that was asked for within these seconds, and not found. ReadError."""
    for address, device, _, state, _, age in _neighbours(None, "neighbours", [0], 0):
        if state & FAILED and age <= seconds:
            yield address, device


def _neighbours(
    protocol: int | None, about: str, families: Iterable[int], wanted: int
) -> Iterator[tuple[str, str, str, int, int, float]]:
    """Yield address, device, MAC, state, flags and age in seconds of entries with this number.

    ``wanted`` are flags of the question. The age is that of the state.
    """
    with Netlink(NETLINK_ROUTE, about) as netlink:
        questions = (pack(NEIGHBOUR_HEADER, asked, 0, 0, 0, 0, wanted, 0) for asked in families)
        found = [entry for question in questions for entry in netlink.dump(GET_NEIGHBOURS, question) or ()]
    for data, begin, end in found:
        family, _, _, index, state, flags, _ = unpack_from(NEIGHBOUR_HEADER, data, begin)
        values = {number: data[at:until] for number, at, until in attributes(data, begin + NEIGHBOUR_HEADER_SIZE, end)}
        is_wanted = protocol is None or values.get(NEIGHBOUR_PROTOCOL) == bytes([protocol])
        if family in FAMILIES and DESTINATION in values and is_wanted:
            device = name_of(index)
            if device:
                mac = values.get(MAC, b"").hex(":")
                age = unpack_from("II I", values[TIMES])[2] / TICKS if TIMES in values else 0.0
                yield inet_ntop(family, values[DESTINATION]), device, mac, state, flags, age
