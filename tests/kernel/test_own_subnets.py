"""Prefixes as people divide them: a network's own subnet in them, addresses of them elsewhere, the smallest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.world import family_of

if TYPE_CHECKING:
    from lab.world.world import World

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])


@families
def test_a_prefix_around_the_networks_own_subnet(world: World, family: int) -> None:
    """In route mode, with the first half for guests by libvirt's own means, and all of it by a line."""
    prefix, own, inside, beyond = {
        4: ("203.0.113.64/28", "203.0.113.65/29", "203.0.113.66", "203.0.113.77"),
        6: ("2001:db8:7::/48", "2001:db8:7::1/64", "2001:db8:7::2", "2001:db8:7:5::2"),
    }[family]
    public = world.network("public", 1, "route")
    world.host.ip(f"address add {own} dev virbr1")
    guest = world.guest(public, inside, beyond)
    world.configure(f"{prefix} public")
    assert not [line for line in world.event(public, "started") if line.is_error]
    for address in (inside, beyond):
        assert world.exchange(world.outside(family), guest.at(address))
        assert world.exchange(guest.at(address), world.outside(family)) == address


@families
def test_exactly_the_networks_own_subnet(world: World, family: int) -> None:
    """libvirt's route is there already; what is lacking is only the opening."""
    public = world.network("public", 1, "route")
    subnet = public.ipv4 if family == 4 else public.ipv6
    guest = world.guest(public)
    world.configure(f"{subnet} public")
    assert not [line for line in world.event(public, "started") if line.is_error]
    assert world.exchange(world.outside(family), guest.private(family))
    assert world.exchange(guest.private(family), world.outside(family))
    route = world.machine.run("ip", f"-{family}", "route", "show", "exact", subnet)
    assert "unreachable" not in route


@families
def test_single_addresses_of_a_prefix_elsewhere(world: World, family: int) -> None:
    prefix, first, second, rest = {
        4: ("203.0.113.16/29", "203.0.113.16", "203.0.113.23", "203.0.113.20"),
        6: ("2001:db8:7::/64", "2001:db8:7::", "2001:db8:7::ffff", "2001:db8:7::20"),
    }[family]
    here, there = world.network("here", 1), world.network("there", 2, "route")
    guest_here, guest_there = world.guest(here, rest), world.guest(there, first, second)
    world.configure(f"{prefix} here", f"{first} there", f"{second} there")
    for network in (here, there):
        world.event(network, "started")
    outside = world.outside(family)
    for guest, address in ((guest_here, rest), (guest_there, first), (guest_there, second)):
        assert world.exchange(outside, guest.at(address))
        assert world.exchange(guest.at(address), outside) == address
    assert world.exchange(guest_here.at(rest), guest_there.at(first))


def test_the_first_and_the_last_address_are_addresses_like_others(world: World) -> None:
    """Of prefixes point to point, and of blocks."""
    prefixes = {
        "203.0.113.30/31": ("203.0.113.30", "203.0.113.31"),
        "203.0.112.0/24": ("203.0.112.0", "203.0.112.255"),
        "2001:db8:7:1::30/127": ("2001:db8:7:1::30", "2001:db8:7:1::31"),
        "2001:db8:7::/64": ("2001:db8:7::", "2001:db8:7:0:ffff:ffff:ffff:ffff"),
    }
    members = [address for each in prefixes.values() for address in each]
    public = world.network("public", 1)
    guest = world.guest(public, *members)
    world.configure(*(f"{prefix} public" for prefix in prefixes))
    world.event(public, "started")
    for address in members:
        outside = world.outside(family_of(address))
        assert world.exchange(outside, guest.at(address))
        assert world.exchange(guest.at(address), outside) == address
