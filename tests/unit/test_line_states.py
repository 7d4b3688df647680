"""What status says of each line: out of what libvirt tells and what is still to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.engine.plan import Plan
from nethook.gates.firewalld.gate import Firewalld
from nethook.gates.gate import Chain, ChainOpening, Rule
from nethook.gates.iptables import IptablesGate
from nethook.host.process import Call
from nethook.libvirt.live import LiveNetwork
from nethook.libvirt.network import Network, Port, Ports
from nethook.parts.routes import ROUTES, Route
from nethook.placement.scope import Scope
from nethook.placement.vital import Needs
from nethook.status.line_states import line_states, states_without_root
from nethook.steps.effect import ADD, Effect
from nethook.steps.step import Step
from tests.unit.cases import applied, case, empty, steps
from tests.unit.lines import routed

if TYPE_CHECKING:
    from collections.abc import Sequence

BRIDGE = "lo"  # a device that exists everywhere
PUBLIC = Network("public", BRIDGE, "nat")
LIVE = {
    "public": LiveNetwork(PUBLIC, is_active=True),
    "stopped": LiveNetwork(Network("stopped", "virbr2", "nat"), is_active=False),
    "gone": LiveNetwork(Network("gone", "no-such-bridge", "nat"), is_active=True),
    "macvtap": LiveNetwork(Network("macvtap", "", "passthrough"), is_active=True),
}


def plan(lines: str, in_force: str, openings: Sequence[ChainOpening] = ()) -> Plan:
    """The plan for these lines, when those ``in_force`` are."""
    made = case(lines, [PUBLIC], applied(case(in_force, [PUBLIC])), openings=openings)
    return Plan(made, openings, steps(made))


def states(lines: str, in_force: str, openings: Sequence[ChainOpening] = ()) -> list[tuple[str, str]]:
    """State and reason of each line."""
    found = line_states(routed(lines), LIVE, plan(lines, in_force, openings))
    return [(state.state, state.reason) for state in found]


def test_what_is_in_force_is_routed() -> None:
    lines = "203.0.113.10 public\n203.0.113.16/29 public\n203.0.113.17 public\n2001:db8::/64 public"
    assert states(lines, lines) == [("routed", "")] * 4


def test_what_is_not_in_force_is_not_applied() -> None:
    assert states("203.0.113.10 public\n203.0.113.11 public", "203.0.113.10 public") == [
        ("routed", ""),
        ("not applied", "run nethook apply"),
    ]


def test_a_table_concerns_those_lines_that_need_it() -> None:
    lines = "203.0.113.10 public guest=web1\n203.0.113.11 public"
    ports = Ports([Port("", "52:54:00:00:00:01", "web1")], all_known=True)
    live = {"public": LiveNetwork(Network("public", BRIDGE, "nat", ports), is_active=True)}
    for table, expected in (("bridge nethook", ["not applied", "routed"]), ("inet nethook", ["not applied"] * 2)):
        lacking = Plan(case("", []), [], [Step(Call(("nft",)), [Effect(ADD, "table", to=table)])])
        assert [found.state for found in line_states(routed(lines), live, lacking)] == expected


def test_a_routed_line_that_is_not_kept_to_its_guest_yet_says_so() -> None:
    lines = routed("203.0.113.10 public guest=web1\n203.0.113.11 public guest=web1")
    ports = Ports([Port("", "52:54:00:00:00:01", "web1")], all_known=True)
    live = {"public": LiveNetwork(Network("public", BRIDGE, "nat", ports), is_active=True)}
    there = {**empty(), ROUTES: {Route(("203.0.113.10", BRIDGE, ""))}}
    effects = [Effect(ADD, "table", to="bridge nethook"), Effect(ADD, "route", prefix="203.0.113.11", bridge=BRIDGE)]
    effects += [Effect(ADD, "bound", prefix=line.prefix.text, line=line) for line in lines]
    lacking = Plan(case("", [], there), [], [Step(Call(("nft",)), effects)])
    assert [(found.state, found.reason) for found in line_states(lines, live, lacking)] == [
        ("not applied", "still routed, but not yet kept to guest web1; run nethook apply"),
        ("not applied", "run nethook apply"),
    ]


def test_a_prefix_within_another_is_not_applied_before_that_one_is() -> None:
    lines = "203.0.113.0/24 public\n203.0.113.16/29 public"
    inner = line_states(routed(lines), LIVE, plan(lines, "203.0.113.16/29 public"))[1]
    assert inner.state == "not applied"  # the element of the outer one takes the place of its own


@pytest.mark.parametrize(
    ("network", "state", "reason"),
    [
        ("nowhere", "waiting", "libvirt has no network nowhere"),
        ("stopped", "waiting", "network stopped is not running"),
        ("gone", "waiting", "there is no bridge no-such-bridge"),
        ("macvtap", "blocked", "network macvtap has no bridge (forward mode passthrough)"),
    ],
)
def test_the_network_is_the_reason(network: str, state: str, reason: str) -> None:
    assert states(f"203.0.113.10 {network}", f"203.0.113.10 {network}") == [(state, reason)]


def test_what_is_in_force_stays_in_spite_of_a_wrong_name() -> None:
    lines = routed("203.0.113.10 pubic\n203.0.113.11 pubic")
    there = applied(case("203.0.113.10 public", [PUBLIC]))
    scope = Scope(known=[PUBLIC], unresolved={line.prefix.text for line in lines})
    made = case("203.0.113.10 pubic\n203.0.113.11 pubic", [PUBLIC], there, scope)
    found = Plan(made, [], steps(made))
    mistakes = [line.problem_of_network("libvirt has no network pubic", "did you mean public?") for line in lines]
    assert [(state.state, state.bridge, state.reason) for state in line_states(lines, LIVE, found, mistakes)] == [
        ("routed", BRIDGE, "libvirt has no network pubic; it stays as it was"),
        ("waiting", "", "libvirt has no network pubic"),
    ]


def test_a_line_that_the_host_could_not_live_with_is_not_routed() -> None:
    lines = routed("198.51.100.1 public\n203.0.113.10 public")
    needs = Needs(hops=[("198.51.100.1", "eth0")])
    text = "198.51.100.1 public\n203.0.113.10 public"
    made = case(text, [PUBLIC], applied(case("203.0.113.10 public", [PUBLIC])), needs=needs)
    found = Plan(made, [], steps(made))
    assert [(state.state, state.reason) for state in line_states(lines, LIVE, found)] == [
        (
            "blocked",
            "198.51.100.1 is a next hop of this host's routes, on eth0: with this line, the host would not reach it "
            "any more",
        ),
        ("routed", ""),
    ]


def test_a_closed_gate_blocks_its_family() -> None:
    lines = "203.0.113.10 public\n2001:db8::1 public"
    closed = Chain([Rule("-j LIBVIRT_FWI", "", blocks=True)], policy_blocks=False)
    reason = "by iptables-nft FORWARD, its gate is missing; run nethook apply"
    opening = ChainOpening(IptablesGate("iptables-nft", 0x10000000), closed)
    assert states(lines, lines, [opening]) == [("blocked", reason), ("routed", "")]


def test_without_root_only_routes_tell() -> None:
    lines = routed("203.0.113.10 public\n203.0.113.11 public\n203.0.113.12 stopped")
    found = states_without_root(lines, LIVE, {("203.0.113.10", BRIDGE)})
    assert [state.state for state in found] == ["unknown", "not applied", "waiting"]


def test_what_firewalld_does_not_let_pass_is_blocked() -> None:
    lines = "203.0.113.10 public\n203.0.113.16/29 public\n203.0.113.17 public"
    wanted = {4: ["203.0.113.10", "203.0.113.16/29"], 6: []}
    found = plan(lines, lines)
    for firewalld, reasons in (
        (Firewalld(wanted, wanted, wanted, {}), ["", "", ""]),
        (
            Firewalld(wanted, {4: {"203.0.113.10"}, 6: set()}, wanted, {}),
            ["", *["by firewalld, its gate is not for it; run nethook apply"] * 2],
        ),
        (Firewalld(wanted, {}, {}, {}, "missing"), ["by firewalld, its gate is missing"] * 3),
    ):
        found.openings = [firewalld]
        assert [state.reason for state in line_states(routed(lines), LIVE, found)] == reasons


def test_an_uplink_that_does_not_answer_is_told() -> None:
    text = "203.0.113.10 public proxy=lo\n203.0.113.11 public proxy=lo\n203.0.113.12 public proxy=no-such-uplink"
    lines = routed(text)
    found = plan(text, text)
    for line in (lines[0], lines[2]):
        effect = Effect(ADD, "proxy", prefix=line.prefix.text, to=str(line.proxy), line=line)
        found.steps = [*found.steps, Step(Call(("true",)), [effect])]
    assert [(state.state, state.reason) for state in line_states(lines, LIVE, found)] == [
        ("not applied", "run nethook apply"),
        ("routed", ""),
        ("blocked", "there is no device no-such-uplink, on which the host is to answer"),
    ]


def test_an_uplink_that_does_not_look_at_its_entries_is_told() -> None:
    text = "203.0.113.10 public proxy=lo\n2001:db8::1 public proxy=lo\n2001:db8::2 public"
    found = plan(text, text)
    found.steps = [*found.steps, Step(Call(("true",)), [Effect(ADD, "proxy_ndp", to="lo")])]
    assert [state.state for state in line_states(routed(text), LIVE, found)] == ["routed", "not applied", "routed"]


def test_a_line_of_ipv6_where_the_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nethook.status.line_states.available", lambda: (4,))
    lines = "203.0.113.10 public\n2001:db8::1 public\n2001:db8::2 stopped"
    assert states(lines, "203.0.113.10 public") == [("routed", ""), *[("blocked", "this kernel has no IPv6")] * 2]
