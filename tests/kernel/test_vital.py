"""No line that is put in force takes away what the host itself needs."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from lab.world.network import WorldNetwork
from lab.world.world import SOURCE, UPLINK, family_of

if TYPE_CHECKING:
    from lab.world.syslog import Logged
    from lab.world.world import World

REFUSED = [
    ("198.51.100.1", "198.51.100.1 is a next hop of this host's routes, on uplink"),
    ("198.51.100.0/25", "198.51.100.1 is a next hop of this host's routes, on uplink"),
    ("198.51.100.0/24", "198.51.100.0/24 is the subnet of uplink, by which this host reaches the outside"),
    ("198.51.100.2/31", "198.51.100.2/31 is a part of the subnet of uplink, with this host's address 198.51.100.2"),
    ("198.51.100.2", "198.51.100.2 is an address of this host, on uplink"),
    ("198.51.100.53", "198.51.100.53 is a resolver of this host, on uplink"),
    ("198.51.100.7", "198.51.100.7 is a next hop of this host's routes, on uplink"),
    ("198.51.100.8/31", "198.51.100.9 is a next hop of this host's routes, on uplink"),
    ("2001:db8:ffff::1", "2001:db8:ffff::1 is a next hop of this host's routes, on uplink"),
    ("2001:db8:ffff::/120", "2001:db8:ffff::1 is a next hop of this host's routes, on uplink"),
    ("2001:db8:ffff::/64", "2001:db8:ffff::/64 is the subnet of uplink, by which this host reaches the outside"),
    ("2001:db8:ffff::2", "2001:db8:ffff::2 is an address of this host, on uplink"),
]
TAKEN = [
    "198.51.100.64/29",
    "198.51.100.77",
    "198.51.0.0/16",
    "203.0.113.10",
    "2001:db8:ffff::77",
    "2001:db8:7::/64",
]


def prepare(world: World) -> None:
    world.machine.write("/etc/resolv.conf", "search example.org\nnameserver 198.51.100.53\nnameserver 203.0.113.10\n")
    world.host.ip(
        "route add 10.1.0.0/16 via 198.51.100.7 table 77",
        "route add 10.2.0.0/16 nexthop via 198.51.100.9 nexthop via 198.51.100.10",
    )


def errors(logged: list[Logged]) -> list[str]:
    return [line.text for line in logged if line.is_error]


def in_force(world: World) -> set[str]:
    listed = world.machine.run("ip", "-4", "route", "show", "proto", "218")
    listed += world.machine.run("ip", "-6", "route", "show", "proto", "218")
    return {line.split()[0] for line in listed.splitlines()}


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
def test_lines_that_the_host_could_not_live_with(nftables_world: World, family: int) -> None:
    """Each for itself; a good one beside them is in force."""
    world = nftables_world
    prepare(world)
    public = world.network("public", 1)
    refused = [(prefix, why) for prefix, why in REFUSED if family_of(prefix) == family]
    world.configure("203.0.113.77 public", *(f"{prefix} public" for prefix, _ in refused))
    said = errors(world.event(public, "started"))
    assert len(said) == len(refused)
    by_line = sorted(said, key=lambda text: int(text.split(":")[1]))
    for number, (line, (_, why)) in enumerate(zip(by_line, refused), 2):
        assert line.startswith(f"/etc/nethook/routed-ips:{number}:1: {why}")
    assert in_force(world) == {"203.0.113.77"}
    for each in (4, 6):
        assert world.exchange(world.outside(each), world.host_itself(each))
    table = world.machine.run("nft", "list", "table", "inet", "nethook")
    assert [prefix for prefix, _ in refused if prefix in table] == []
    assert errors(world.event(public, "port-created")) == said


@pytest.mark.parametrize("prefix", TAKEN)
def test_a_line_that_takes_nothing_away(nftables_world: World, prefix: str) -> None:
    world = nftables_world
    prepare(world)
    public = world.network("public", 1)
    world.configure(f"{prefix} public")
    assert errors(world.event(public, "started")) == []
    assert in_force(world) == {prefix}
    for family in (4, 6):
        assert world.exchange(world.outside(family), world.host_itself(family))


def test_the_hosts_own_address_can_be_forwarded_but_for_that_of_a_bridge(nftables_world: World) -> None:
    """What comes to a bridge's own address comes from its guests."""
    world = nftables_world
    public = world.network("public", 1)
    world.configure("198.51.100.2 public", "192.0.2.9 public")
    of_uplink, of_bridge = errors(world.event(public, "started"))
    assert "198.51.100.2 is an address of this host, on uplink" in of_uplink
    assert of_uplink.endswith("nethook add --forward 198.51.100.2 NETWORK guest=GUEST")
    assert "192.0.2.9 is an address of this host, on virbr1" in of_bridge
    assert "--forward" not in of_bridge


