"""Gateways: guests that know nothing but 169.254.0.1 and fe80::1, on whatever network."""

from __future__ import annotations

import socket
from struct import pack
from typing import TYPE_CHECKING

import pytest

from lab.world.network import ISOLATED
from lab.world.world import HOST, OUTSIDE, SETTINGS
from nethook.changes import REMOVE, WITHDRAW, BatchStep, IpPiece
from nethook.host import Host
from nethook.parts.gateways import GATEWAYS, Gateway
from tests.kernel.faults import Fault

if TYPE_CHECKING:
    from lab.namespace import Namespace
    from lab.world.world import World, WorldGuest

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "203.0.113.10", 6: "2001:db8:7::10"}
B = {4: "203.0.113.20", 6: "2001:db8:7::20"}
GATEWAY = {4: "169.254.0.1", 6: "fe80::1"}
ETH_P_ARP = 0x806
BROADCAST = b"\xff" * 6


def addresses(world: World) -> list[list[str]]:
    """All addresses of the host, with their devices."""
    listed = [line.split() for line in world.machine.run("ip", "-o", "address", "show").splitlines()]
    return sorted([words[1], words[3]] for words in listed)


def gateways(world: World) -> list[str]:
    """The bridges and addresses of what is there, whoever made it."""
    own = {f"{GATEWAY[4]}/32", f"{GATEWAY[6]}/64"}
    return [f"{device} {address}" for device, address in addresses(world) if address in own]


def use_gateway(guest: WorldGuest, family: int) -> None:
    """As guest-config has it: the gateway on the link, and all else behind it."""
    gateway = GATEWAY[family]
    guest.namespace.ip(*([f"route add {gateway} dev eth0"] if family == 4 else []))
    guest.namespace.ip(f"route replace default via {gateway} dev eth0")


def is_answered(namespace: Namespace, device: str, sender: str, asked: str, known: str) -> bool:
    """Whether ARP answers this question. That the host is not deaf the answer for ``known`` tells."""
    with namespace.entered():
        line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    with line:
        line.bind((device, ETH_P_ARP))
        line.settimeout(3)
        mac = line.getsockname()[4]
        answered = set()
        for address in (asked, known):
            question = pack(
                "!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac, socket.inet_aton(sender), bytes(6), socket.inet_aton(address)
            )
            line.send(BROADCAST + mac + pack("!H", ETH_P_ARP) + question)
        while known not in answered:
            answer = line.recv(64)
            if answer[20:22] == b"\0\2":
                answered.add(socket.inet_ntoa(answer[28:32]))
        return asked in answered


def test_guests_that_know_only_the_gateway(world: World) -> None:
    modes = ("nat", "route", "open", ISOLATED)
    networks = [*(world.network(mode, number, mode) for number, mode in enumerate(modes, 1)), world.network("other", 5)]
    addresses = [{4: f"203.0.113.{network.number}", 6: f"2001:db8:7::{network.number}"} for network in networks]
    guests = [world.guest(network, *each.values()) for network, each in zip(networks, addresses)]
    world.configure(
        *(f"{address} {network.name}" for network, each in zip(networks, addresses) for address in each.values())
    )
    for network in networks:
        world.event(network, "started")
    for guest in guests:
        for family in (4, 6):
            use_gateway(guest, family)
    neighbour, own = guests[-1], addresses[-1]
    for mode, guest, each in zip(modes, guests, addresses):
        for family in (4, 6):
            routed, outside = guest.at(each[family]), world.outside(family)
            assert world.exchange(outside, routed), f"{mode}, IPv{family}"
            assert world.exchange(routed, outside) == each[family], f"{mode}, IPv{family}"
            assert world.exchange(neighbour.at(own[family]), routed) == own[family], f"{mode}, IPv{family}"


@pytest.fixture
def small_world(nftables_world: World) -> World:
    """The rest does not depend on libvirt's firewall."""
    return nftables_world


def test_they_are_where_routed_addresses_of_their_family_are(small_world: World) -> None:
    world = small_world
    networks = [world.network(name, number) for number, name in enumerate(("both", "four", "six", "none"), 1)]
    world.configure(f"{A[4]} both", f"{A[6]} both", f"{B[4]} four", f"{B[6]} six")
    for network in networks:
        world.event(network, "started")
    there = ["virbr1 169.254.0.1/32", "virbr1 fe80::1/64", "virbr2 169.254.0.1/32", "virbr3 fe80::1/64"]
    assert gateways(world) == there
    for network in networks:
        assert world.event(network, "port-created") == []
    world.configure(f"{A[6]} both")
    for network in networks:
        world.event(network, "port-created")
    assert gateways(world) == ["virbr1 fe80::1/64"]
    assert "arp nethook" not in world.machine.run("nft", "list", "tables")
    world.event(networks[0], "stopped")
    assert gateways(world) == []


