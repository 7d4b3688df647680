"""What the kernel tells of packets, byte by byte, and the rules that choose packets."""

from __future__ import annotations

from struct import pack

import pytest

from nethook.host.netlink import attribute, envelope
from nethook.host.packet_choice import Choice, chosen_at_hook, chosen_by_connection
from nethook.host.trace_messages import ACCEPT, BY_POLICY, BY_RULE, DROP, JUMP, QUEUE, Told, parsed
from nethook.tracing.packet import parse

TRACE = 10 << 8 | 17
ADDRESS = 0xCB00710A
NETWORK = bytes.fromhex("4500002ba583400040112effc6336401cb00710a")
PORTS = "198.51.100.1:41167 203.0.113.10:45376"
UDP = bytes.fromhex("a0cfb140001766686e6574686f6f6b2074657374")


def message(*attributes: tuple[int, bytes], family: int = 2) -> bytes:
    body = pack("BBH", family, 0, 0) + b"".join(attribute(number, value) for number, value in attributes)
    return envelope(TRACE, 0, body)


def number(value: int) -> bytes:
    return pack(">I", value & 0xFFFFFFFF)


def verdict(code: int, chain: bytes = b"") -> tuple[int, bytes]:
    return 5 | 0x8000, attribute(1, number(code)) + (attribute(2, chain + b"\0") if chain else b"")


PLACE = ((1, b"filter\0"), (2, b"FORWARD\0"), (6, number(7)))
RULE = (*PLACE, (3, pack(">Q", 12)), (4, number(BY_RULE)))


def test_a_rule_with_the_packet() -> None:
    (told,) = parsed(
        message(
            *RULE,
            verdict(JUMP, b"LIBVIRT_FWI"),
            (8, NETWORK),
            (9, UDP),
            (10, number(2)),
            (12, number(3)),
            (14, number(0x90000000)),
        )
    )
    assert told == Told(7, "ip", "filter", "FORWARD", BY_RULE, JUMP, "LIBVIRT_FWI", 12, NETWORK, UDP, 2, 3, 0x90000000)


def test_verdicts_with_more_in_them() -> None:
    found = [*parsed(b"".join(message(*RULE, verdict(code)) for code in (0x30003, -65536, -3, 1)))]
    assert [told.verdict for told in found] == [QUEUE, DROP, JUMP, ACCEPT]


def test_a_policy_in_a_family_that_has_no_name_here() -> None:
    (told,) = parsed(message(*PLACE, (4, number(BY_POLICY)), (16, number(DROP)), family=99))
    assert (told.family, told.kind, told.verdict, told.handle) == ("?", BY_POLICY, DROP, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 15,
        message(*PLACE),  # no kind
        message((1, b"\xff\xfe\0")),
        message(*RULE, (5, b"\1")),  # a verdict that is cut
        message(*PLACE, (4, b"\1")),
        envelope(10 << 8 | 6, 0, pack("BBH", 2, 0, 0)),  # not of a trace
        message(*RULE)[:-3],
    ],
)
def test_what_is_not_understood_is_left_out(data: bytes) -> None:
    assert [*parsed(data)] == []


def test_what_is_not_understood_hides_nothing_behind_it() -> None:
    assert [told.verdict for told in parsed(message(*PLACE) + message(*RULE, verdict(ACCEPT)))] == [ACCEPT]


@pytest.mark.parametrize(
    ("network", "transport", "kind", "ends"),
    [
        (NETWORK, UDP, "UDP", PORTS),
        (
            NETWORK[:9] + b"\6" + NETWORK[10:],
            UDP[:13] + b"\x12" + UDP[14:],
            "TCP SYN-ACK",
            PORTS,
        ),
        (
            NETWORK[:9] + b"\6" + NETWORK[10:],
            UDP[:13] + b"\0" + UDP[14:],
            "TCP",
            PORTS,
        ),
        (NETWORK[:9] + b"\1" + NETWORK[10:], b"\x08\0", "ICMP echo request", "198.51.100.1 203.0.113.10"),
        (NETWORK[:9] + b"\1" + NETWORK[10:], b"\x63\0", "ICMP type 99", "198.51.100.1 203.0.113.10"),
        (NETWORK[:9] + b"\x63" + NETWORK[10:], b"", "IP protocol 99", "198.51.100.1 203.0.113.10"),
        (NETWORK, b"", "UDP", "198.51.100.1 203.0.113.10"),
    ],
)
def test_packets_of_ipv4(network: bytes, transport: bytes, kind: str, ends: str) -> None:
    packet = parse(network, transport)
    assert packet
    assert (packet.kind, f"{packet.from_end} {packet.to_end}") == (kind, ends)
    assert (packet.length, packet.hops, packet.is_fragmentable) == (43, 64, False)


def test_a_packet_of_ipv6() -> None:
    addresses = bytes.fromhex("20010db8ffff0000000000000000000120010db8000700000000000000000010")
    packet = parse(b"\x60\0\0\0\0\x10\x3a\x3f" + addresses, b"\x81\0")
    assert packet
    assert (packet.kind, packet.length, packet.hops) == ("ICMPv6 echo reply", 56, 63)
    assert (packet.from_end, packet.to_end) == ("2001:db8:ffff::1", "2001:db8:7::10")
    packet = parse(b"\x60\0\0\0\0\x10\x11\x3f" + addresses, UDP)
    assert packet
    assert packet.to_end == "[2001:db8:7::10]:45376"


@pytest.mark.parametrize("network", [b"", NETWORK[:19], b"\x60" + NETWORK, b"\x10" + NETWORK])
def test_headers_that_are_cut_or_of_another_protocol(network: bytes) -> None:
    assert parse(network, UDP) is None


def names(expressions: list[bytes]) -> list[str]:
    """The names of expressions, which are the first attribute within each."""
    return [each[8:].partition(b"\0")[0].decode() for each in expressions]


@pytest.mark.parametrize(
    ("choice", "rules"),
    [
        (Choice(4, ADDRESS, True), 4),
        (Choice(6, 1, False), 4),
        (Choice(4, ADDRESS, True, 443), 3),
        (Choice(4, ADDRESS, True, 443, (6,)), 2),
        (Choice(4, ADDRESS, True, 53, (17,)), 1),
        (Choice(4, ADDRESS, True, 0, ()), 4),
        (Choice(4, ADDRESS, False, peer=1), 4),
        (Choice(6, ADDRESS, True, 443, (6,), peer=2), 2),
    ],
)
@pytest.mark.parametrize("is_bridge", [False, True])
def test_each_rule_has_a_limit_and_an_address(choice: Choice, rules: int, is_bridge: bool) -> None:
    found = [*chosen_at_hook([choice], is_bridge=is_bridge)]
    assert len(found) == rules
    for expressions in found:
        assert names(expressions)[-3:] == ["limit", "immediate", "meta"]
        assert all(any(each.endswith(address) for each in expressions) for _, address in choice.ends)
        of_port = [each for each in expressions if choice.port and each[-4:] == pack(">HH", choice.port, 0)]
        assert len(of_port) == bool(choice.port)


def test_answers_are_chosen_only_where_nat_has_changed_something() -> None:
    found = [*chosen_by_connection([Choice(4, ADDRESS, True), Choice(4, ADDRESS, False, 443, (6, 17))])]
    assert len(found) == 3
    for expressions in found:
        assert names(expressions)[2:7] == ["ct", "cmp", "ct", "bitwise", "cmp"]
        assert names(expressions)[-3:] == ["limit", "immediate", "meta"]
