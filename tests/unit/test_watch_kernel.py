"""Which messages of the kernel matter: bytes as Linux 6.18 sends them, on a machine with little-endian numbers."""

from __future__ import annotations

import sys
from struct import pack, unpack

import pytest

from nethook.host.links import Link
from nethook.host.notifications import Notice, parsed_nftables, parsed_routing
from nethook.host.packet_filter import of_nftables, of_routes
from nethook.watch import kernel
from nethook.watch.kernel import Routing, matters
from nethook.watch.source import Interests

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are from a little-endian machine")

OURS = bytes.fromhex(
    "3c0000000c0a0004000000008545000001000004" + "0c0001006e6574686f6f6b00" + "06000200730000001400030010000100"
    "0c0001000800010001020304"
)
"""nft add element inet nethook s { 1.2.3.4 }"""
GENERATION = bytes.fromhex(
    "2c0000000f0a0000010000008545000000000004" + "0800010000000004" + "0800020000004585" + "080003006e667400"
)
PASSED, DROPPED = 0xFFFFFFFF, 0


def message(kind: int, body: bytes, sender: int = 4711) -> bytes:
    """A message of netlink."""
    return pack("IHHII", 16 + len(body), kind, 0, 0, sender) + body


def attribute(number: int, value: bytes) -> bytes:
    """An attribute of netlink."""
    return pack("HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def of_table(kind: int, table: str, family: int = 1) -> bytes:
    """A message about something in a table of nftables."""
    return message(10 << 8 | kind, pack("BBH", family, 0, 0) + attribute(1, table.encode() + b"\0"))


def route(protocol: int, device: int = 7, kind: int = 25) -> bytes:
    """A message about a route."""
    return message(kind, pack("8BI", 2, 32, 0, 0, 254, protocol, 0, 1, 0) + attribute(4, pack("I", device)))


def neighbour(protocol: int | None, device: int = 7, kind: int = 28) -> bytes:
    """A message about a neighbour entry."""
    body = pack("BBHiHBB", 2, 0, 0, device, 0x80, 0, 1) + attribute(1, bytes(4))
    return message(kind, body + (b"" if protocol is None else attribute(12, bytes([protocol]))))


def link(device: int, name: str, master: int = 0, *, flags: int = 1, kind: int = 16, family: int = 0) -> bytes:
    """A message about a device."""
    values = attribute(3, name.encode() + b"\0") + (attribute(10, pack("I", master)) if master else b"")
    return message(kind, pack("BBHiII", family, 0, 0, device, flags, 0) + values)


def address(value: bytes, device: int = 7, kind: int = 20) -> bytes:
    """A message about an address."""
    return message(kind, pack("BBBBI", 2, 24, 0, 0, device) + attribute(2, value))


def run(program: list[bytes], data: bytes) -> int:
    """What the program returns for this message: the machine of linux/filter.h, as far as we use it."""
    a: int = 0
    x: int = 0
    at: int = 0
    while True:
        code, if_true, if_not, number = map(int, unpack("HBBI", program[at]))
        at += 1
        if code in {0x30, 0x20, 0x50}:
            size = 4 if code == 0x20 else 1
            if number == 0xFFFFF00C:
                a = _find(data, a, x)
                continue
            begin = number + (x if code == 0x50 else 0)
            if begin + size > len(data):
                return DROPPED
            a = int.from_bytes(data[begin : begin + size], "big")
        elif code == 0x80:
            a = len(data)
        elif code == 0x00:
            a = number
        elif code == 0x01:
            x = number
        elif code == 0x07:
            x = a
        elif code == 0x64:
            a = a << number & 0xFFFFFFFF
        elif code == 0x4C:
            a |= x
        elif code in {0x15, 0x1D, 0x35}:
            other = x if code == 0x1D else number
            at += if_true if (a >= other if code == 0x35 else a == other) else if_not
        else:
            assert code == 0x06
            return number


def _find(data: bytes, at: int, wanted: int) -> int:
    while at + 4 <= len(data):
        length, number = unpack("HH", data[at : at + 4])
        if number == wanted:
            return at
        at += (length + 3) & ~3
    return 0


FOREIGN = OURS.replace(b"nethook\0", b"blocked\0")


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (OURS, True),
        (FOREIGN, False),
        (FOREIGN.replace(b"\x0c\x0a", b"\x0e\x0a", 1), False),
        (GENERATION, False),
        (FOREIGN + OURS, True),
        (FOREIGN + FOREIGN, True),
        (of_table(0, "blocked"), True),
        (of_table(12, "nethook2"), False),
        (of_table(12, "nethoo"), False),
        (of_table(12, "nethook"), True),
    ],
)
def test_what_of_nftables_the_kernel_lets_through(data: bytes, passes: bool) -> None:
    assert run(of_nftables("nethook"), data) == (PASSED if passes else DROPPED)


