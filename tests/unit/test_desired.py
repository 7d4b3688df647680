"""Configuration and networks → desired state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nethook.config.settings import Settings
from nethook.engine.desired.fallbacks import desire_fallbacks
from nethook.engine.desired.gateways import desire_gateways
from nethook.engine.desired.proxies import desire_proxies
from nethook.libvirt.network import Network
from nethook.net.prefix import Prefix
from nethook.net.prefixes import outermost
from nethook.parts.fallbacks import FALLBACKS
from nethook.parts.gateways import GATEWAYS
from nethook.parts.proxies import PROXIES
from nethook.placement.doubt import in_doubt
from nethook.placement.scope import Scope, scope_of
from tests.unit.lines import configuration, desired_by, routed

PUBLIC = Network("public", "virbr1", "nat")
LINES = """
203.0.113.10     public
203.0.113.16/29  public
2001:db8:7::/64  public
203.0.113.20     other
"""


def test_an_address_of_a_network_that_is_up_is_routed_and_accepted_both_ways() -> None:
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    assert list(desired.routes) == [("203.0.113.10", "virbr1", "")]
    assert desired.elements["to4"] == {("virbr1", "203.0.113.10")}
    assert desired.elements["from4"] == {("virbr1", "203.0.113.10")}
    assert desired.elements["bridges"] == {("virbr1",)}
    assert desired.elements["isolated"] == set()


def test_prefixes_go_into_sets_of_their_own_and_families_too() -> None:
    elements = desired_by(routed(LINES), [PUBLIC]).elements
    assert elements["to4"] == {("virbr1", "203.0.113.10")}
    assert elements["to4_prefixes"] == {("virbr1", "203.0.113.16/29")}
    assert elements["to6_prefixes"] == {("virbr1", "2001:db8:7::/64")}
    assert elements["to6"] == set()


def test_lines_of_networks_that_are_down_are_guarded_against_forgery_only() -> None:
    desired = desired_by(routed(LINES), [])
    assert desired.routes == {}
    assert desired.elements["routed4"] == {("203.0.113.10",), ("203.0.113.20",)}
    assert not any(members for name, members in desired.elements.items() if not name.startswith("routed"))


def test_an_isolated_network_is_known_as_isolated() -> None:
    desired = desired_by([], [Network("lonely", "virbr9", "")])
    assert desired.elements["bridges"] == desired.elements["isolated"] == {("virbr9",)}


def test_a_bridge_of_the_hosts_own_may_have_the_uplink_and_is_none_of_libvirts() -> None:
    desired = desired_by(routed("203.0.113.10 public"), [Network("public", "br0", "bridge")])
    assert desired.routes.keys() == {("203.0.113.10", "br0", "")}
    assert desired.elements["bridges"] == set()


def test_a_prefix_within_a_prefix_of_the_same_network_has_a_route_but_no_element_of_its_own() -> None:
    desired = desired_by(routed("203.0.113.0/24 public\n203.0.113.16/29 public"), [PUBLIC])
    assert desired.routes.keys() == {("203.0.113.0/24", "virbr1", ""), ("203.0.113.16/29", "virbr1", "")}
    assert desired.elements["to4_prefixes"] == {("virbr1", "203.0.113.0/24")}


def test_a_prefix_within_a_prefix_of_another_network_is_accepted_on_its_own_bridge() -> None:
    networks = [PUBLIC, Network("other", "virbr2", "route")]
    desired = desired_by(routed("203.0.113.0/24 public\n203.0.113.16/29 other"), networks)
    assert desired.elements["to4_prefixes"] == {("virbr1", "203.0.113.0/24"), ("virbr2", "203.0.113.16/29")}
    assert desired.elements["routed4_prefixes"] == {("203.0.113.0/24",)}


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
    lost = [("203.0.113.20", "virbr2", ""), ("203.0.113.32/28", "virbr2", "")]
    desired = desired_by(routed(LINES), [PUBLIC], kept=lost)
    assert desired.elements["from4"] == {("virbr1", "203.0.113.10"), ("virbr2", "203.0.113.20")}
    assert ("virbr2", "203.0.113.32/28") in desired.elements["to4_prefixes"]
    assert all(bridge == "virbr1" for _, bridge, _ in desired.routes)


def test_what_is_guarded_cannot_be_forged_though_no_line_names_it() -> None:
    desired = desired_by([], [], guarded=[Prefix(4, 0xCB00710A, 32)])
    assert desired.elements["routed4"] == {("203.0.113.10",)}
    assert desired.elements["to4"] == set()


PRESENT = {("203.0.113.10", "virbr1", ""), ("203.0.113.11", "virbr1", ""), ("203.0.113.20", "virbr2", "")}


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
    lines = routed(LINES)
    desired = desired_by(lines, [])
    desire_fallbacks(desired, lines, Scope())
    assert list(desired.objects[FALLBACKS]) == [(line.prefix.text, "") for line in lines]
    assert not desired.kept[FALLBACKS]


def test_fallbacks_of_other_networks_stay_as_they_are() -> None:
    lines = routed(LINES)
    desired = desired_by(lines, [])
    desire_fallbacks(desired, lines, scope_of([PUBLIC], lines))
    assert ("203.0.113.20", "") not in desired.objects[FALLBACKS]
    assert desired.kept[FALLBACKS] == {("203.0.113.20", "")}


def test_gateways_are_on_bridges_of_libvirts_with_addresses_of_the_family() -> None:
    brought = Network("other", "br0", "bridge")
    desired = desired_by(routed(LINES), [PUBLIC, brought])
    desire_gateways(desired, Settings(gateway4="10.0.0.1"), ())
    assert list(desired.objects[GATEWAYS]) == [("10.0.0.1", "virbr1", ""), ("fe80::1", "virbr1", "noprefixroute")]


def test_a_bridge_with_ipv6_by_our_doing_needs_the_route_of_its_gateway() -> None:
    for opened, ipv6 in ((["virbr1"], {}), ([], {"virbr1": {"disable_ipv6": "0"}})):
        desired = desired_by(routed("2001:db8::1 public"), [PUBLIC])
        desired.ipv6.update(ipv6)
        desire_gateways(desired, Settings(gateway4=None), opened)
        assert list(desired.objects[GATEWAYS]) == [("fe80::1", "virbr1", "")]


def test_proxies_are_for_what_is_routed() -> None:
    lines = routed("203.0.113.8/31 public proxy=eth0\n203.0.113.20 other proxy=eth0\n203.0.113.30 public")
    desired = desired_by(lines, [PUBLIC])
    desire_proxies(desired, lines, scope_of([PUBLIC], lines), set())
    assert list(desired.objects[PROXIES]) == [("203.0.113.8", "", "eth0"), ("203.0.113.9", "", "eth0")]
    down = desired_by(lines, [])
    desire_proxies(down, lines, scope_of([PUBLIC], lines), set())
    assert down.objects[PROXIES] == {}


def test_proxies_of_lines_that_are_not_decided_about_stay() -> None:
    """Whatever these lines say now, and whichever line is around: the longest one counts."""
    lines = routed("203.0.113.8/29 public\n203.0.113.9 other\n203.0.113.0/24 other\n203.0.113.20 public guest=web1")
    there = {(f"203.0.113.{number}", "", "eth0") for number in (8, 9, 20, 30)}
    desired = desired_by(lines, [PUBLIC], kept=[("203.0.113.20", "virbr1", "")])
    desire_proxies(desired, lines, scope_of([PUBLIC], lines), there)
    assert desired.kept[PROXIES] == {(f"203.0.113.{number}", "", "eth0") for number in (9, 20, 30)}