NEXT_HOPS = {
    "192.0.2.9": "is an address of this host, on virbr1",  # the bridge's own
    "198.51.100.2": "is an address of this host, on uplink",
    "169.254.0.1": "is the gateway that guests use",
    "fe80::1": "is the gateway that guests use",
    "2001:db8:101::1": "is an address of this host, on virbr1",
}


@pytest.mark.parametrize("via", NEXT_HOPS)
def test_a_next_hop_that_is_no_guest(nftables_world: World, via: str) -> None:
    """What is in force for this line, and for others, stays: also the gateway, which that line would take away."""
    world = nftables_world
    public = world.network("public", 1)
    prefix, other = ("203.0.113.10", "203.0.113.11") if family_of(via) == 4 else ("2001:db8:7::10", "2001:db8:7::11")
    guest = world.guest(public, prefix, other)
    world.configure(f"{prefix} public", f"{other} public")
    assert errors(world.event(public, "started")) == []
    gateways = world.machine.run("ip", "address", "show", "dev", "virbr1")
    world.configure(f"{prefix} public via={via}", f"{other} public")
    (error,) = errors(world.event(public, "port-created"))
    assert f"{via} {NEXT_HOPS[via]}, not a guest" in error
    for address in (prefix, other):
        assert world.exchange(world.outside(family_of(via)), guest.at(address))
    assert world.machine.run("ip", "address", "show", "dev", "virbr1") == gateways


def test_a_next_hop_behind_a_guests_bridge_is_the_guests(nftables_world: World) -> None:
    """The host reaches something through a guest, by the address that is routed to that."""
    world = nftables_world
    public = world.network("public", 1)
    world.host.ip("route add 10.3.0.0/16 via 203.0.113.10 dev virbr1 onlink")
    world.configure("203.0.113.10 public")
    assert errors(world.event(public, "started")) == []
    assert in_force(world) == {"203.0.113.10"}


def test_what_is_in_force_already_stays(nftables_world: World) -> None:
    """Whatever the host has come to need since: to withdraw it may be just as wrong."""
    world = nftables_world
    public = world.network("public", 1)
    guest = world.guest(public, "198.51.100.77")
    world.configure("198.51.100.77 public proxy=uplink")
    world.event(public, "started")
    world.machine.write("/etc/resolv.conf", "nameserver 198.51.100.77\n")
    assert errors(world.event(public, "port-created")) == []
    assert world.exchange(world.outside(4), guest.at("198.51.100.77"))


@pytest.mark.parametrize("environment", ["SSH_CONNECTION=203.0.113.66 5000 198.51.100.2 22", "NOTHING=1"])
def test_where_the_administrator_is(nftables_world: World, environment: str) -> None:
    """sudo takes the variable out of the environment; it is still that of the shell before."""
    question = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n"
        "from nethook.config.routed_ips import parse_routed_ips\n"
        "from nethook.host import Host\n"
        "from nethook.placement.vital import dangers, read_needs\n"
        "lines, _ = parse_routed_ips([('f', b'203.0.113.64/29 public\\n203.0.113.72/29 public')])\n"
        "needs = read_needs(Host(5), Host(5).addresses())\n"
        "print([problem.what for _, problem in dangers(needs, lines, ())])\n"
    )
    shell = 'env -i /usr/bin/python3 -I -c "$1"; true'
    said = nftables_world.machine.run("env", environment, "sh", "-c", shell, "sh", question)
    expected = "you are connected from 203.0.113.66" if "SSH" in environment else "[]"
    assert expected in said
    assert "203.0.113.72" not in said


