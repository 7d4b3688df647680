"""Changes of routes, links, addresses, neighbours and nftables, as the kernel tells of them when they happen.

Messages and attributes: linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h, linux/netconf.h, linux/fib_rules.h,
linux/netfilter/nf_tables.h. ``packet_filter.py`` drops in the kernel what is of no use here.
"""

from __future__ import annotations

import errno
import socket
import sys
from struct import unpack_from
from typing import TYPE_CHECKING, NamedTuple

from nethook.host.layout import NAME
from nethook.host.netlink import (
    AF_NETLINK,
    ALL,
    DELETE_ELEMENTS,
    FAMILIES,
    HEADER,
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    NEW_ELEMENTS,
    NFTABLES_HEADER,
    TABLE_NAME,
    attribute,
    attributes,
)
from nethook.host.packet_filter import attach, of_nftables, of_routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORCE_BUFFER, BUFFER = 33, 16 << 20
"""SO_RCVBUFFORCE: room for the 50,000 changes of a large transaction, which come at once. It is used only then."""
MOST_AT_ONCE = 1000
"""No more messages are read before others get their turn."""

OF_NFTABLES = 1 << (7 - 1)
LINKS, NEIGHBOURS, RULES4, RULES6, SETTINGS4, SETTINGS6 = 1, 3, 8, 19, 24, 25
ADDRESSES4, ROUTES4, ADDRESSES6, ROUTES6 = 5, 7, 9, 11
OF_ROUTING = sum(
    1 << (group - 1)
    for group in (LINKS, NEIGHBOURS, ADDRESSES4, ROUTES4, RULES4, ADDRESSES6, ROUTES6, RULES6, SETTINGS4, SETTINGS6)
)
"""Multicast groups, as bits."""

TABLE, CHAIN, RULE, SET, ELEMENT, OTHER_OBJECT = "table", "chain", "rule", "set", "element", "object"
LINK, ADDRESS, ROUTE, NEIGHBOUR, ROUTING_RULE, SETTING = (
    "link",
    "address",
    "route",
    "neighbour",
    "routing rule",
    "setting",
)
OF_TABLES = {
    0: TABLE,
    2: TABLE,
    3: CHAIN,
    5: CHAIN,
    6: RULE,
    8: RULE,
    9: SET,
    11: SET,
    12: ELEMENT,
    14: ELEMENT,
    18: OTHER_OBJECT,
    20: OTHER_OBJECT,
    22: OTHER_OBJECT,
    24: OTHER_OBJECT,
}
DELETIONS_OF_NFTABLES = {2, 5, 8, 11, 14, 20, 24}
OF_ROUTES = {
    16: LINK,
    17: LINK,
    20: ADDRESS,
    21: ADDRESS,
    24: ROUTE,
    25: ROUTE,
    28: NEIGHBOUR,
    29: NEIGHBOUR,
    32: ROUTING_RULE,
    33: ROUTING_RULE,
    80: SETTING,
    81: SETTING,
}
AF_BRIDGE, IS_UP = 7, 1
IF_NAME, IF_MASTER, IF_INFO, IF_KIND = 3, 10, 18, 1
OUT_DEVICE, RULE_PROTOCOL, NEIGHBOUR_PROTOCOL = 4, 21, 12
SETTING_DEVICE, SETTING_PROXY = 1, 5
LOCAL, DESTINATION = 2, 1
FAMILY_NAMES = {number: name for name, number in FAMILIES.items() if name != ALL}
OUR_ELEMENTS = attribute(TABLE_NAME, NAME.encode() + b"\0")


class Notice(NamedTuple):
    """One change: what was changed (TABLE … SETTING), whether it was deleted, and the process number of who did it.

    ``table`` is family and name of a table of nftables, in nft's words. ``protocol`` is the number that tells whose a
    route, entry or rule is; ``device`` the number of the network device; ``name``, ``master``, ``kind`` and ``is_up``
    are of a link. ``value`` is an address.
    """

    what: str
    is_deleted: bool
    sender: int
    table: str = ""
    protocol: int = 0
    device: int = 0
    name: str = ""
    master: int = 0
    kind: str = ""
    is_up: bool = False
    value: bytes = b""


class Notifications:
    """A socket on which one part of the kernel tells of changes; ``is_cut``: some were lost, as we were too slow."""

    def __init__(self, part: int, groups: int, program: Sequence[bytes]) -> None:
        self.is_cut = False
        self._part = part
        self._socket = socket.socket(AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, part)
        try:
            attach(self._socket, program)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, FORCE_BUFFER, BUFFER)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            self._socket.bind((0, groups))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to read."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def read(self) -> Iterator[Notice]:
        """Yield what was told since the last call, but for what is of no use. OSError if the socket is broken."""
        parse = parsed_nftables if self._part == NETLINK_NETFILTER else parsed_routing
        for _ in range(MOST_AT_ONCE):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.is_cut = True
                continue
            yield from parse(data)


