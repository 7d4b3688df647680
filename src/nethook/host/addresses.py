"""The addresses of this host, its neighbour table, the next hops of its routes, and its routing rules: over netlink.

Every run asks for them, and most hosts have little of it that is ours, so it must not cost a process. Messages and
attributes: linux/rtnetlink.h, linux/if_addr.h, linux/neighbour.h, linux/fib_rules.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, AF_UNSPEC, inet_ntop
from struct import pack, unpack, unpack_from

from nethook.host.links import available, name_of
from nethook.host.netlink import NETLINK_ROUTE, Netlink, attributes, routing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NUMBERS = {4: AF_INET, 6: AF_INET6}
FAMILIES = {AF_INET: 4, AF_INET6: 6}

GET_ADDRESSES = 22
ADDRESS_HEADER, ADDRESS_HEADER_SIZE = "BBBBI", 8
ADDRESS, LOCAL, FLAGS, METRIC = 1, 2, 8, 9

GET_ROUTES = 26
ROUTE_HEADER, ROUTE_HEADER_SIZE = "BBBBBBBBI", 12
DEVICE, GATEWAY, MULTIPATH, VIA = 4, 5, 9, 18
HOP, HOP_SIZE = "HBBi", 8
KERNEL, BOOT, STATIC, ADVERTISED, DHCP = 2, 3, 4, 9, 16

GET_RULES = 34
PRIORITY, SUPPRESS_LENGTH, TABLE, PROTOCOL = 6, 14, 15, 21

GET_NEIGHBOURS = 30
NEIGHBOUR_HEADER, NEIGHBOUR_HEADER_SIZE = "BBHiHBB", 12
DESTINATION, MAC, NEIGHBOUR_PROTOCOL = 1, 2, 12
PERMANENT = 0x80
"""A state: the kernel's NUD_PERMANENT."""
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


def next_hops() -> set[tuple[str, str]]:
    """Return address and device of each next hop of a route, of every table; ReadError if they cannot be known.

    Only of routes that people, a DHCP client or a router advertisement have made: a host that knows all routes of the
    internet has them from a routing daemon, and reading those would take seconds. Filters of the kernel:
    inet_dump_fib(), NETLINK_GET_STRICT_CHK.
    """
    found: set[tuple[str, str]] = set()
    with Netlink(NETLINK_ROUTE, "routes") as netlink:
        netlink.filter()
        for family in (NUMBERS[number] for number in available()):
            for protocol in (KERNEL, BOOT, STATIC, ADVERTISED, DHCP):
                question = pack(ROUTE_HEADER, family, 0, 0, 0, 0, protocol, 0, 0, 0)
                for data, begin, end in netlink.dump(GET_ROUTES, question) or ():
                    found.update(_hops(family, data, begin + ROUTE_HEADER_SIZE, end))
    return found


def _hops(family: int, data: bytes, begin: int, end: int) -> Iterator[tuple[str, str]]:
    values = {number: (at, until) for number, at, until in attributes(data, begin, end)}
    if MULTIPATH in values:
        at, until = values[MULTIPATH]
        while at + HOP_SIZE <= until:
            length, _, _, index = unpack_from(HOP, data, at)
            inner = {number: (first, last) for number, first, last in attributes(data, at + HOP_SIZE, at + length)}
            yield from _hop(family, data, inner, index)
            at += max((length + 3) & ~3, HOP_SIZE)
    elif DEVICE in values:
        yield from _hop(family, data, values, unpack_from("i", data, values[DEVICE][0])[0])


def _hop(family: int, data: bytes, values: dict[int, tuple[int, int]], index: int) -> Iterator[tuple[str, str]]:
    device = name_of(index)
    if GATEWAY in values and device:
        at, until = values[GATEWAY]
        yield inet_ntop(family, data[at:until]), device
    elif VIA in values and device:  # a next hop of the other family: its number, and the address
        at, until = values[VIA]
        (of,) = unpack_from("H", data, at)
        if of in FAMILIES:
            yield inet_ntop(of, data[at + 2 : until]), device


class RoutingRule:
    """A routing rule: its family (4, 6), priority, table, and the length that it suppresses (-1: none)."""

    __slots__ = ("family", "priority", "suppressed", "table")

    def __init__(self, family: int, priority: int, table: int, suppressed: int = -1) -> None:
        self.family = family
        self.priority = priority
        self.table = table
        self.suppressed = suppressed


def routing_rules(protocol: int) -> list[RoutingRule]:
    """Return the routing rules that carry this protocol number; ReadError if they cannot be known."""
    found = []
    for data, begin, end in routing("routing rules", GET_RULES, pack(ROUTE_HEADER, AF_UNSPEC, *[0] * 8)):
        values = {number: data[at:until] for number, at, until in attributes(data, begin + ROUTE_HEADER_SIZE, end)}
        family = FAMILIES.get(unpack_from("B", data, begin)[0])
        if family and values.get(PROTOCOL) == bytes([protocol]):
            priority, table, suppressed = (
                unpack("i", values[name])[0] if name in values else -1 for name in (PRIORITY, TABLE, SUPPRESS_LENGTH)
            )
            found.append(RoutingRule(family, priority, table, suppressed))
    return found


def permanent_entries(protocol: int) -> Iterator[tuple[str, str, str]]:
    """Yield address, device and MAC of each permanent entry with this protocol number. ReadError."""
    for address, device, mac, state, _ in _neighbours(protocol, "neighbours", [0], 0):
        if state & PERMANENT and mac:
            yield address, device, mac


def proxy_entries(protocol: int) -> Iterator[tuple[str, str]]:
    """Yield address and device of each proxy entry with this protocol number. ReadError."""
    for address, device, _, _, flags in _neighbours(protocol, "proxy entries", FAMILIES, PROXY):
        if flags & PROXY:
            yield address, device


def _neighbours(
    protocol: int, about: str, families: Iterable[int], wanted: int
) -> Iterator[tuple[str, str, str, int, int]]:
    """Yield address, device, MAC, state and flags of entries with this number; ``wanted`` are flags of the question."""
    with Netlink(NETLINK_ROUTE, about) as netlink:
        questions = (pack(NEIGHBOUR_HEADER, asked, 0, 0, 0, 0, wanted, 0) for asked in families)
        found = [entry for question in questions for entry in netlink.dump(GET_NEIGHBOURS, question) or ()]
    for data, begin, end in found:
        family, _, _, index, state, flags, _ = unpack_from(NEIGHBOUR_HEADER, data, begin)
        values = {number: data[at:until] for number, at, until in attributes(data, begin + NEIGHBOUR_HEADER_SIZE, end)}
        if family in FAMILIES and DESTINATION in values and values.get(NEIGHBOUR_PROTOCOL) == bytes([protocol]):
            device = name_of(index)
            if device:
                yield inet_ntop(family, values[DESTINATION]), device, values.get(MAC, b"").hex(":"), state, flags
