"""Prefixes, compared with the standard library's ipaddress."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.prefix import BITS, Prefix, address_text, is_link_local, parse_address, parse_prefix

networks = st.one_of(
    st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 32)),
    st.tuples(st.integers(0, (1 << 128) - 1), st.integers(0, 128)),
).map(lambda pair: ipaddress.ip_network(pair, strict=False))


@given(networks)
def test_as_ipaddress_has_it(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    prefix = parse_prefix(str(network))
    assert (prefix.family, prefix.length) == (network.version, network.prefixlen)
    assert prefix.first == int(network.network_address)
    assert prefix.last == int(network.broadcast_address)
    assert prefix.is_address == (network.num_addresses == 1)
    assert parse_prefix(str(prefix)) == prefix
    assert parse_address(address_text(prefix.family, prefix.last)) == (prefix.family, prefix.last)


def test_the_text_is_canonical() -> None:
    assert str(parse_prefix("2001:DB8:0:0::1/128")) == "2001:db8::1"
    assert repr(parse_prefix("203.0.113.16/29")) == "Prefix(203.0.113.16/29)"
    assert {parse_prefix("203.0.113.10/32"), parse_prefix("203.0.113.10")} == {Prefix(4, 0xCB00710A, BITS[4])}


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "public", "1.2.3", "1.2.3.04", "1.2.3.256", "1.2.3.4 ", "1.2.3.4\0", "1.2.3.4\udcff",
        "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3.4/٨", "1.2.3.4/8", "1.2.3.4/" + "9" * 5000,
        "1:2", ":::", "fe80::1%lo", "::/129", "::1/64",
    ],
)  # fmt: skip
def test_what_is_no_prefix(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_prefix(text)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[(each, True) for each in ("fe80::1", "fe90::1", "febf:ffff::1", "169.254.0.1", "169.254.255.255")],
        *[(each, False) for each in ("fe7f::1", "fec0::1", "fe8::1", "2001:db8::fe80", "169.253.0.1", "203.0.113.10")],
    ],
)
def test_link_local_addresses(address: str, expected: bool) -> None:
    """RFC 4291: fe80::/10, which ends at febf."""
    assert is_link_local(address) == expected