def nftables() -> Notifications:
    """Return a socket that tells of changes of nftables. OSError if there is none."""
    return Notifications(NETLINK_NETFILTER, OF_NFTABLES, of_nftables(NAME))


def routing() -> Notifications:
    """Return a socket that tells of changes of routes, links, addresses and neighbours. OSError if there is none."""
    return Notifications(NETLINK_ROUTE, OF_ROUTING, of_routes())


def messages(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield type, sender, begin and end of each message in there."""
    at = 0
    while at + HEADER <= len(data):
        length, kind, _, _, sender = unpack_from("IHHII", data, at)
        if length < HEADER or at + length > len(data):
            return
        yield kind, sender, at + HEADER, at + length
        at += (length + 3) & ~3


def parsed_nftables(data: bytes) -> Iterator[Notice]:
    """Yield the changes that these messages tell of; elements of foreign tables are left out."""
    for kind, sender, begin, end in messages(data):
        at = begin + NFTABLES_HEADER
        if kind in {NEW_ELEMENTS, DELETE_ELEMENTS} and not data.startswith(OUR_ELEMENTS, at):
            continue
        what = OF_TABLES.get(kind & 0xFF)
        if what is None:
            continue
        name = _values(data, at, end).get(TABLE_NAME, b"").rstrip(b"\0").decode(errors="replace")
        table = f"{FAMILY_NAMES.get(data[begin], '?')} {name}"
        yield Notice(what, kind & 0xFF in DELETIONS_OF_NFTABLES, sender, table)


def parsed_routing(data: bytes) -> Iterator[Notice]:
    """Yield the changes that these messages tell of."""
    for kind, sender, begin, end in messages(data):
        what = OF_ROUTES.get(kind)
        read = _READERS.get(what or "")
        if what and read and not (what == LINK and data[begin] == AF_BRIDGE):  # the device tells the same itself
            yield read(Notice(what, bool(kind & 1), sender), data, begin, end)


def _values(data: bytes, begin: int, end: int) -> dict[int, bytes]:
    return {number: data[first:last] for number, first, last in attributes(data, begin, end)}


def _number(value: bytes) -> int:
    return int.from_bytes(value[:4], sys.byteorder)


def _link(notice: Notice, data: bytes, begin: int, end: int) -> Notice:
    device, flags = unpack_from("iI", data, begin + 4)
    values = _values(data, begin + 16, end)
    info = _values(values.get(IF_INFO, b""), 0, len(values.get(IF_INFO, b"")))
    return notice._replace(
        device=device,
        name=values.get(IF_NAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape"),
        master=_number(values[IF_MASTER]) if IF_MASTER in values else 0,
        kind=info.get(IF_KIND, b"").rstrip(b"\0").decode(errors="replace"),
        is_up=bool(flags & IS_UP),
    )


def _address(notice: Notice, data: bytes, begin: int, end: int) -> Notice:
    _, length, _, _, device = unpack_from("BBBBI", data, begin)
    values = _values(data, begin + 8, end)
    return notice._replace(device=device, value=values.get(LOCAL, values.get(DESTINATION, b"")) + bytes([length]))


def _route(notice: Notice, data: bytes, begin: int, end: int) -> Notice:
    out = _values(data, begin + 12, end).get(OUT_DEVICE)
    return notice._replace(protocol=data[begin + 5], device=_number(out) if out else 0)


def _neighbour(notice: Notice, data: bytes, begin: int, end: int) -> Notice:
    protocol = _values(data, begin + 12, end).get(NEIGHBOUR_PROTOCOL, b"\0")
    return notice._replace(protocol=protocol[0], device=unpack_from("i", data, begin + 4)[0])


def _rule(notice: Notice, data: bytes, begin: int, end: int) -> Notice:
    return notice._replace(protocol=_values(data, begin + 12, end).get(RULE_PROTOCOL, b"\0")[0])


def _setting(notice: Notice, data: bytes, begin: int, end: int) -> Notice:
    values = _values(data, begin + 4, end)
    device = _number(values[SETTING_DEVICE]) if SETTING_DEVICE in values else 0
    return notice._replace(device=device, value=values.get(SETTING_PROXY, b""))


_READERS = {
    LINK: _link,
    ADDRESS: _address,
    ROUTE: _route,
    NEIGHBOUR: _neighbour,
    ROUTING_RULE: _rule,
    SETTING: _setting,
}


def program(number: int) -> str:
    """Return the name of the program with this process number; '' if it has ended, or the number is the kernel's."""
    try:
        with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