@pytest.mark.parametrize(("family", "client"), [(4, "203.0.113.99"), (6, "2001:db8:7::99")])
def test_where_another_administrator_is(nftables_world: World, family: int, client: str) -> None:
    """A real connection to port 22 of the host, and an event, which has no session of its own."""
    world = nftables_world
    public = world.network("public", 1)
    outside, address = world.outside(family).namespace, world.host_itself(family).address
    outside.ip(f"address add {client}/{128 if family == 6 else 32} dev lo")
    with world.host.entered():
        listening = socket.create_server(("::", 22), family=socket.AF_INET6, dualstack_ipv6=True)
    with closing(listening):
        with outside.entered():
            session = socket.create_connection((address, 22), 5, (client, 0))
        with closing(session):
            world.configure(f"{client} public")
            (said,) = errors(world.event(public, "started"))
            assert f"somebody is connected by SSH from {client}" in said
            assert in_force(world) == set()
            assert world.exchange(world.outside(family), world.host_itself(family))


def test_a_network_that_nobody_knows_withdraws_nothing(nftables_world: World) -> None:
    """A typing error in the name, and then an event of the network that has the address."""
    world = nftables_world
    public, other = world.network("public", 1), world.network("other", 2)
    guest = world.guest(public, "203.0.113.10")
    world.configure("203.0.113.10 public")
    world.event(public, "started")
    world.configure("203.0.113.10 pubilc")
    for operation in ("updated", "port-created"):
        world.event(public, operation)
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
    assert world.exchange(guest.at("203.0.113.10"), world.outside(4)) == "203.0.113.10"
    assert "gateway" not in " ".join(line.text for line in world.event(public, "updated"))
    world.configure("203.0.113.10 other")  # which libvirt has told about
    world.event(other, "started")
    assert f"203.0.113.10 dev {other.bridge}" in world.machine.run("ip", "route", "show", "proto", "218")


def test_the_uplink_is_known_by_what_is_reached_through_it(nftables_world: World) -> None:
    """One without a subnet, as at providers that give a host an address of its own."""
    world = nftables_world
    public = world.network("public", 1)
    world.host.ip(
        f"address flush dev {UPLINK}",
        f"address add 203.0.113.1/32 dev {UPLINK}",
        f"route add default via 198.51.100.1 dev {UPLINK} onlink",
    )
    world.configure("198.51.100.0/24 public", "203.0.113.1 public")
    first, second = errors(world.event(public, "started"))
    assert "is an address of this host" in first
    assert "nethook add --forward 203.0.113.1 NETWORK guest=GUEST" in first
    assert "is a next hop" in second
    assert in_force(world) == set()


def test_a_network_that_got_another_name_is_not_in_its_own_way(nftables_world: World) -> None:
    """libvirt tells nobody that a network is undefined: the record has the former one as down."""
    world = nftables_world
    former = world.network("former", 1, "route")
    guest = world.guest(former)
    world.configure(f"{former.ipv4} public")
    world.event(former, "started")
    world.event(former, "stopped")
    public = former._replace(name="public")
    for operation in ("start", "started", "updated"):
        assert errors(world.event(public, operation)) == []
    assert world.exchange(world.outside(4), guest.private(4))


def test_the_subnet_of_a_bridge_for_a_network_on_that_bridge(nftables_world: World) -> None:
    """A bridge that the host brings, with an address on it, and lines for what is behind it: they lead there anyway."""
    world = nftables_world
    world.host.ip(
        "link add br0 type bridge",
        "link set br0 up",
        "address add 203.0.113.1/28 dev br0",
        "address add 192.0.2.57/29 dev br0",
        "route add 10.3.0.0/16 via 203.0.113.3",
    )
    shared = WorldNetwork("shared", 7, "bridge", "br0")
    guest = world.guest(shared, "203.0.113.2/28", "203.0.113.3/28")
    world.configure("203.0.113.0/28 shared", "203.0.113.3 shared")
    assert errors(world.event(shared, "started")) == []
    assert in_force(world) >= {"203.0.113.3"}
    for address in ("203.0.113.2", "203.0.113.3"):
        assert world.exchange(world.outside(4), guest.at(address))


def test_a_next_hop_on_the_bridge_of_the_host_that_goes_elsewhere(nftables_world: World) -> None:
    world = nftables_world
    world.host.ip(
        "link add br0 type bridge",
        "link set br0 up",
        "address add 203.0.113.1/28 dev br0",
        "route add 10.3.0.0/16 via 203.0.113.3",
    )
    shared = WorldNetwork("shared", 7, "bridge", "br0")
    world.configure("203.0.113.3 shared via=203.0.113.4")
    (error,) = errors(world.event(shared, "started"))
    assert "is a next hop" in error
    assert in_force(world) == set()
