"""What status says of each line: out of what libvirt tells and what is still to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.engine.plan import Plan
from nethook.gates.firewalld.gate import Firewalld
from nethook.gates.gate import Chain, ChainOpening, Rule
from nethook.gates.iptables import IptablesGate
from nethook.libvirt import Network, Port, Ports
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.neighbours import PROXIES, Proxy
from nethook.parts.routes import ROUTES, Route
from nethook.parts.switches import PROXY_NDP_SWITCH, SwitchState
from nethook.placement import place
from nethook.placement.scope import Scope
from nethook.placement.vital import Needs
from nethook.status.line_states import line_states, states_without_root
from tests.unit.cases import applied, case, steps
from tests.unit.lines import configuration, routed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.parts.part import Part

BRIDGE = "lo"  # a device that exists everywhere
PUBLIC = Network("public", BRIDGE, "nat")
GONE, MACVTAP = Network("gone", "no-such-bridge", "nat"), Network("macvtap", "", "passthrough")
SCOPE = Scope(known=[PUBLIC, GONE, MACVTAP], down=[Network("stopped", "virbr2", "nat")])


def plan(lines: str, in_force: str, openings: Sequence[ChainOpening] = ()) -> Plan:
    """The plan for these lines, when those ``in_force`` are."""
    made = case(lines, [PUBLIC], applied(case(in_force, [PUBLIC], scope=SCOPE)), SCOPE, openings=openings)
    return Plan(made, openings, steps(made))


def states(lines: str, in_force: str, openings: Sequence[ChainOpening] = ()) -> list[tuple[str, str]]:
    """State and reason of each line."""
    found = line_states(plan(lines, in_force, openings))
    return [(state.state, state.reason) for state in found]


def test_what_is_in_force_is_routed() -> None:
    lines = "203.0.113.10 public\n203.0.113.16/29 public\n203.0.113.17 public\n2001:db8::/64 public"
    assert states(lines, lines) == [("routed", "")] * 4


def test_what_is_not_in_force_is_not_applied() -> None:
    assert states("203.0.113.10 public\n203.0.113.11 public", "203.0.113.10 public") == [
        ("routed", ""),
        ("not applied", "run nethook apply"),
    ]


def guests(*names: str) -> Network:
    """``public`` with exactly these guests."""
    ports = [Port("", f"52:54:00:00:00:0{number}", name) for number, name in enumerate(names, start=1)]
    return Network("public", BRIDGE, "nat", Ports(ports, all_known=True))


@pytest.mark.parametrize(
    ("part", "expected"), [(BINDING, ["not applied", "routed"]), (CLASSIFYING, ["not applied"] * 2)]
)
def test_a_table_concerns_those_lines_that_need_it(part: Part, expected: list[str]) -> None:
    lines, networks = "203.0.113.10 public guest=web1\n203.0.113.11 public", [guests("web1")]
    made = case(lines, networks, {**applied(case(lines, networks)), part: None})
    assert [found.state for found in line_states(Plan(made, [], []))] == expected


def test_a_routed_line_that_is_not_kept_to_its_guest_yet_says_so() -> None:
    lines, networks = "203.0.113.10 public guest=web1\n203.0.113.11 public guest=web1", [guests("web1")]
    there = {**applied(case(lines, networks)), BINDING: None, ROUTES: {Route(("203.0.113.10", BRIDGE, ""))}}
    found = line_states(Plan(case(lines, networks, there), [], []))
    assert [(each.state, each.reason) for each in found] == [
        ("not applied", "routed, but guests other than web1 can use it as well; run nethook apply"),
        ("not applied", "run nethook apply"),
    ]


def test_a_guest_that_is_not_there_and_one_with_two_nics() -> None:
    lines, networks = "203.0.113.10 public guest=web1\n203.0.113.11 public guest=web2", [guests("web2", "web2")]
    found = line_states(Plan(case(lines, networks, applied(case(lines, networks))), [], []))
    assert [(each.state, each.reason) for each in found] == [
        ("waiting", "guest web1 is not plugged in"),
        ("routed", "guest web2 has 2 NICs here: write mac=, one of 52:54:00:00:00:01, 52:54:00:00:00:02"),
    ]


def test_a_prefix_within_another_is_not_applied_before_that_one_is() -> None:
    lines = "203.0.113.0/24 public\n203.0.113.16/29 public"
    inner = line_states(plan(lines, "203.0.113.16/29 public"))[1]
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
    assert [(state.state, state.bridge, state.reason) for state in line_states(found, mistakes)] == [
        ("routed", BRIDGE, "libvirt has no network pubic; it stays as it was"),
        ("waiting", "", "libvirt has no network pubic"),
    ]


def test_a_line_that_the_host_could_not_live_with_is_not_routed() -> None:
    needs = Needs(hops=[("198.51.100.1", "eth0")])
    text = "198.51.100.1 public\n203.0.113.10 public"
    made = case(text, [PUBLIC], applied(case("203.0.113.10 public", [PUBLIC])), needs=needs)
    found = Plan(made, [], steps(made))
    assert [(state.state, state.reason) for state in line_states(found)] == [
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
    files = configuration("203.0.113.10 public\n203.0.113.11 public\n203.0.113.12 stopped")
    placements = place(files.routed_ips, files, [PUBLIC], SCOPE).lines
    found = states_without_root(placements, {("203.0.113.10", BRIDGE)})
    assert [state.state for state in found] == ["unknown", "not applied", "waiting"]


def test_what_firewalld_does_not_let_pass_is_blocked() -> None:
    lines = "203.0.113.10 public\n203.0.113.16/29 public\n203.0.113.17 public"
    wanted = {4: ["203.0.113.10", "203.0.113.16/29"], 6: []}
    found = plan(lines, lines)
    for firewalld, reasons in (
        (Firewalld(wanted, wanted, wanted, {}), ["", "", ""]),
        (
            Firewalld(wanted, {4: {"203.0.113.10"}, 6: set()}, wanted, {}),
            ["", *["by firewalld, its gate is not open for it; run nethook apply"] * 2],
        ),
        (Firewalld(wanted, {}, {}, {}, "missing"), ["by firewalld, its gate is missing"] * 3),
    ):
        found.openings = [firewalld]
        assert [state.reason for state in line_states(found)] == reasons


def test_an_uplink_that_does_not_answer_is_told() -> None:
    lines = "203.0.113.10 public proxy=lo\n203.0.113.11 public proxy=lo\n203.0.113.12 public proxy=no-such-uplink"
    there = applied(case(lines, [PUBLIC]))
    there[PROXIES] = {Proxy(("203.0.113.11", "", "lo"))}
    assert [(state.state, state.reason) for state in line_states(Plan(case(lines, [PUBLIC], there), [], []))] == [
        ("not applied", "run nethook apply"),
        ("routed", ""),
        ("blocked", "there is no device no-such-uplink, on which the host is to answer"),
    ]


def test_an_uplink_that_does_not_look_at_its_entries_is_told() -> None:
    lines = "203.0.113.10 public proxy=lo\n2001:db8::1 public proxy=lo\n2001:db8::2 public"
    there = {**applied(case(lines, [PUBLIC])), PROXY_NDP_SWITCH: SwitchState({}, {"lo"})}
    found = line_states(Plan(case(lines, [PUBLIC], there), [], []))
    assert [state.state for state in found] == ["routed", "not applied", "routed"]


def test_a_line_of_ipv6_where_the_kernel_has_none() -> None:
    lines = "203.0.113.10 public\n2001:db8::1 public\n2001:db8::2 stopped"
    there = applied(case("203.0.113.10 public", [PUBLIC]))
    found = line_states(Plan(case(lines, [PUBLIC], there, families=(4,)), [], []))
    assert [(each.state, each.reason) for each in found] == [
        ("routed", ""),
        *[("blocked", "this kernel has no IPv6")] * 2,
    ]
