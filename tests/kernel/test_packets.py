"""What packets do where more comes together than in the table of what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.network import ISOLATED
from lab.world.world import family_of

if TYPE_CHECKING:
    from lab.world.world import World, WorldGuest

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "203.0.113.10", 6: "2001:db8:7::10"}
B = {4: "203.0.113.20", 6: "2001:db8:7::20"}


def guests_of_all_modes(world: World) -> dict[str, tuple[WorldGuest, dict[int, str]]]:
    """A guest on a network of each mode, with its addresses by family, which no hook has heard of."""
    found = {}
    for number, mode in enumerate(("nat", "route", ISOLATED, "open"), 1):
        addresses = {4: f"203.0.113.{number}", 6: f"2001:db8:7::{number}"}
        found[mode] = world.guest(world.network(mode, number, mode), *addresses.values()), addresses
    return found


def test_before_the_hook_ran_nothing_answers(world: World) -> None:
    for mode, (guest, addresses) in guests_of_all_modes(world).items():
        world.configure(*(f"{address} {mode}" for address in addresses.values()))
        for family, address in addresses.items():
            assert not world.reaches(world.outside(family), guest.at(address)), f"{mode}, IPv{family}"


def test_a_route_alone_is_what_libvirt_rejects(world: World) -> None:
    """So it is the hook's doing, and not the absence of obstacles, that its addresses answer."""
    for mode, (guest, addresses) in guests_of_all_modes(world).items():
        for family, address in addresses.items() if mode != "open" else ():
            world.host.ip(f"route add {address} dev {guest.network.bridge}")
            assert not world.reaches(world.outside(family), guest.at(address)), f"{mode}, IPv{family}"
            assert not world.reaches(guest.at(address), world.outside(family)), f"{mode}, IPv{family}"


def test_the_longer_of_two_nested_prefixes_wins(world: World) -> None:
    outer = {4: "203.0.113.16/29", 6: "2001:db8:7::/64"}
    inner = {4: "203.0.113.18/32", 6: "2001:db8:7::8/125"}
    beside = {4: "203.0.113.17", 6: "2001:db8:7::1"}
    inside = {4: "203.0.113.18", 6: "2001:db8:7::9"}
    third = {4: "203.0.113.30", 6: "2001:db8:7:3::1"}
    a, b, c = (world.network(name, number) for number, name in enumerate("abc", 1))
    guest_a, guest_b, guest_c = (
        world.guest(network, *addresses.values()) for network, addresses in ((a, beside), (b, inside), (c, third))
    )
    lines = {"a": outer, "b": inner, "c": third}
    world.configure(*(f"{prefix} {name}" for name, prefixes in lines.items() for prefix in prefixes.values()))
    for network in (a, b, c):
        world.event(network, "started")
    for family in (4, 6):
        outside = world.outside(family)
        at_a, at_b = guest_a.at(beside[family]), guest_b.at(inside[family])
        assert world.exchange(outside, at_a)
        assert world.exchange(outside, at_b)
        assert world.exchange(at_a, at_b)
        assert world.exchange(at_b, outside)
        for forger, forged in ((guest_a, inside), (guest_b, beside)):
            for destination in (outside, guest_c.at(third[family]), world.host_itself(family)):
                assert not world.reaches(forger.at(forged[family]), destination)


def test_prefixes_of_one_network_nested_in_each_other(world: World) -> None:
    prefixes = (
        *("203.0.113.0/25", "203.0.113.16/29", "203.0.113.18"),
        *("2001:db8:7::/48", "2001:db8:7:1::/64", "2001:db8:7:1::18"),
    )
    addresses = (
        *("203.0.113.1", "203.0.113.17", "203.0.113.18"),
        *("2001:db8:7::1", "2001:db8:7:1::1", "2001:db8:7:1::18"),
    )
    public = world.network("public", 1)
    guest = world.guest(public, *addresses)
    world.configure(*(f"{prefix} public" for prefix in prefixes))
    assert not [line for line in world.event(public, "started") if line.is_error]
    for address in addresses:
        outside = world.outside(family_of(address))
        assert world.exchange(outside, guest.at(address))
        assert world.exchange(guest.at(address), outside) == address


