"""Fallback routes: an address whose network is down gets one ICMP error back, and no network is kept from starting."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.kernel.network import Network
from tests.kernel.world import family_of

if TYPE_CHECKING:
    from tests.kernel.world import World

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "203.0.113.10", 6: "2001:db8:7::10"}
B = {4: "203.0.113.20", 6: "2001:db8:7::20"}
BLOCK = {4: ("203.0.113.16/29", "203.0.113.17"), 6: ("2001:db8:7:1::/64", "2001:db8:7:1::1")}
ETH_P_ALL = 3
UDP = 17
PROTOCOL_OFFSET = {4: 9, 6: 6}


@pytest.fixture
def world(nftables_world: World) -> World:
    """None of this depends on libvirt's firewall. The outside forwards, as a provider's router does."""
    for family in ("ipv4", "ipv6"):
        nftables_world.outside(4).namespace.sysctl(f"{family}/conf/all/forwarding", 1)
    return nftables_world


def fallbacks(world: World) -> set[str]:
    """The prefixes that have a fallback route."""
    lines = "".join(world.machine.run("ip", family, "route", "show", "proto", "218") for family in ("-4", "-6"))
    return {line.split()[1] for line in lines.splitlines() if line.startswith("unreachable")}


def seen_at_the_provider(world: World, address: str) -> tuple[int, int]:
    """How often a packet to this address goes over the line to the host, and how many errors come back."""
    family = family_of(address)
    token = f"to {address} ".encode()
    outside = world.outside(family)
    version = socket.AF_INET if family == 4 else socket.AF_INET6
    with outside.namespace.entered():
        line = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        sender = socket.socket(version, socket.SOCK_DGRAM)
    with line, sender:
        line.bind(("eth0", ETH_P_ALL))
        sender.sendto(token, (address, 9))
        assert world.exchange(outside, world.host_itself(family))  # behind it: what it causes has come by then
        line.setblocking(False)
        packets = errors = 0
        while True:
            try:
                data = line.recv(65536)
            except BlockingIOError:
                return packets, errors
            if token in data:
                is_packet = data[PROTOCOL_OFFSET[family]] == UDP
                packets += is_packet
                errors += not is_packet


@families
def test_a_down_address_is_answered_once(world: World, family: int) -> None:
    public = world.network("public", 1)
    block, member = BLOCK[family]
    world.configure(f"{A[family]} public", f"{block} public")
    world.event(public, "started")
    world.destroy(public)
    world.event(public, "stopped")
    for address in (A[family], member):
        assert seen_at_the_provider(world, address) == (1, 1)


@families
def test_without_one_it_would_loop(world: World, family: int) -> None:
    packets, _ = seen_at_the_provider(world, A[family])
    assert packets > 1  # IPv4: the provider takes it for forged when it comes back, as it has sent it itself


@families
def test_an_address_within_a_block_that_is_up_does_not_go_there(world: World, family: int) -> None:
    block, member = BLOCK[family]
    public, other = world.network("public", 1), Network("other", 2, "nat")
    guest = world.guest(public, member)
    world.configure(f"{block} public", f"{member} other")
    world.event(public, "started")
    assert world.exchange(world.outside(family), guest.at(member))
    world.event(other, "start")
    assert fallbacks(world) == {block, member}
    assert not world.reaches(world.outside(family), guest.at(member))


def test_they_come_and_go_with_their_lines(world: World) -> None:
    public, other = world.network("public", 1), world.network("other", 2)
    world.configure(f"{A[4]} public", f"{A[6]} public", f"{B[4]} other")
    logged = world.event(public, "start")
    text = f"+ fallback route {A[4]} (public), /etc/nethook/routed-ips:1 [network public start]"
    assert text in [line.text for line in logged]
    assert fallbacks(world) == {A[4], A[6]}
    world.event(other, "started")
    assert fallbacks(world) == {A[4], A[6], B[4]}
    assert world.event(public, "start") == []
    world.configure(f"{A[4]} public")
    world.event(public, "start")
    assert fallbacks(world) == {A[4]}


def test_a_wrong_line_keeps_its_own(world: World) -> None:
    public = world.network("public", 1)
    world.configure(f"{A[4]} public", f"{B[4]} public")
    world.event(public, "start")
    world.configure(f"{A[4]} public gest=web1")
    world.event(public, "start")
    assert fallbacks(world) == {A[4]}


def test_an_unreachable_route_of_somebody_else_stays(world: World) -> None:
    public = world.network("public", 1)
    theirs = [f"unreachable {A[4]} metric 4294967295 proto static", f"unreachable {B[4]} metric 7 proto 218"]
    world.host.ip(*(f"route add {route}" for route in theirs))
    world.configure(f"{A[4]} public")
    assert not [line for line in world.event(public, "started") if line.is_error]
    world.configure("# nothing")
    world.event(public, "stopped")
    listed = world.machine.run("ip", "route", "show", "type", "unreachable")
    assert f"unreachable {A[4]} proto static" in listed
    assert f"unreachable {B[4]} proto 218" in listed


@families
def test_none_for_a_networks_own_subnet(world: World, family: int) -> None:
    """libvirt refuses to start a network while there is a route to exactly its subnet."""
    network = Network("public", 1, "route")
    subnet = network.ipv4 if family == 4 else network.ipv6
    other = world.network("other", 2)
    world.configure(f"{subnet} other", f"{A[family]} public")
    world.event(other, "started")
    assert subnet in fallbacks(world)  # its own network is all that this event tells of
    world.event(network, "start")
    assert fallbacks(world) == {A[family]}
    world.event(network, "stopped")
    assert fallbacks(world) == {A[family]}
