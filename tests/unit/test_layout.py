"""What nft is told of sets and maps, and keys for netlink; tests/kernel/test_elements.py has the kernel's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.host.layout import ADDRESS, DEVICE, PORT, PROTOCOL, Layout, SetType
from nethook.host.nftables import decoded, encoded
from nethook.parts.forwards.ruleset import FAMILIES, layout

if TYPE_CHECKING:
    from nethook.host.nftables import Elements

SERVICE = (ADDRESS[4], PROTOCOL, PORT)
SETS = {
    "ports": SetType("ports", *SERVICE, data=(ADDRESS[4], PORT), counts=True),
    "ranges": SetType("ranges", ADDRESS[4], *SERVICE, data=(ADDRESS[4],), is_interval=True),
    "outgoing": SetType("outgoing", DEVICE, ADDRESS[4], data=(ADDRESS[4],)),
    "on_link": SetType("on_link", DEVICE, ADDRESS[4], is_interval=True),
    "bridges": SetType("bridges", DEVICE),
}
LAYOUT = Layout("ip", SETS, {}, {})


def test_definitions() -> None:
    assert LAYOUT.creation()[1:] == [
        "add map ip nethook ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; counter; }",
        "add map ip nethook ranges"
        " { type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; }",
        "add map ip nethook outgoing { type ifname . ipv4_addr : ipv4_addr; }",
        "add set ip nethook on_link { type ifname . ipv4_addr; flags interval; }",
        "add set ip nethook bridges { type ifname; }",
    ]


def test_data_is_told_where_elements_are_added_and_keys_are_enough_to_delete_them() -> None:
    elements: Elements = {
        "ports": {("203.0.113.1", "tcp", "80", "192.0.2.2", "8080"), ("203.0.113.1", "udp", "53", "192.0.2.2", "53")},
        "ranges": {("198.51.100.0/24", "203.0.113.1", "tcp", "50-59", "192.0.2.2")},
        "outgoing": {("ends*", "192.0.2.2", "203.0.113.5")},
        "on_link": {("a b", "192.0.2.0/29")},
        "bridges": set(),
    }
    assert LAYOUT.additions(elements) == [
        "add element ip nethook ports"
        " { 203.0.113.1 . tcp . 80 : 192.0.2.2 . 8080, 203.0.113.1 . udp . 53 : 192.0.2.2 . 53 }",
        "add element ip nethook ranges { 198.51.100.0/24 . 203.0.113.1 . tcp . 50-59 : 192.0.2.2 }",
        'add element ip nethook outgoing { "ends\\*" . 192.0.2.2 : 203.0.113.5 }',
        'add element ip nethook on_link { "a b" . 192.0.2.0/29 }',
    ]
    assert LAYOUT.deletions(elements) == [
        "delete element ip nethook ports { 203.0.113.1 . tcp . 80, 203.0.113.1 . udp . 53 }",
        "delete element ip nethook ranges { 198.51.100.0/24 . 203.0.113.1 . tcp . 50-59 }",
        'delete element ip nethook outgoing { "ends\\*" . 192.0.2.2 }',
        'delete element ip nethook on_link { "a b" . 192.0.2.0/29 }',
    ]


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        (SETS["bridges"], ("virbr0",)),
        (SETS["bridges"], ('a"b',)),
        (SETS["bridges"], ("ä",)),
        (SETS["on_link"], ("virbr0", "192.0.2.0/29")),
        (SETS["on_link"], ("fifteen-letters", "192.0.2.1")),
        (SETS["on_link"], ("virbr0", "0.0.0.0/0")),
        (SetType("on_link", DEVICE, ADDRESS[6], is_interval=True), ("virbr0", "2001:db8::/32")),
        (SetType("gateways", ADDRESS[6]), ("2001:db8::1",)),
    ],
)
def test_keys_for_the_kernel(kind: SetType, element: tuple[str, ...]) -> None:
    key = encoded(kind, element)
    assert decoded(kind.fields, key) == element
    assert len(key) == (2 if kind.is_interval else 1)


def test_the_ends_of_an_interval() -> None:
    assert encoded(SETS["on_link"], ("virbr0", "192.0.2.8/29")) == (
        b"virbr0".ljust(16, b"\0") + bytes((192, 0, 2, 8)),
        b"virbr0".ljust(16, b"\0") + bytes((192, 0, 2, 15)),
    )


def test_a_table_for_each_family_and_setting() -> None:
    made = [
        layout(family, bit, former) for family in FAMILIES for bit, former in ((0x10, ()), (0x20, ()), (0x20, (1,)))
    ]
    assert len({each.fingerprint for each in made}) == len(made)
    for family in FAMILIES:
        text = "\n".join(layout(family, 0x10).creation())
        assert ("ip6" if family == 4 else "ip daddr") not in text
        assert ("ipv6" if family == 4 else "ipv4") not in text