def test_the_source_of_the_host_stays_what_it_was(small_world: World) -> None:
    world = small_world
    public = world.network("public", 1)
    world.configure(f"{A[4]} public")
    world.event(public, "started")
    assert f"src {public.address(4, 1)} " in world.machine.run("ip", "route", "get", A[4])


def test_arp_is_answered_towards_guests_only(small_world: World) -> None:
    world = small_world
    public, second, private = (world.network(name, number) for number, name in enumerate(("public", "second", "x"), 1))
    guests = [world.guest(network) for network in (public, second, private)]
    outside = world.outside(4).namespace

    def answered() -> list[bool]:
        found = [is_answered(outside, "eth0", OUTSIDE[4], GATEWAY[4], HOST[4])]
        for guest, network in zip(guests, (public, second, private)):
            place = guest.private(4)
            found.append(is_answered(place.namespace, "eth0", place.address, GATEWAY[4], network.address(4, 1)))
        return found

    world.configure(f"{A[4]} public", f"{B[4]} second")
    for network in (public, second, private):
        world.event(network, "started")
    assert answered() == [False, True, True, False]
    world.machine.nft("flush ruleset")
    assert answered() == [True, True, True, True]
    world.event(private, "port-created")
    assert answered() == [False, True, True, False]


def test_a_kernel_that_has_no_tables_for_arp_routes_all_the_same(small_world: World) -> None:
    world = small_world
    public = world.network("public", 1)
    guest = world.guest(public, A[4])
    world.configure(f"{A[4]} public")
    fault = Fault(world.machine, ["nft"], "no tables for ARP")
    (error,) = [line.text for line in world.event(public, "started") if line.is_error]
    assert "Operation not supported" in error
    assert world.reaches(world.outside(4), guest.at(A[4]))
    fault.mend()
    assert [line.text for line in world.event(public, "port-created")] == [
        "+ arp for 169.254.0.1, answered towards guests only [network public port-created]"
    ]


@families
def test_nothing_where_somebody_else_has_it(small_world: World, family: int) -> None:
    world = small_world
    public = world.network("public", 1)
    world.configure(f"{A[family]} public")
    length = {4: 16, 6: 64}[family]
    for device in {4: ("virbr1", "uplink"), 6: ("virbr1",)}[family]:
        world.host.ip(f"address add {GATEWAY[family]}/{length} dev {device}")
        before = addresses(world)
        assert not [line for line in world.event(public, "started") if line.is_error]
        assert addresses(world) == before
        assert is_answered(world.outside(4).namespace, "eth0", OUTSIDE[4], GATEWAY[4], HOST[4]) == (family == 4)
        world.event(public, "stopped")
        assert addresses(world) == before
        world.host.ip(f"address delete {GATEWAY[family]}/{length} dev {device}")


def test_the_link_local_gateway_of_another_device_is_no_hindrance(small_world: World) -> None:
    """As Docker's bridge has it."""
    world = small_world
    public = world.network("public", 1)
    guest = world.guest(public, A[6])
    world.host.ip(
        "link add docker0 type bridge", "link set docker0 up", f"address add {GATEWAY[6]}/64 dev docker0 nodad"
    )
    use_gateway(guest, 6)
    world.configure(f"{A[6]} public")
    world.event(public, "started")
    assert gateways(world) == ["docker0 fe80::1/64", "virbr1 fe80::1/64"]
    assert world.exchange(world.outside(6), guest.at(A[6]))
    assert world.exchange(guest.at(A[6]), world.outside(6)) == A[6]


def test_others_and_none_by_the_settings(small_world: World) -> None:
    world = small_world
    public = world.network("public", 1)
    world.configure(f"{A[4]} public", f"{A[6]} public")
    world.event(public, "started")
    world.machine.write(SETTINGS, "gateway4 = 10.99.0.1\ngateway6 = none\n")
    world.event(public, "port-created")
    assert gateways(world) == []
    assert "10.99.0.1/32" in world.machine.run("ip", "address", "show", "dev", "virbr1")
    assert "10.99.0.1" in world.machine.run("nft", "list", "table", "arp", "nethook")
    assert world.event(public, "port-created") == []


def ipv6_of(world: World, bridge: str) -> dict[str, str]:
    names = ("disable_ipv6", "addr_gen_mode", "accept_ra")
    folder = f"/proc/sys/net/ipv6/conf/{bridge}"
    return {name: world.machine.run("cat", f"{folder}/{name}").strip() for name in names}


WITHOUT_IPV6 = "  <ip family='ipv6' address='{}' prefix='64'>\n  </ip>\n"


