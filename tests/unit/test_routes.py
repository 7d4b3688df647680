"""What ip prints about our routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.errors import ReadError
from nethook.host.process import Call, Result, refusals
from nethook.parts.routes import ROUTES, holder, holder_call

if TYPE_CHECKING:
    from nethook.parts.routes import Route


def listed(text: str) -> set[Route]:
    return ROUTES.parse([Result(Call(("ip",)), 0, text, "")])


def test_routes_of_our_shape_are_ours() -> None:
    text = "203.0.113.10 dev virbr1 scope link linkdown\n2001:db8::/64 dev virbr2 metric 1024 pref medium\n"
    assert listed(text) == {("203.0.113.10", "virbr1", ""), ("2001:db8::/64", "virbr2", "")}


def test_routes_with_a_next_hop_that_is_said_to_be_there_are_ours() -> None:
    text = (
        "203.0.113.16/29 via 203.0.113.10 dev virbr1 onlink\n"
        "2001:db8:1::/64 via fe80::1 dev virbr1 metric 1024 onlink pref medium\n"
    )
    assert listed(text) == {
        ("203.0.113.16/29", "virbr1", "203.0.113.10"),
        ("2001:db8:1::/64", "virbr1", "fe80::1"),
    }


def test_routes_of_another_shape_with_our_number_are_somebody_elses() -> None:
    text = (
        "203.0.113.10 via 192.0.2.1 dev eth0\nblackhole 10.0.0.0/8\nunreachable 203.0.113.12 metric 4278198272\n"
        "203.0.113.11\n\tnexthop via 192.0.2.1 dev eth0 weight 1\n\tnexthop dev eth1 weight 1\n"
    )
    assert listed(text) == set()


@pytest.mark.parametrize("text", ["garbage\n", "Error: this is no list of routes\n"])
def test_what_is_no_list_of_routes_is_not_an_empty_one(text: str) -> None:
    with pytest.raises(ReadError):
        listed(text)


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
