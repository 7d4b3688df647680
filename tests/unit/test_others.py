"""What is listed of others' routes and rules → what stands in for ours, and what release 0.6 has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.engine.foreign_routes import ForeignRoutes
from nethook.errors import ReadError
from nethook.gates.gate import Chain, ChainOpening, Rule
from nethook.gates.iptables import IptablesGate
from nethook.host.fake import FakeHost
from nethook.host.process import Call, Result
from nethook.legacy06.leftovers import removals
from nethook.libvirt import Network
from tests.unit.cases import case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.engine.case import Case

BOTH = ForeignRoutes({"virbr2", "virbr1"})
GATE = IptablesGate("iptables-nft", 0x40)


def result(*listings: str, status: int = 0) -> Result:
    """As ``ip -json -batch`` prints it: a list for each line of the batch."""
    return Result(Call(("ip",)), status, "\n".join(listings), "")


@pytest.mark.parametrize(
    ("listed", "standing_in", "inherited"),
    [
        ('{"dst":"203.0.113.10","scope":"link","flags":["linkdown"]}', False, True),
        ('{"dst":"2001:db8::1","metric":1024,"flags":[],"pref":"medium"}', False, True),
        ('{"dst":"203.0.113.10","scope":"link","metric":1024,"flags":[]}', True, False),
        ('{"dst":"203.0.113.10","protocol":"kernel","scope":"link","prefsrc":"203.0.113.1","flags":[]}', True, False),
        ('{"dst":"203.0.113.10","protocol":"static","scope":"link","flags":[]}', True, False),
        ('{"dst":"203.0.113.10","scope":"link","metric":5,"flags":[]}', True, False),
        ('{"dst":"203.0.113.10","gateway":"192.168.50.7","flags":[]}', False, False),
        ('{"type":"unreachable","dst":"203.0.113.10","flags":[]}', False, False),
        ('{"dst":"default","scope":"link","flags":[]}', False, False),
    ],
)
def test_what_a_route_of_others_means(listed: str, standing_in: bool, inherited: bool) -> None:
    found = BOTH.routes([result("[ ]", f"[{listed}]")])
    assert [bool(routes) for routes in found] == [standing_in, inherited]


@pytest.mark.parametrize("listings", [["[]"], ["[]", "lorem ipsum"], [""]])
def test_a_listing_that_is_not_whole_is_an_error(listings: list[str]) -> None:
    with pytest.raises(ReadError):
        BOTH.routes([result(*listings)])
    with pytest.raises(ReadError):
        BOTH.routes([result("[]", "[]", status=1)])


def test_without_bridges_nothing_is_asked() -> None:
    assert ForeignRoutes([]).read_calls(FakeHost()) == []
    assert ForeignRoutes([]).routes([]) == (set(), set())


def test_only_the_very_rules_of_0_6_are_removed() -> None:
    of_0_6 = ["-s 203.0.113.10/32 -i virbr1 -j ACCEPT", "-d 203.0.113.16/29 -o virbr1 -j ACCEPT"]
    of_others = [
        "-s 203.0.113.10/32 -i virbr2 -j ACCEPT",
        "-s 203.0.113.11/32 -i virbr1 -j ACCEPT",
        "-s 203.0.113.10/32 -i virbr1 -p tcp -j ACCEPT",
        "-s 203.0.113.10/32 -i virbr1 -m comment --comment mine -j ACCEPT",
    ]
    rules = [Rule(text, "", blocks=False) for text in [*of_0_6, *of_others, of_0_6[0]]]
    (change,) = removals(_case_with(rules))
    assert change.call is not None
    deleted = [line for line in change.call.stdin.splitlines() if line.startswith("-")]
    assert deleted == [f"-D FORWARD {text}" for text in [*of_0_6, of_0_6[0]]]
    assert removals(_case_with([Rule(of_others[0], "", blocks=False)])) == []


def _case_with(rules: Sequence[Rule]) -> Case:
    opening = ChainOpening(GATE, Chain(rules, policy_blocks=False))
    networks = [Network("public", "virbr1", "nat")]
    return case("203.0.113.10 public\n203.0.113.16/29 public", networks, openings=[opening])