def test_a_bridge_without_ipv6_is_opened_and_closed_again(world: World) -> None:
    public = world.network("public", 1)
    world.host.ip(f"address delete {public.address(6, 1)}/64 dev virbr1")
    world.host.sysctl("ipv6/conf/virbr1/disable_ipv6", 1)
    before = ipv6_of(world, "virbr1")
    block, member = "2001:db8:7:1::/64", "2001:db8:7:1::1"
    guest = world.guest(public, A[4], A[6], member)
    guest.namespace.ip(f"address delete {public.address(6, 2)}/64 dev eth0")
    use_gateway(guest, 6)
    xml = public.event_xml().replace(WITHOUT_IPV6.format(public.address(6, 1)), "")
    assert "ipv6'" not in xml
    world.configure(f"{A[4]} public", f"{A[6]} public", f"{block} public")
    logged = world.event(public, "started", xml)
    assert not [line for line in logged if line.is_error]
    assert "+ IPv6 on virbr1 [network public started]" in [line.text for line in logged]
    for address in (A[6], member):
        assert world.exchange(world.outside(6), guest.at(address))
        assert world.exchange(guest.at(address), world.outside(6)) == address
    addresses = world.machine.run("ip", "-6", "-o", "address", "show", "dev", "virbr1").splitlines()
    assert [line.split()[3] for line in addresses] == ["fe80::1/64"]
    assert ipv6_of(world, "virbr1") == {"disable_ipv6": "0", "addr_gen_mode": "1", "accept_ra": "0"}
    assert world.event(public, "port-created", xml) == []
    world.configure(f"{A[4]} public")
    world.event(public, "port-created", xml)
    assert ipv6_of(world, "virbr1") == before
    world.configure(f"{A[6]} public")
    world.event(public, "port-created", xml)
    assert world.exchange(world.outside(6), guest.at(A[6]))
    world.event(public, "stopped", xml)
    assert ipv6_of(world, "virbr1") == before


def test_what_is_recorded_of_a_bridge_is_not_taken_for_another_of_the_same_name(small_world: World) -> None:
    world = small_world
    public = world.network("public", 1)
    xml = public.event_xml().replace(WITHOUT_IPV6.format(public.address(6, 1)), "")
    world.host.sysctl("ipv6/conf/virbr1/disable_ipv6", 1)
    world.configure(f"{A[6]} public")
    world.event(public, "started", xml)
    world.destroy(public)
    public = world.network("public", 1)
    world.configure("# nothing")
    world.event(public, "started")
    assert ipv6_of(world, "virbr1")["disable_ipv6"] == "0"


def test_what_a_bridge_had_before_survives_that_ipv6_is_turned_on_twice(small_world: World) -> None:
    """As when libvirt turns it off again, or a write failed half-way."""
    world = small_world
    public = world.network("public", 1)
    xml = public.event_xml().replace(WITHOUT_IPV6.format(public.address(6, 1)), "")
    for name, value in (("disable_ipv6", 1), ("accept_ra", 1)):
        world.host.sysctl(f"ipv6/conf/virbr1/{name}", value)
    before = ipv6_of(world, "virbr1")
    world.configure(f"{A[6]} public")
    world.event(public, "started", xml)
    world.host.sysctl("ipv6/conf/virbr1/disable_ipv6", 1)
    world.event(public, "updated", xml)
    assert ipv6_of(world, "virbr1") == {"disable_ipv6": "0", "addr_gen_mode": "1", "accept_ra": "0"}
    world.configure("# nothing")
    world.event(public, "updated", xml)
    assert ipv6_of(world, "virbr1") == before


def test_without_a_gateway_of_ours_the_bridge_gets_an_address_of_its_own(small_world: World) -> None:
    world = small_world
    public = world.network("public", 1)
    xml = public.event_xml().replace(WITHOUT_IPV6.format(public.address(6, 1)), "")
    world.host.sysctl("ipv6/conf/virbr1/disable_ipv6", 1)
    world.machine.write(SETTINGS, "gateway6 = none\n")
    world.configure(f"{A[6]} public")
    world.guest(public)  # without a carrier it gets none
    world.event(public, "started", xml)
    (address,) = world.machine.run("ip", "-6", "-o", "address", "show", "dev", "virbr1").splitlines()
    assert "inet6 fe80::" in address
    assert "fe80::1/" not in address


@pytest.mark.parametrize("is_off", [False, True], ids=["", "IPv6 is off"])
@families
def test_one_that_went_by_itself_is_deleted(small_world: World, family: int, is_off: bool) -> None:
    key = Gateway((GATEWAY[family], small_world.network("public", 1).bridge, ""))
    small_world.host.sysctl(f"ipv6/conf/{key[1]}/disable_ipv6", int(is_off))
    with small_world.machine.namespace.entered():
        piece = IpPiece(WITHDRAW, GATEWAYS, key, GATEWAYS.delete(key, 218), GATEWAYS.effect(REMOVE, key))
        assert BatchStep([piece]).take(Host(5)) == ([], [])
