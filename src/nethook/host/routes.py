"""The routes of this host and its routing rules, read over netlink.

Messages and attributes: linux/rtnetlink.h, linux/fib_rules.h.
"""

from __future__ import annotations

from _socket import AF_UNSPEC, inet_ntop
from struct import error, pack, unpack, unpack_from

from nethook.errors import ReadError
from nethook.host.addresses import FAMILIES, NUMBERS
from nethook.host.links import available, name_of
from nethook.host.netlink import CUT, NETLINK_ROUTE, Netlink, attributes, routing
from nethook.prefix import BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.host.netlink import Span

GET_ROUTES = 26
ROUTE_HEADER, ROUTE_HEADER_SIZE = "BBBBBBBBI", 12
DESTINATION, SOURCE, DEVICE, GATEWAY, METRIC, MULTIPATH = 1, 2, 4, 5, 6, 9
ROUTE_TABLE, VIA, NEW_DESTINATION, ENCAPSULATION, NEXT_HOP_OBJECT = 15, 18, 19, 22, 30
HOP, HOP_SIZE = "HBBi", 8
KERNEL, BOOT, STATIC, ADVERTISED, DHCP = 2, 3, 4, 9, 16
UNICAST, UNREACHABLE = 1, 7
ON_LINK = 0x4
MAIN = 254
"""The number of the main routing table."""
SELECTIVE = frozenset({SOURCE, NEW_DESTINATION, ENCAPSULATION, NEXT_HOP_OBJECT})
"""A route with one of these is not for all packets to its prefix, or changes them, or shares its next hop."""

BEFORE_DESTINATION = ROUTE_HEADER_SIZE + 8 + 4
"""From the beginning of a message to the address: header, number of the table, header of the address."""

GET_RULES = 34
PRIORITY, SUPPRESS_LENGTH, TABLE, PROTOCOL = 6, 14, 15, 21


class RouteGroup:
    """Routes that differ in nothing but the address of their ``prefixes``, which are canonical text.

    Their ``device`` and next hop ``via`` ('' without one); both are '' for routes that are unreachable. Their
    ``table``, ``metric`` (0: none), and the ``length`` of their prefixes.
    """

    __slots__ = ("device", "is_unreachable", "length", "metric", "prefixes", "table", "via")

    def __init__(
        self,
        table: int,
        length: int,
        prefixes: list[str],
        *,
        device: str = "",
        via: str = "",
        metric: int = 0,
        is_unreachable: bool = False,
    ) -> None:
        self.table = table
        self.length = length
        self.prefixes = prefixes
        self.device = device
        self.via = via
        self.metric = metric
        self.is_unreachable = is_unreachable


def routes(protocol: int) -> list[RouteGroup]:
    """Return the routes with this protocol number, of both families and of all tables; ReadError if not known.

    Only those that lead to one device, at most by a next hop that is said to be there, and those that are unreachable:
    all others are left out, and default routes. So are those on a device that has gone meanwhile, as the kernel deletes
    them.

    Without a flag in the question, the kernel leaves out what its IPv6 routing cache has (ip_valid_fib_dump_req()).
    """
    found: list[RouteGroup] = []
    with Netlink(NETLINK_ROUTE, "routes") as netlink:
        netlink.filter()
        for family in available():
            question = pack(ROUTE_HEADER, NUMBERS[family], 0, 0, 0, 0, protocol, 0, 0, 0)
            found += grouped(family, protocol, netlink.dump(GET_ROUTES, question) or ())
    return found


def grouped(family: int, protocol: int, dumped: Iterable[Span]) -> list[RouteGroup]:
    """Return the routes in what the kernel sends of this family (4, 6), as ``routes`` does.

    There may be very many, and of few kinds. So the bytes around the address are understood once, and looked up for
    all other routes that have the same.
    """
    version, size = NUMBERS[family], BITS[family] // 8
    groups: list[RouteGroup] = []
    known: dict[bytes, tuple[list[str], str]] = {}
    for data, begin, end in dumped:
        first = begin + BEFORE_DESTINATION
        last = first + size
        around = data[begin:first] + data[last:end]
        if around not in known:
            try:
                group, address = _group(protocol, data, begin, end)
                length = "" if group.length == BITS[family] else f"/{group.length}"
                if address and address != (first, last):
                    group.prefixes.append(inet_ntop(version, data[slice(*address)]) + length)
            except (error, ValueError):
                raise ReadError("cannot read routes: the kernel sends what is not understood") from None
            groups.append(group)
            if address != (first, last):
                continue
            known[around] = group.prefixes, length
        prefixes, length = known[around]
        prefixes.append(inet_ntop(version, data[first:last]) + length)
    return [group for group in groups if group.is_unreachable or group.device]


def _group(protocol: int, data: bytes, begin: int, end: int) -> tuple[RouteGroup, tuple[int, int] | None]:
    """Return a group for a route, as yet without prefix, and where its address begins and ends; None without one.

    A group that has no device and is not unreachable stands for routes that are left out.
    """
    if end - begin < ROUTE_HEADER_SIZE:
        raise ReadError(CUT)
    family, length, _, service, table, of, _, kind, flags = unpack_from(ROUTE_HEADER, data, begin)
    values = {number: (at, until) for number, at, until in attributes(data, begin + ROUTE_HEADER_SIZE, end)}

    def value(number: int) -> int:
        return int(unpack("I", data[slice(*values[number])])[0]) if number in values else 0

    group = RouteGroup(value(ROUTE_TABLE) or table, length, [], metric=value(METRIC))
    if of == protocol and length and not service and SELECTIVE.isdisjoint(values):
        group.is_unreachable = kind == UNREACHABLE
        if kind == UNICAST and VIA not in values and DEVICE in values and (GATEWAY not in values or flags & ON_LINK):
            group.device = name_of(value(DEVICE))
            group.via = inet_ntop(family, data[slice(*values[GATEWAY])]) if GATEWAY in values else ""
    if length and DESTINATION not in values:
        raise ReadError("cannot read routes: one has no destination")
    return group, values.get(DESTINATION)


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
