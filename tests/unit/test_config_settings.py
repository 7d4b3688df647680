"""The settings file: what it means, and what is said about wrong settings."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.config.settings import Settings, parse_settings
from nethook.errors import ConfigError
from nethook.gates import NAMES

GATES_ADVICE = "choose from these, with spaces between them: libvirt-nftables iptables ip6tables firewalld"


def parse(content: str) -> Settings:
    return parse_settings("conf", content.encode())


def problems(content: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(content)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("content", ["", "\n# mark-bit = 1\n", "\ufeff"])
def test_defaults(content: str) -> None:
    settings = parse(content)
    assert (settings.mark_bit, settings.route_protocol) == (0x10000000, 218)
    assert settings.routed_ips is None
    assert all(settings.opens(name) for name in NAMES)
    assert (settings.gateway4, settings.gateway6) == ("169.254.0.1", "fe80::1")


def test_all_settings() -> None:
    settings = parse(
        "mark-bit = 0x80000000  # the highest\r\n"
        "route-protocol=77\r\n"
        'routed-ips ="/srv/my ips"\r\n'
        "gates= iptables firewalld\r\n"
        "gateway4 = 10.0.0.1\r\n"
        "gateway6 = none\n"
        'metrics-file = "/srv/my metrics.prom"\n'
        "on-change = /etc/nethook/on-change"
    )
    assert settings.mark_bit == 0x80000000
    assert settings.route_protocol == 77
    assert settings.routed_ips == "/srv/my ips"
    assert settings.gates == ("iptables", "firewalld")
    assert (settings.gateway(4), settings.gateway(6)) == ("10.0.0.1", None)
    assert settings.metrics_file == "/srv/my metrics.prom"
    assert settings.on_change == "/etc/nethook/on-change"


def test_a_gateway_is_kept_as_the_kernel_prints_it() -> None:
    assert parse("gateway6 = FE80:0::A").gateway6 == "fe80::a"


def test_changed_files_are_applied_only_where_that_is_wanted() -> None:
    assert not parse("").auto_apply
    assert not parse("auto-apply = no").auto_apply
    assert parse("auto-apply = yes").auto_apply
    wrong = "conf:1:14: true is neither yes nor no; write yes to apply changed files automatically, or no"
    assert problems("auto-apply = true") == [wrong]


@pytest.mark.parametrize(
    "line", ["mark-bit=16", "mark-bit = 16", "mark-bit =16", "mark-bit= 0X10", '"mark-bit" "=" "16"']
)
def test_spaces_around_the_equals_sign_are_free(line: str) -> None:
    assert parse(line).mark_bit == 16


@pytest.mark.parametrize(
    ("line", "column", "what", "advice"),
    [
        ("mark-bits = 1", 1, "there is no setting mark-bits", "did you mean mark-bit?"),
        ("routes = 1", 1, "there is no setting routes", "did you mean routed-ips?"),
        (
            " zzz = 1",
            2,
            "there is no setting zzz",
            "choose from: mark-bit, route-protocol, routed-ips, forwarded-ports, gates, gateway4, gateway6, "
            "metrics-file, auto-apply, on-change",
        ),
        ("mark-bit", 1, "mark-bit is not a setting", "write KEY = VALUE"),
        ("mark-bit 0x40", 1, "mark-bit is not a setting", "write KEY = VALUE"),
        ("mark-bit x= 0x40", 1, "mark-bit is not a setting", "write KEY = VALUE"),
        ("= 0x40", 1, "= is not a setting", "write KEY = VALUE"),
        ("[nethook]", 1, "[nethook] is not a setting", "write KEY = VALUE"),
        ("mark-bit =", 11, "mark-bit has no value", "write one after the =, or remove the line"),
        ('routed-ips=""', 14, "routed-ips has no value", "write one after the =, or remove the line"),
        ("mark-bit = 1 2", 14, "this setting has a single value", "put a value with spaces in quotes"),
        ("mark-bit = 3", 12, "3 is not one bit of a packet mark", "write one bit of 32, such as 0x10000000"),
        ("mark-bit = 0", 12, "0 is not one bit of a packet mark", "write one bit of 32, such as 0x10000000"),
        (
            "mark-bit=0x100000000",
            10,
            "0x100000000 is not one bit of a packet mark",
            "write one bit of 32, such as 0x10000000",
        ),
        ('mark-bit="x y"', 10, "x y is not one bit of a packet mark", "write one bit of 32, such as 0x10000000"),
        ("mark-bit = 1_6", 12, "1_6 is not one bit of a packet mark", "write one bit of 32, such as 0x10000000"),
        ("mark-bit = -1", 12, "-1 is not one bit of a packet mark", "write one bit of 32, such as 0x10000000"),
        (
            "route-protocol = 256",
            18,
            "256 is not the number of a route protocol",
            "write a number from 5 to 249, such as 218",
        ),
        (
            "route-protocol = bird",
            18,
            "bird is not the number of a route protocol",
            "write a number from 5 to 249, such as 218",
        ),
        (
            "route-protocol = 4",
            18,
            "the routes of protocol 4 belong to the kernel or to a routing program",
            "write an unused number, such as 218",
        ),
        (
            "routed-ips = ips",
            14,
            "ips is not an absolute path",
            "write one, such as /etc/nethook/routed-ips",
        ),
        ("gates = iptables nftables", 18, "there is no gate nftables", GATES_ADVICE),
        ("gates = iptables, ip6tables", 9, "there is no gate iptables,", GATES_ADVICE),
        ("gateway4 = off", 12, "off is not an IPv4 address", "write one, such as 169.254.0.1, or none"),
        ("gateway4 = fe80::1", 12, "fe80::1 is not an IPv4 address", "write one, such as 169.254.0.1, or none"),
        ("gateway6 = fe80::/64", 12, "fe80::/64 is not an IPv6 address", "write one, such as fe80::1, or none"),
        (
            "gateway4 = 127.0.0.1",
            12,
            "127.0.0.1 cannot be a gateway, loopback addresses never are",
            "write 169.254.0.1",
        ),
        (
            "metrics-file = nethook.prom",
            16,
            "nethook.prom is not an absolute path",
            "write one, such as /var/lib/prometheus/node-exporter/nethook.prom",
        ),
        (
            "metrics-file = /run/nethook.txt",
            16,
            "/run/nethook.txt does not end in .prom",
            "write a path such as /var/lib/prometheus/node-exporter/nethook.prom",
        ),
        ('gates = "', 9, "the quote is not closed", 'write " at the end of the name'),
    ],
)
def test_wrong_settings(line: str, column: int, what: str, advice: str) -> None:
    assert problems(f"\n{line}\n") == [f"conf:2:{column}: {what}; {advice}"]


@pytest.mark.parametrize("number", [*range(5), *range(8, 19), 42, 80, 84, 99, *range(186, 199), 250])
def test_route_protocols_of_others_are_refused(number: int) -> None:
    (problem,) = problems(f"route-protocol = {number}")
    assert f"protocol {number} belong" in problem


@pytest.mark.parametrize("number", [5, 7, 19, 218, 249])
def test_free_route_protocols_are_accepted(number: int) -> None:
    assert parse(f"route-protocol = {number}").route_protocol == number


def test_all_problems_at_once_and_a_setting_twice() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("mark-bit = 1\nmark-bit = 1\ngates =\n")
    first, second = (str(problem) for problem in caught.value.problems)
    assert first == "conf:2:1: mark-bit is already set at conf:1:1; keep one of the two lines"
    assert second == "conf:3:8: gates has no value; write one after the =, or remove the line"
    assert str(caught.value) == f"{first} (and 1 more)"


@given(st.integers(0, 31))
def test_every_bit_of_a_mark(bit: int) -> None:
    assert parse(f"mark-bit = {1 << bit}").mark_bit == 1 << bit
    assert parse(f"mark-bit = {1 << bit:#x}").mark_bit == 1 << bit


@given(st.binary())
def test_garbage_is_refused_and_never_anything_else(garbage: bytes) -> None:
    with suppress(ConfigError):
        parse_settings("conf", garbage)
