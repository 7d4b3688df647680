"""Fallback routes: an address whose network is down gets one ICMP error back, and no network is kept from starting."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lab.world.network import WorldNetwork
from lab.world.world import family_of

if TYPE_CHECKING:
    from lab.world.world import World

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
    listed = world.machine.run("ip", "route", "show", "table", "all", "proto", "218").splitlines()
    return {line.split()[1] for line in listed if line.startswith("unreachable") and " table 218000" in line}


def rules(world: World, family: int) -> list[str]:
    """The routing rules that lead to them."""
    return [line for line in world.machine.run("ip", f"-{family}", "rule").splitlines() if "proto 218" in line]


def in_libvirts_way(world: World) -> set[str]:
    """What libvirt compares with the subnets and routes of a network before it starts: all but the default route.

    Source: networkCheckRouteCollision in libvirt's bridge_driver_linux.c, which reads /proc/net/route.
    """
    listed = world.machine.run("cat", "/proc/net/route").splitlines()[1:]
    found = set()
    for line in listed:
        _, destination, _, _, _, _, _, mask = line.split()[:8]
        address = socket.inet_ntoa(int(destination, 16).to_bytes(4, "little"))
        found.add(f"{address}/{bin(int(mask, 16)).count('1')}")
    return found - {"0.0.0.0/0"}


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
    public, other = world.network("public", 1), WorldNetwork("other", 2, "nat")
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
    theirs = [
        f"unreachable {A[4]} metric 4294967295 proto static",
        f"unreachable {B[4]} metric 7 proto 218",
        f"unreachable {A[4]} table 218000 metric 9 proto static",
    ]
    for route in theirs:  # each by itself: in a batch, ip 6.1 gives one route's protocol to the next
        world.host.ip(f"route add {route}")
    world.configure(f"{A[4]} public")
    assert not [line for line in world.event(public, "started") if line.is_error]
    world.configure("# nothing")
    world.event(public, "stopped")
    listed = world.machine.run("ip", "route", "show", "type", "unreachable")
    assert f"unreachable {A[4]} proto static" in listed
    assert f"unreachable {B[4]} proto 218" in listed
    assert "proto static" in world.machine.run("ip", "route", "show", "table", "218000")


@families
def test_the_rules_are_there_only_while_something_leads_nowhere(world: World, family: int) -> None:
    public, other = world.network("public", 1, "route"), WorldNetwork("other", 2, "nat")
    own = public.ipv4 if family == 4 else public.ipv6
    world.configure(f"{A[family]} public", f"{own} public", f"{B[family]} other")
    world.event(public, "started")
    assert rules(world, family) == []
    world.event(other, "stopped")
    assert len(rules(world, family)) == 2
    assert rules(world, 10 - family) == []
    world.network("other", 2)
    world.event(other, "started")
    assert rules(world, family) == []
    world.destroy(other)
    logged = world.event(other, "stopped")
    assert len(rules(world, family)) == 2
    assert not [line for line in logged if line.is_error]
    assert world.event(other, "stopped") == []
    assert seen_at_the_provider(world, B[family]) == (1, 1)
    world.configure(f"{A[family]} public", f"{own} public")
    world.event(other, "start")
    assert rules(world, family) == []


def test_rules_of_others_stay(world: World) -> None:
    """Also those of a full tunnel, which are next to ours."""
    public = world.network("public", 1)
    theirs = [
        "add not fwmark 0xca6c lookup 51820",
        "add lookup main suppress_prefixlength 0",
        "add pref 32765 from 192.0.2.200 lookup 218000",
        "add pref 5270 lookup 52",
    ]
    world.host.ip(*(f"rule {rule}" for rule in theirs))
    before = world.machine.run("ip", "rule")
    world.configure(f"{A[4]} public")
    world.event(public, "start")
    assert len(rules(world, 4)) == 2
    world.event(public, "started")
    assert world.machine.run("ip", "rule") == before
    world.event(public, "stopped")
    assert len(rules(world, 4)) == 2
    world.nethook("clear", "--yes")
    assert world.machine.run("ip", "rule") == before


@families
def test_a_route_of_somebody_else_wins(world: World, family: int) -> None:
    """Whatever its length: a fallback route is only for what would go out by the default route."""
    public = world.network("public", 1)
    elsewhere = world.network("elsewhere", 2)
    guest = world.guest(elsewhere, A[family], B[family])
    around = {4: "203.0.113.0/27", 6: "2001:db8:7::/120"}[family]
    world.host.ip(f"route add {around} dev {elsewhere.bridge}")
    world.configure(f"{A[family]} public", f"{B[family]} public")
    world.event(public, "start")
    assert fallbacks(world) == {A[family], B[family]}
    assert world.exchange(world.host_itself(family), guest.at(A[family]))
    assert world.exchange(world.host_itself(family), guest.at(B[family]))


def test_those_of_a_release_before_are_replaced(world: World) -> None:
    public = world.network("public", 1)
    world.host.ip(f"route add unreachable {A[4]} proto 218 metric 4294967295")
    world.host.ip(f"route add unreachable {A[6]} proto 218 metric 4294967295")
    world.configure(f"{A[4]} public", f"{A[6]} public")
    world.event(public, "start")
    assert "metric 4294967295" not in world.machine.run("ip", "route", "show", "table", "all", "proto", "218")
    assert fallbacks(world) == {A[4], A[6]}


@pytest.mark.parametrize(
    "line", ["203.0.113.64/29 public", "203.0.113.64/29 other", "203.0.113.70 public via=192.0.2.10"]
)
def test_nothing_of_ours_keeps_a_network_from_starting(world: World, line: str) -> None:
    """Whichever network has it as its subnet or route, whether or not nethook knows of it, and with the hook gone."""
    other = world.network("other", 2)
    world.configure(line)
    for operation in ("start", "started", "stopped"):
        world.event(WorldNetwork("public", 1, "nat"), operation)
        assert not in_libvirts_way(world) & {"203.0.113.64/29", "203.0.113.70/32"}
    world.event(other, "stopped")
    assert not in_libvirts_way(world) & {"203.0.113.64/29", "203.0.113.70/32"}


ROUTE = "<route family='ipv4' address='203.0.113.70' prefix='32' gateway='192.0.2.26'/>"


@pytest.mark.parametrize("inside", ["<ip address='203.0.113.65' prefix='29'/>", ROUTE])
def test_the_start_event_takes_what_is_in_its_way(world: World, inside: str) -> None:
    """A route of ours for another network, which runs: before libvirt looks, it has to go."""
    public = world.network("public", 1)
    world.configure("203.0.113.64/29 public", "203.0.113.70 public", "203.0.113.71 public")
    world.event(public, "started")
    late = WorldNetwork("late", 3, "nat")
    xml = late.event_xml().replace("</network>", f"{inside}</network>")
    logged = world.event(late, "start", xml)
    taken = "203.0.113.70" if "route" in inside else "203.0.113.64/29"
    assert [line for line in logged if taken in line.text and line.is_error]
    assert in_libvirts_way(world) & {"203.0.113.64/29", "203.0.113.70/32", "203.0.113.71/32"} == {
        *({"203.0.113.64/29", "203.0.113.70/32", "203.0.113.71/32"} - {taken, f"{taken}/32"})
    }
    world.event(public, "updated")  # nor does it come back
    assert not in_libvirts_way(world) & {taken, f"{taken}/32"}