@pytest.mark.parametrize("kind", [24, 25])
def test_which_routes_the_kernel_lets_through(kind: int) -> None:
    passing = {number for number in range(256) if run(of_routes(), route(number, kind=kind)) == PASSED}
    dropped = {*range(8, 16), 18, 42, 80, 84, 99, *range(186, 199)}
    assert passing == {*range(256)} - dropped


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (neighbour(218), True),
        (neighbour(None), False),
        (neighbour(None, kind=29), False),
        (link(7, "virbr1"), True),
        (address(bytes(4)), True),
    ],
)
def test_what_of_routing_the_kernel_lets_through(data: bytes, passes: bool) -> None:
    assert run(of_routes(), data) == (PASSED if passes else DROPPED)


def test_elements_of_others_are_left_out() -> None:
    """Those that come together with ours."""
    found = [*parsed_nftables(FOREIGN + OURS + FOREIGN)]
    assert [(notice.what, notice.table, notice.is_deleted, notice.sender) for notice in found] == [
        ("element", "inet nethook", False, 17797)
    ]


@pytest.mark.parametrize("data", [b"", b"\0" * 3, OURS[:30], bytes(16), b"\xff" * 64])
def test_broken_messages(data: bytes) -> None:
    assert [*parsed_nftables(data)] == []
    assert [*parsed_routing(data)] == []


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (of_table(2, "nethook"), True),
        (of_table(8, "nethook", 7), True),
        (of_table(14, "nethook", 2), True),
        (of_table(2, "libvirt_network", 2), True),
        (of_table(8, "libvirt_network", 10), True),
        (of_table(6, "filter", 2), True),
        (of_table(9, "filter", 2), False),
        (of_table(6, "filter", 1), False),
        (of_table(6, "nat", 2), False),
        (of_table(0, "firewalld", 1), True),
        (of_table(6, "crowdsec", 1), False),
    ],
)
def test_which_tables_matter(data: bytes, counts: bool) -> None:
    assert [matters(notice) for notice in parsed_nftables(data)] == [counts]


class Heard(Routing):
    """The source without a socket. virbr1 is device 7, with the tap 8; uplink is 2; veth9 is of others."""

    def __init__(self) -> None:
        self._links = {}
        self._addresses = set()
        links = [Link(7, "virbr1", "bridge"), Link(8, "vnet1", "tun", master=7), Link(2, "uplink"), Link(9, "veth9")]
        self.follow(Interests(218, ["virbr1"], ["uplink"], links))

    def hears(self, data: bytes) -> bool:
        """Whether this message matters."""
        return any(self.matters(notice) for notice in parsed_routing(data))


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (route(218, 2), True),
        (route(4, 7), True),
        (route(4, 2), False),
        (neighbour(218, 2), True),
        (neighbour(4, 7), True),
        (neighbour(4, 2), False),
        (address(b"\n\0\0\1", 7), True),
        (address(b"\n\0\0\1", 7, kind=21), True),
        (address(b"\n\0\0\1", 2), False),
        (link(8, "vnet1", kind=17), True),
        (link(8, "vnet1"), True),
        (link(8, "vnet1", 7), False),
        (link(8, "vnet1", 7, family=7), False),
        (link(11, "vnet2", 7), True),
        (link(11, "veth1"), False),
        (link(9, "veth9", kind=17), False),
        (link(7, "virbr1", kind=17), True),
        (link(12, "uplink"), True),
        (link(2, "other"), True),
        (message(80, pack("I", 10) + attribute(1, pack("I", 2)) + attribute(5, pack("I", 0))), True),
        (message(80, pack("I", 10) + attribute(1, pack("I", 9)) + attribute(5, pack("I", 0))), False),
        (message(80, pack("I", 10) + attribute(1, pack("I", 2)) + attribute(2, pack("I", 0))), False),
        (message(33, pack("8BI", *[0] * 9) + attribute(21, b"\xda")), True),
        (message(33, pack("8BI", *[0] * 9) + attribute(21, b"\x04")), False),
    ],
)
def test_what_of_routing_matters(data: bytes, counts: bool) -> None:
    assert Heard().hears(data) == counts


def test_a_bridge_that_goes_down_matters() -> None:
    heard = Heard()
    heard.hears(link(7, "virbr1"))
    assert not heard.hears(link(7, "virbr1"))
    assert heard.hears(link(7, "virbr1", flags=0))


def test_the_first_word_about_a_bridge_may_be_that_it_went_down() -> None:
    assert Heard().hears(link(7, "virbr1", flags=0))
    heard = Heard()
    assert not heard.hears(link(7, "virbr1"))


def test_an_address_that_is_told_again_does_not_matter() -> None:
    heard = Heard()
    assert [heard.hears(address(b"\n\0\0\1")) for _ in range(3)] == [True, False, False]
    assert heard.hears(address(b"\n\0\0\1", kind=21))
    assert heard.hears(address(b"\n\0\0\1"))


def test_the_name_of_a_program_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program chooses its own."""
    monkeypatch.setattr(kernel, "program", lambda _: "evil\nMAINPID=1")
    assert kernel._sender(Notice("route", True, 4711)) == r" by evil\nMAINPID=1 (process 4711)"


def test_notices_are_values() -> None:
    assert Notice("route", True, 0) == Notice("route", True, 0)
