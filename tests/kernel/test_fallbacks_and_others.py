"""Fallback routes beside the routes and routing rules of others: nothing but a default route is ever overruled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.network import WorldNetwork

if TYPE_CHECKING:
    from lab.world.world import World

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "203.0.113.10", 6: "2001:db8:7::10"}
B = {4: "203.0.113.20", 6: "2001:db8:7::20"}
DOWN = WorldNetwork("down", 9, "nat")


@pytest.fixture
def world(nftables_world: World) -> World:
    """None of this depends on libvirt's firewall."""
    return nftables_world


@families
def test_a_full_tunnel_goes_down(world: World, family: int) -> None:
    """``wg-quick down`` deletes each rule that looks into the main table without its default route, whoever made it."""
    public = world.network("public", 1)
    guest = world.guest(public, A[family])
    world.configure(f"{A[family]} public", f"{B[family]} down")
    world.event(public, "started")
    world.event(DOWN, "stopped")
    assert world.exchange(world.outside(family), guest.at(A[family]))
    while "from all lookup main suppress_prefixlength 0" in world.machine.run("ip", f"-{family}", "rule", "show"):
        world.machine.run(*f"ip -{family} rule delete table main suppress_prefixlength 0".split())
    assert world.exchange(world.outside(family), guest.at(A[family]))


@families
def test_a_rule_without_a_priority_still_comes_first(world: World, family: int) -> None:
    """``ip rule add`` gives it 32765. It keeps a guest from what the main table has a route to."""
    public = world.network("public", 1)
    guest = world.guest(public, A[family])
    world.machine.run(*f"ip -{family} rule add from {A[family]} prohibit".split())
    world.configure(f"{A[family]} public", f"{B[family]} down")
    world.event(public, "started")
    assert not world.reaches(guest.at(A[family]), world.outside(family))
    world.event(DOWN, "stopped")
    assert not world.reaches(guest.at(A[family]), world.outside(family))


@families
def test_routes_within_an_inner_one_win(world: World, family: int) -> None:
    """Three prefixes, one in another; the network of the middle one is down."""
    outer, middle, inner, foreign = {
        4: ("203.0.113.0/24", "203.0.113.16/28", "203.0.113.17", "203.0.113.20/30"),
        6: ("2001:db8:7::/48", "2001:db8:7:1::/64", "2001:db8:7:1::17", "2001:db8:7:1:1::/80"),
    }[family]
    other = {4: "203.0.113.21", 6: "2001:db8:7:1:1::1"}[family]
    rest = {4: "203.0.113.30", 6: "2001:db8:7:1::30"}[family]
    public, second, third = (world.network(name, number) for number, name in enumerate(("a", "b", "c"), 1))
    guest = world.guest(public, rest)
    holder = world.guest(second, inner)
    foreigner = world.guest(third, other)
    world.host.ip(f"route add {foreign} dev {third.bridge}")
    world.configure(f"{outer} a", f"{middle} down", f"{inner} b")
    world.event(public, "started")
    world.event(second, "started")
    world.event(DOWN, "stopped")
    assert world.exchange(world.outside(family), holder.at(inner))
    assert world.exchange(world.host_itself(family), foreigner.at(other))
    assert not world.reaches(world.outside(family), guest.at(rest))


def test_a_table_that_strongswan_takes(world: World) -> None:
    """Its routes are in table 220, and with a mark in its rule, what it has encrypted must not see them."""
    public = world.network("public", 1)
    world.host.ip("route add 198.51.100.1 via 192.0.2.10 dev virbr1 onlink table 220")
    world.host.ip("rule add pref 220 not fwmark 0x42 lookup 220")
    world.configure("203.0.113.0/24 public", f"{B[4]} down")
    world.event(public, "started")
    world.event(DOWN, "stopped")
    assert "dev uplink" in world.machine.run("ip", "route", "get", "198.51.100.1", "mark", "0x42")
