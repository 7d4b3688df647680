"""The next hops of this host's routes, of every table, read over netlink.

Only routes that people, a DHCP client or a router advertisement have made: a host that knows all routes of the internet
has them from a routing daemon, and reading those would take seconds.

Messages and attributes: linux/rtnetlink.h. Filters of the kernel: inet_dump_fib(), NETLINK_GET_STRICT_CHK.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import pack, unpack_from

from nethook.host.device import name_of
from nethook.host.families import available
from nethook.host.netlink import NETLINK_ROUTE, Netlink, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

GET_ROUTES = 26
HEADER, HEADER_SIZE = "BBBBBBBBI", 12
DEVICE, GATEWAY, MULTIPATH, VIA = 4, 5, 9, 18
HOP, HOP_SIZE = "HBBi", 8
KERNEL, BOOT, STATIC, ADVERTISED, DHCP = 2, 3, 4, 9, 16
FAMILIES = {4: AF_INET, 6: AF_INET6}


def next_hops() -> set[tuple[str, str]]:
    """Return address and device of each next hop; ReadError if they cannot be known."""
    found: set[tuple[str, str]] = set()
    with Netlink(NETLINK_ROUTE, "routes") as netlink:
        netlink.filter()
        for family in (FAMILIES[number] for number in available()):
            for protocol in (KERNEL, BOOT, STATIC, ADVERTISED, DHCP):
                question = pack(HEADER, family, 0, 0, 0, 0, protocol, 0, 0, 0)
                for data, begin, end in netlink.dump(GET_ROUTES, question) or ():
                    found.update(_hops(family, data, begin + HEADER_SIZE, end))
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
    elif VIA in values and device:  # a hop of the other family: its number, and the address
        at, until = values[VIA]
        (of,) = unpack_from("H", data, at)
        if of in FAMILIES.values():
            yield inet_ntop(of, data[at + 2 : until]), device
