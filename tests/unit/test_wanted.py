"""Lines and networks → what each part wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.config.settings import Settings
from nethook.libvirt import Network
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.fallbacks import FALLBACKS
from nethook.parts.gateways import GATEWAYS, Gateway
from nethook.parts.neighbours import PROXIES, Proxy
from nethook.parts.routes import ROUTES, Route
from nethook.parts.switches import IPV6, SwitchState
from nethook.placement import in_doubt
from nethook.placement.scope import Scope, scope_of
from nethook.prefix import Prefix, outermost
from tests.unit.cases import case, elements, empty
from tests.unit.lines import configuration, routed

PUBLIC = Network("public", "virbr1", "nat")
LINES = """
203.0.113.10     public
203.0.113.16/29  public
2001:db8:7::/64  public
203.0.113.20     other
"""


def test_an_address_of_a_network_that_is_up_is_routed_and_accepted_both_ways() -> None:
    made = case("203.0.113.10 public", [PUBLIC])
    assert list(made.wanted(ROUTES).keys) == [("203.0.113.10", "virbr1", "")]
    found = elements(made)
    assert found["to4"] == {("virbr1", "203.0.113.10")}
    assert found["from4"] == {("virbr1", "203.0.113.10")}
    assert found["bridges"] == {("virbr1",)}
    assert found["isolated"] == set()


def test_prefixes_go_into_sets_of_their_own_and_families_too() -> None:
    found = elements(case(LINES, [PUBLIC]))
    assert found["to4"] == {("virbr1", "203.0.113.10")}
    assert found["to4_prefixes"] == {("virbr1", "203.0.113.16/29")}
    assert found["to6_prefixes"] == {("virbr1", "2001:db8:7::/64")}
    assert found["to6"] == set()


def test_lines_of_networks_that_are_down_are_guarded_against_forgery_only() -> None:
    made = case(LINES, [])
    assert made.wanted(ROUTES).keys == {}
    found = elements(made)
    assert found["routed4"] == {("203.0.113.10",), ("203.0.113.20",)}
    assert not any(members for name, members in found.items() if CLASSIFYING.sets[name].role != "routed")


def test_an_isolated_network_is_known_as_isolated() -> None:
    found = elements(case("", [Network("lonely", "virbr9", "")]))
    assert found["bridges"] == found["isolated"] == {("virbr9",)}


def test_a_bridge_of_the_hosts_own_may_have_the_uplink_and_is_none_of_libvirts() -> None:
    made = case("203.0.113.10 public", [Network("public", "br0", "bridge")])
    assert made.wanted(ROUTES).keys.keys() == {("203.0.113.10", "br0", "")}
    assert elements(made)["bridges"] == set()


def test_a_prefix_within_a_prefix_of_the_same_network_has_a_route_but_no_element_of_its_own() -> None:
    made = case("203.0.113.0/24 public\n203.0.113.16/29 public", [PUBLIC])
    assert made.wanted(ROUTES).keys.keys() == {("203.0.113.0/24", "virbr1", ""), ("203.0.113.16/29", "virbr1", "")}
    assert elements(made)["to4_prefixes"] == {("virbr1", "203.0.113.0/24")}


def test_a_prefix_within_a_prefix_of_another_network_is_accepted_on_its_own_bridge() -> None:
    networks = [PUBLIC, Network("other", "virbr2", "route")]
    found = elements(case("203.0.113.0/24 public\n203.0.113.16/29 other", networks))
    assert found["to4_prefixes"] == {("virbr1", "203.0.113.0/24"), ("virbr2", "203.0.113.16/29")}
    assert found["routed4_prefixes"] == {("203.0.113.0/24",)}


@st.composite
def blocks(draw: st.DrawFn) -> Prefix:
    """Prefixes close enough to each other to overlap often."""
    family = draw(st.sampled_from((4, 6)))
    free = draw(st.integers(0, 8))
    first = draw(st.integers(0, 255)) >> free << free
    return Prefix(family, first, (32 if family == 4 else 128) - free)


@given(st.lists(blocks()))
def test_outermost_covers_every_prefix_and_overlaps_nowhere(prefixes: list[Prefix]) -> None:
    chosen = [prefix for prefix in outermost(prefixes) if not prefix.is_address]

    def inside(inner: Prefix, outer: Prefix) -> bool:
        return inner.family == outer.family and outer.first <= inner.first and inner.last <= outer.last

    for prefix in prefixes:
        if not prefix.is_address:
            assert sum(inside(prefix, block) for block in chosen) == 1


def test_routes_of_other_networks_are_accepted_again_where_they_are() -> None:
    """When somebody has deleted our table."""
    lost = {Route(("203.0.113.20", "virbr2", "")), Route(("203.0.113.32/28", "virbr2", ""))}
    made = case(LINES, [PUBLIC], {**empty(), ROUTES: lost}, Scope({"virbr1": ()}, {"public"}, [PUBLIC]))
    found = elements(made)
    assert found["from4"] == {("virbr1", "203.0.113.10"), ("virbr2", "203.0.113.20")}
    assert ("virbr2", "203.0.113.32/28") in found["to4_prefixes"]
    assert all(route.device == "virbr1" for route in made.wanted(ROUTES).keys)


def test_what_is_guarded_cannot_be_forged_though_no_line_names_it() -> None:
    """The route stays because a wrong line is about it, on a bridge that has gone."""
    states = {**empty(), ROUTES: {Route(("203.0.113.10", "virbr7", ""))}}
    found = elements(case("203.0.113.10 public colour=blue", [], states))
    assert found["routed4"] == {("203.0.113.10",)}
    assert found["to4"] == set()


PRESENT = {
    Route((f"203.0.113.{last}", bridge, "")) for last, bridge in ((10, "virbr1"), (11, "virbr1"), (20, "virbr2"))
}


def test_a_wrong_line_puts_its_own_address_in_doubt() -> None:
    wrong = configuration("203.0.113.10 public colour=blue\n203.0.113.12 public")
    assert list(in_doubt(PRESENT, wrong, wrong.in_doubt)) == [("203.0.113.10", "virbr1", "")]


def test_an_address_that_cannot_be_read_may_be_any() -> None:
    wrong = configuration("203.0.113.1O public\n203.0.113.11 public")
    found = in_doubt(PRESENT, wrong, wrong.in_doubt)
    assert list(found) == [("203.0.113.10", "virbr1", ""), ("203.0.113.20", "virbr2", "")]


def test_without_a_wrong_line_nothing_is_in_doubt() -> None:
    right = configuration("203.0.113.11 public")
    assert in_doubt(PRESENT, right, right.in_doubt) == {}


def test_each_line_has_a_fallback() -> None:
    wanted = case(LINES, []).wanted(FALLBACKS)
    assert list(wanted.keys) == [(line.prefix.text, "", "") for line in routed(LINES)]
    assert not wanted.stay


def test_fallbacks_of_other_networks_stay_as_they_are() -> None:
    wanted = case(LINES, [PUBLIC], scope=scope_of([PUBLIC], routed(LINES))).wanted(FALLBACKS)
    assert ("203.0.113.20", "", "") not in wanted.keys
    assert wanted.stay == {("203.0.113.20", "", "")}


def test_gateways_are_on_bridges_of_libvirts_with_addresses_of_the_family() -> None:
    brought = Network("other", "br0", "bridge")
    made = case(LINES, [PUBLIC, brought], settings=Settings(gateway4="10.0.0.1"))
    assert list(made.wanted(GATEWAYS).keys) == [("10.0.0.1", "virbr1", ""), ("fe80::1", "virbr1", "noprefixroute")]


def test_a_bridge_with_ipv6_by_our_doing_needs_the_route_of_its_gateway() -> None:
    for state in (SwitchState({"virbr1": {"disable_ipv6": "1"}}, ()), SwitchState({}, {"virbr1"})):
        made = case("2001:db8::1 public", [PUBLIC], {**empty(), IPV6: state}, settings=Settings(gateway4=None))
        assert list(made.wanted(GATEWAYS).keys) == [("fe80::1", "virbr1", "")]


def test_proxies_are_for_what_is_routed() -> None:
    lines = "203.0.113.8/31 public proxy=eth0\n203.0.113.20 other proxy=eth0\n203.0.113.30 public"
    scope = scope_of([PUBLIC], routed(lines))
    wanted = case(lines, [PUBLIC], scope=scope).wanted(PROXIES)
    assert list(wanted.keys) == [("203.0.113.8", "", "eth0"), ("203.0.113.9", "", "eth0")]
    assert case(lines, [], scope=scope).wanted(PROXIES).keys == {}


def test_proxies_of_lines_that_are_not_decided_about_stay() -> None:
    """Whatever these lines say now, and whichever line is around: the longest one counts."""
    lines = "203.0.113.8/29 public\n203.0.113.9 other\n203.0.113.0/24 other\n203.0.113.20 public guest=web1"
    there = {Proxy((f"203.0.113.{number}", "", "eth0")) for number in (8, 9, 20, 30)}
    states = {**empty(), PROXIES: there, ROUTES: {Route(("203.0.113.20", "virbr1", ""))}}
    wanted = case(lines, [PUBLIC], states, scope_of([PUBLIC], routed(lines))).wanted(PROXIES)
    assert wanted.stay == {(f"203.0.113.{number}", "", "eth0") for number in (9, 20, 30)}


@pytest.mark.parametrize(
    ("bridge", "label"),
    [
        ("virbr1", " label virbr1:nethook"),
        ("twelve-chars", " label twelve-chars:ne"),
        ("fourteen-chars", " label fourteen-chars:"),
        ("fifteen-chars-x", ""),
    ],
)
def test_a_gateway_has_a_label_that_is_not_its_bridges_name(bridge: str, label: str) -> None:
    """Or dnsmasq would take it for an address of the network."""
    line = GATEWAYS.add(Gateway(("169.254.0.1", bridge, "")), 218)
    assert line == f"address add 169.254.0.1/32 dev {bridge} metric 218{label}"
