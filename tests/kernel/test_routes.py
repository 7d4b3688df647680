"""Our routes as they are read from the kernel: which count as ours, and what counts as nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.namespace import UnnamedNamespace
from nethook.host.addresses import NUMBERS
from nethook.host.netlink import NETLINK_ROUTE, Netlink
from nethook.host.routes import GET_ROUTES, grouped, routes
from nethook.parts.routes import to_guests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.netlink import Span

OURS = 218
LINKS = (
    *("link set lo up", "link add virbr1 type bridge", "link add virbr2 type bridge"),
    *("link set virbr1 up", "link set virbr2 up", "address add 192.0.2.1/24 dev virbr1"),
    *("address add 2001:db8:1::1/64 dev virbr1 nodad", "address add 2001:db8:2::1/64 dev virbr2 nodad"),
)
SHAPES = {
    "203.0.113.10 dev virbr1": ("203.0.113.10", "virbr1", ""),
    "203.0.113.8/29 dev virbr1": ("203.0.113.8/29", "virbr1", ""),
    "203.0.113.16/29 via 198.51.100.1 dev virbr2 onlink": ("203.0.113.16/29", "virbr2", "198.51.100.1"),
    "203.0.113.11 dev virbr1 src 192.0.2.1 metric 5 mtu 1400": ("203.0.113.11", "virbr1", ""),
    "default dev virbr2 metric 5": None,
    "0.0.0.0/1 dev virbr2": ("0.0.0.0/1", "virbr2", ""),
    "203.0.113.12 via 192.0.2.7 dev virbr1": None,
    "203.0.113.13 via inet6 fe80::1 dev virbr1": None,
    "203.0.113.14 dev virbr1 tos 0x10": None,
    "203.0.113.15 dev virbr1 table 77": None,
    "203.0.113.17 dev virbr1 table 255": None,
    "203.0.113.18 nexthop dev virbr1 nexthop dev virbr2": None,
    "203.0.113.19 nhid 7": None,
    "blackhole 203.0.113.20": None,
    "prohibit 203.0.113.21": None,
    "throw 203.0.113.22": None,
    "unreachable 203.0.113.23": None,
    "local 203.0.113.24 dev virbr1": None,
    "203.0.113.25 dev virbr1 proto 4": None,
    "2001:db8::10 dev virbr1": ("2001:db8::10", "virbr1", ""),
    "2001:db8:10::/64 dev virbr1 metric 7": ("2001:db8:10::/64", "virbr1", ""),
    "2001:db8:16::/64 via fe80::7 dev virbr2 onlink": ("2001:db8:16::/64", "virbr2", "fe80::7"),
    "2001:db8:17::/64 via 2001:db8:1::7 dev virbr1": None,
    "2001:db8::11 dev virbr1 table 77": None,
    # The kernel makes a multipath route of these.
    "2001:db8::12 via 2001:db8:1::7 dev virbr1 onlink": None,
    "append 2001:db8::12 via 2001:db8:2::7 dev virbr2 onlink": None,
    "2001:db8::13 nexthop via 2001:db8:1::7 dev virbr1 nexthop via 2001:db8:2::7 dev virbr2": None,
    "2001:db8::14 nhid 8": None,
    "blackhole 2001:db8::15": None,
    "unreachable 2001:db8::16": None,
    "unreachable default metric 7": None,
}
"""What ip is told to add with our number, and the route of ours that it is."""


@pytest.fixture
def namespace() -> Iterator[UnnamedNamespace]:
    made = UnnamedNamespace()
    made.ip(*LINKS, "nexthop add id 7 dev virbr1", "nexthop add id 8 via 2001:db8:1::7 dev virbr1")
    yield made
    made.close()


def add(namespace: UnnamedNamespace, *shapes: str) -> None:
    lines = []
    for shape in shapes:
        verb, words = ("append", shape.partition(" ")[2]) if shape.startswith("append ") else ("add", shape)
        route, nexthop, hops = words.partition(" nexthop ")
        number = "" if " proto " in shape else f" proto {OURS}"
        lines.append(f"route {verb} {route}{number}{nexthop}{hops}")
    namespace.ip(*lines)


def test_which_routes_with_our_number_are_ours(namespace: UnnamedNamespace) -> None:
    add(namespace, *SHAPES)
    with namespace.entered():
        found = routes(OURS)
    assert to_guests(found) == {route for route in SHAPES.values() if route}
    unreachable = {(prefix, group.table) for group in found if group.is_unreachable for prefix in group.prefixes}
    assert unreachable == {("203.0.113.23", 254), ("2001:db8::16", 254)}


def dumped(family: int) -> list[Span]:
    with Netlink(NETLINK_ROUTE, "routes") as netlink:
        netlink.filter()
        return netlink.dump(GET_ROUTES, bytes([NUMBERS[family], 0, 0, 0, 0, OURS, 0, 0]) + bytes(4)) or []


def test_a_device_that_goes_takes_its_routes_with_it(namespace: UnnamedNamespace) -> None:
    add(namespace, "203.0.113.10 dev virbr1", "203.0.113.11 dev virbr2", "2001:db8::10 dev virbr1")
    with namespace.entered():
        found = {family: dumped(family) for family in NUMBERS}
        namespace.ip("link delete virbr1")
        left = {family: to_guests(grouped(family, OURS, found[family])) for family in NUMBERS}
        assert to_guests(routes(OURS)) == left[4] == {("203.0.113.11", "virbr2", "")}
    assert len(found[4]) == 2
    assert len(found[6]) == 1
    assert left[6] == set()
