"""Our routes as the kernel sends them, and what ip prints about routes."""

from __future__ import annotations

from struct import pack

import pytest

from nethook.errors import ReadError
from nethook.host import routes
from nethook.host.process import Call, Result, refusals
from nethook.host.routes import RouteGroup, grouped
from nethook.parts.routes import ROUTES, holder, holder_call, to_guests
from nethook.prefix import BITS, parse_address

OURS = 218
NUMBERS = {4: 2, 6: 10}
DEVICES = {3: "virbr1", 4: "virbr2"}


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two devices. Any other number is that of one that has gone."""
    monkeypatch.setattr(routes, "name_of", lambda number: DEVICES.get(number, ""))


def packed(address: str) -> bytes:
    family, number = parse_address(address)
    return number.to_bytes(BITS[family] // 8, "big")


def attribute(number: int, content: bytes | int) -> bytes:
    data = pack("I", content) if isinstance(content, int) else content
    return pack("HH", 4 + len(data), number) + data + bytes(-len(data) % 4)


def message(prefix: str, *more: bytes, kind: int = 1, protocol: int = OURS, flags: int = 0, table: int = 254) -> bytes:
    """A route as Linux sends it: a header, the table, the destination, and more."""
    address, _, length = prefix.partition("/")
    family = 6 if ":" in prefix else 4
    header = pack("BBBBBBBBI", NUMBERS[family], int(length or BITS[family]), 0, 0, 254, protocol, 0, kind, flags)
    return header + attribute(15, table) + attribute(1, packed(address)) + b"".join(more)


def understood(*messages: bytes, family: int = 4) -> list[RouteGroup]:
    """What is understood of these messages, which lie one behind the other as in an answer."""
    data = b"".join(messages)
    ends = [sum(map(len, messages[: number + 1])) for number in range(len(messages))]
    return grouped(family, OURS, [(data, end - len(each), end) for end, each in zip(ends, messages)])


def test_routes_of_our_shape_are_ours() -> None:
    on_first, on_second = attribute(4, 3), attribute(4, 4)
    found = understood(
        message("203.0.113.10", on_first),
        message("203.0.113.11", on_second),
        message("203.0.113.16/29", on_first, flags=16),  # a flag: the bridge has no guest yet
        message("203.0.113.12", on_first),
        message("203.0.113.24/29", on_first, attribute(5, packed("203.0.113.12")), flags=4),
    )
    assert to_guests(found) == {
        ("203.0.113.10", "virbr1", ""),
        ("203.0.113.11", "virbr2", ""),
        ("203.0.113.12", "virbr1", ""),
        ("203.0.113.16/29", "virbr1", ""),
        ("203.0.113.24/29", "virbr1", "203.0.113.12"),
    }
    assert sorted(len(group.prefixes) for group in found) == [1, 1, 1, 2]
    metric = attribute(6, 1024)
    ours = (message("2001:db8::/64", metric, on_first), message("2001:db8::1", metric, on_second))
    found = understood(*ours, family=6)
    assert to_guests(found) == {("2001:db8::/64", "virbr1", ""), ("2001:db8::1", "virbr2", "")}
    assert [group.metric for group in found] == [1024, 1024]


@pytest.mark.parametrize(
    "route",
    [
        message("203.0.113.10", attribute(4, 3), protocol=4),
        message("203.0.113.10", attribute(4, 3), kind=2),
        message("203.0.113.10", kind=6),
        message("203.0.113.10", attribute(4, 3), attribute(5, packed("192.0.2.1"))),
        message("203.0.113.10", attribute(4, 3), attribute(18, pack("H", 10) + packed("fe80::1")), flags=4),
        message("203.0.113.10", attribute(9, pack("HBBi", 8, 0, 0, 3) + pack("HBBi", 8, 0, 0, 4))),
        message("203.0.113.10", attribute(30, 7), attribute(4, 3)),
        message("203.0.113.10", attribute(4, 3), attribute(2, packed("192.0.2.1"))),
        message("203.0.113.10", attribute(4, 5)),
    ],
    ids=["number", "kind", "blackhole", "not on link", "via other family", "multipath", "object", "source", "gone"],
)
def test_routes_of_another_shape_with_our_number_are_somebody_elses(route: bytes) -> None:
    ours = message("203.0.113.11", attribute(4, 3))
    assert to_guests(understood(route, ours, route, ours)) == {("203.0.113.11", "virbr1", "")}


def test_a_route_of_another_table_leads_to_no_guest() -> None:
    assert to_guests(understood(message("203.0.113.10", attribute(4, 3), table=77))) == set()


def test_the_order_of_what_the_kernel_tells_of_a_route_does_not_matter() -> None:
    header = pack("BBBBBBBBI", 2, 32, 0, 0, 254, OURS, 0, 1, 0)
    other_way = header + attribute(4, 3) + attribute(15, 254) + attribute(6, 5) + attribute(1, packed("203.0.113.9"))
    assert to_guests(understood(other_way, other_way)) == {("203.0.113.9", "virbr1", "")}


def test_a_default_route_is_not_ours() -> None:
    header = pack("BBBBBBBBI", 2, 0, 0, 0, 254, OURS, 0, 1, 0)
    default = header + attribute(15, 254) + attribute(4, 3)
    assert to_guests(understood(default, message("203.0.113.9", attribute(4, 3)))) == {
        ("203.0.113.9", "virbr1", ""),
    }
    with pytest.raises(ReadError, match="one has no destination"):
        understood(pack("BBBBBBBBI", 2, 24, 0, 0, 254, OURS, 0, 1, 0) + attribute(15, 254) + attribute(4, 3))


WHOLE = message("203.0.113.10", attribute(4, 3), attribute(5, packed("192.0.2.1")), flags=4)
ODD = {
    "a header that is cut": WHOLE[:9],
    "an address that is cut": WHOLE[:26],
    "a device that is cut": WHOLE[:34],
    "no length": WHOLE + bytes(4),
    "a length beyond the end": WHOLE[:-8] + pack("HH", 12, 5) + packed("192.0.2.1"),
    "half a header of an attribute": WHOLE + b"\x08\x00",
    "a short device": message("203.0.113.10", attribute(4, b"\x03\x00")),
    "a long next hop": message("203.0.113.10", attribute(4, 3), attribute(5, bytes(5)), flags=4),
    "an address of another family": message("203.0.113.10", attribute(4, 3))[:20] + attribute(1, bytes(16)),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_no_route_is_an_error(odd: bytes) -> None:
    for messages in ((WHOLE, odd), (odd, WHOLE)):
        with pytest.raises(ReadError, match="cannot read"):
            understood(*messages)


def test_refusals_are_told_line_by_line() -> None:
    err = (
        "RTNETLINK answers: File exists\nCommand failed -:2\n"
        'Cannot find device "virbr9"\nCommand failed -:3\n'
        "Error: IPv6 is disabled on nexthop device.\nCommand failed -:5\n"
    )
    refused = refusals(Result(Call(("ip",)), 1, "", err))
    assert refused == {
        1: "File exists",
        2: 'Cannot find device "virbr9"',
        4: "IPv6 is disabled on nexthop device",
    }
    assert refused[2].startswith(ROUTES.already_gone)


@pytest.mark.parametrize(
    ("prefix", "listed", "in_the_way"),
    [
        (
            "203.0.113.10",
            "203.0.113.10 dev br2 proto static scope link \n",
            "203.0.113.10 dev br2 proto static scope link",
        ),
        ("203.0.113.10", "203.0.113.10 dev br2 scope link metric 500 \n", ""),
        ("2001:db8::1", "2001:db8::1 dev br2 metric 256 pref medium\n", ""),
        (
            "2001:db8::1",
            "2001:db8::1 dev br3 metric 256 pref medium\n2001:db8::1 dev br2 metric 1024 pref medium\n",
            "2001:db8::1 dev br2 metric 1024 pref medium",
        ),
        ("203.0.113.10", "", ""),
    ],
)
def test_who_is_in_the_way_of_a_route(prefix: str, listed: str, in_the_way: str) -> None:
    assert holder(Result(holder_call(prefix), 0, listed, "")) == in_the_way