def test_the_mark_bit_set_by_somebody_else_opens_nothing(world: World) -> None:
    world.machine.nft(
        "add table inet somebody",
        "add chain inet somebody before { type filter hook prerouting priority mangle; }",
        "add rule inet somebody before meta mark set 0xffffffff",
    )
    public, private = world.network("public", 1), world.network("private", 2)
    guest, other = world.guest(public, *A.values()), world.guest(private, *B.values())
    world.configure(*(f"{address} public" for address in A.values()))
    for network in (public, private):
        world.event(network, "started")
    for family in (4, 6):
        outside = world.outside(family)
        world.machine.run("ip", "route", "add", B[family], "dev", "virbr2")
        assert world.exchange(outside, guest.at(A[family]))
        for source, destination in (
            (outside, other.at(B[family])),
            (other.at(B[family]), outside),
            (outside, guest.private(family)),
            (guest.at(A[family]), other.private(family)),
        ):
            assert not world.reaches(source, destination)


def test_the_other_bits_of_a_mark_pass_unchanged_and_ours_does_not_stay(world: World) -> None:
    world.machine.nft(
        "add table inet somebody",
        "add chain inet somebody before { type filter hook prerouting priority mangle; }",
        "add rule inet somebody before meta mark set 0x12345600",
        "add chain inet somebody after { type filter hook postrouting priority mangle; }",
        'add rule inet somebody after iifname "uplink" meta l4proto udp meta mark != 0x12345600 drop',
    )
    public = world.network("public", 1)
    guest = world.guest(public, *A.values())
    world.configure(*(f"{address} public" for address in A.values()))
    world.event(public, "started")
    for family in (4, 6):
        assert world.exchange(world.outside(family), guest.at(A[family]))


def test_an_address_whose_network_is_down_goes_nowhere(world: World) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, *A.values())
    world.configure(*(f"{address} public" for address in A.values()))
    world.event(public, "started")
    for family in (4, 6):
        assert world.exchange(world.outside(family), guest.at(A[family]))
    world.event(public, "stopped")  # libvirt tells while the bridge is still there
    for family in (4, 6):
        assert not world.reaches(world.outside(family), guest.at(A[family]))
        assert not world.reaches(guest.at(A[family]), world.outside(family))


def test_a_network_stopped_and_started_again(world: World) -> None:
    world.configure(*(f"{address} public" for address in A.values()))
    for _ in range(2):
        public = world.network("public", 1)
        for operation in ("start", "started"):
            world.event(public, operation)
        guest = world.guest(public, *A.values())
        world.event(public, "port-created")
        for family in (4, 6):
            assert world.exchange(world.outside(family), guest.at(A[family]))
            assert world.exchange(guest.at(A[family]), world.outside(family))
        world.destroy(public)
        world.event(public, "stopped")


@families
def test_a_line_moved_to_another_network(world: World, family: int) -> None:
    public, private = world.network("public", 1), world.network("private", 2, ISOLATED)
    here, there = world.guest(public, A[family]), world.guest(private, A[family])
    world.configure(f"{A[family]} public")
    for network in (public, private):
        world.event(network, "started")
    assert world.exchange(world.outside(family), here.at(A[family]))
    world.configure(f"{A[family]} private")
    world.event(private, "port-created")
    assert world.exchange(world.outside(family), there.at(A[family]))
    assert not world.reaches(here.at(A[family]), world.outside(family))
    gone = [line.text.split()[:2] for line in world.event(public, "port-created")]
    assert gone == [["-", "gateway"], *([["+", "arp"]] if family == 4 else [])]
    assert world.exchange(world.outside(family), there.at(A[family]))
