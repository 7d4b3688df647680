"""proxy=UPLINK: who asks for the address on the uplink's network is answered by the host, while it is routed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lab.processes import Runner
from lab.waiting import wait_for
from lab.world.network import WorldPort
from nethook.libvirt.record import FILE
from tests.kernel import listings

if TYPE_CHECKING:
    from lab.world.world import World

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "198.51.100.50", 6: "2001:db8:ffff::50"}
"""In the subnet of the uplink: the outside asks for it there, and does not route it."""
BLOCK = "198.51.100.64/30"
MEMBERS = [f"198.51.100.{number}" for number in range(64, 68)]
ARP, IPV6 = 0x0806, 0x86DD
PROXY_NDP = "/proc/sys/net/ipv6/conf/uplink/proxy_ndp"
ANY_PROXY_NDP = "/proc/sys/net/ipv6/conf/all/proxy_ndp"
NOT_OURS = "2001:db8:ffff::51"


@pytest.fixture
def world(nftables_world: World) -> World:
    """None of this depends on libvirt's firewall. Without the delay by which the kernel spreads its answers."""
    for family in ("ipv4", "ipv6"):
        nftables_world.host.sysctl(f"{family}/neigh/uplink/proxy_delay", 0)
    return nftables_world


def proxies(world: World) -> list[str]:
    listed = "".join(world.machine.run("ip", family, "neigh", "show", "proxy") for family in ("-4", "-6"))
    return sorted(line.split()[0] for line in listed.splitlines())


@families
def test_an_address_on_the_link_of_the_uplink(world: World, family: int) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, A[family])
    outside = world.outside(family)
    with outside.namespace.entered():
        line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP if family == 4 else IPV6))
    line.settimeout(3)
    with line:
        world.configure(f"{A[family]} public proxy=uplink")
        logged = world.event(public, "started")
        assert not [each for each in logged if each.is_error]
        text = f"+ proxy {A[family]} on uplink (public), /etc/nethook/routed-ips:1 [network public started]"
        assert text in [each.text for each in logged]
        target = socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, A[family])
        while target not in line.recv(2048):  # it was announced
            pass
    assert world.exchange(outside, guest.at(A[family]))
    assert world.exchange(guest.at(A[family]), outside) == A[family]
    assert world.event(public, "port-created") == []
    for setting in (PROXY_NDP, ANY_PROXY_NDP):
        assert (world.machine.run("cat", setting).strip() == "1") == (family == 6)
    world.event(public, "stopped")
    assert proxies(world) == []
    assert world.machine.run("cat", PROXY_NDP).strip() == "0"
    assert not world.machine.run("ip", "route", "show", "dev", "virbr1", "proto", "218")


def state_after_a_probe(world: World, address: str) -> str:
    """What the outside thinks of a neighbour after it has asked that address itself whether it is still there."""
    _, _, mac, *_ = world.machine.run("ip", "-brief", "link", "show", "uplink").split()
    outside = world.outside(6).namespace
    outside.ip(f"neigh replace {address} dev eth0 lladdr {mac} nud probe")

    def state() -> str:
        return Runner().run("nsenter", f"--net={outside.path}", "ip", "-6", "neigh", "show", address).split()[-1]

    wait_for(lambda: state() not in {"PROBE", "DELAY"}, "the kernel of the outside has made up its mind")
    return state()


def test_a_router_that_asks_the_address_itself_is_answered(world: World) -> None:
    """It does so from time to time while packets flow, and without an answer they wait until it has asked everybody."""
    public = world.network("public", 1)
    world.guest(public, A[6], NOT_OURS)
    world.configure(f"{A[6]} public proxy=uplink", f"{NOT_OURS} public")
    world.event(public, "started")
    assert state_after_a_probe(world, A[6]) == "REACHABLE"
    assert state_after_a_probe(world, NOT_OURS) == "FAILED"
    world.event(public, "stopped")
    assert world.machine.run("cat", ANY_PROXY_NDP).strip() == "0"
    assert state_after_a_probe(world, A[6]) == "FAILED"


def test_entries_that_somebody_has_turned_off_stay_off(world: World) -> None:
    """With the setting for all devices, they would count."""
    public = world.network("public", 1)
    world.guest(public, A[6])
    world.host.ip("link add up2 type bridge", "link set up2 up", f"neigh add proxy {NOT_OURS} dev up2")
    world.configure(f"{A[6]} public proxy=uplink")
    assert not [line for line in world.event(public, "started") if line.is_error]
    settings = [world.machine.run("cat", path).strip() for path in (PROXY_NDP, ANY_PROXY_NDP)]
    assert settings == ["1", "0"]
    assert world.event(public, "updated") == []


def test_an_ipv4_prefix_has_an_entry_for_each_address(world: World) -> None:
    public, other = world.network("public", 1), world.network("other", 2)
    guest = world.guest(public, *MEMBERS)
    world.configure(f"{BLOCK} public proxy=uplink", f"{A[4]} other proxy=uplink")
    for network in (public, other):
        world.event(network, "started")
    assert proxies(world) == sorted([*MEMBERS, A[4]])
    for member in MEMBERS:
        assert world.exchange(world.outside(4), guest.at(member))
    world.event(other, "stopped")
    assert proxies(world) == MEMBERS
    world.configure(f"{BLOCK} public")
    world.event(public, "port-created")
    assert proxies(world) == []


def test_entries_of_other_networks_stay_whatever_their_lines_say_now(world: World) -> None:
    public, other = world.network("public", 1), world.network("other", 2)
    world.host.ip("link add up2 type bridge", "link set up2 up")
    world.configure(f"{A[4]} public proxy=uplink")
    world.event(public, "started")
    world.configure(f"{A[4]} public proxy=up2")
    assert world.event(other, "started")
    assert "dev uplink proxy" in world.machine.run("ip", "neigh", "show", "proxy")
    world.event(public, "port-created")
    assert "dev up2 proxy" in world.machine.run("ip", "neigh", "show", "proxy")
    assert proxies(world) == [A[4]]


def test_an_entry_stays_while_nobody_knows_whether_its_guest_is_plugged_in(world: World) -> None:
    public = world.network("public", 1)
    world.configure(f"{A[4]} public guest=web1 proxy=uplink")
    world.event(public, "port-created", port=WorldPort("web1", "52:54:00:00:01:02"))
    (world.machine.root / FILE.lstrip("/")).unlink()
    world.event(public, "port-created", port=WorldPort("web2", "52:54:00:00:01:03"))
    assert proxies(world) == [A[4]]


def test_entries_of_others_and_their_setting_stay(world: World) -> None:
    public = world.network("public", 1)
    world.host.ip("neigh add proxy 198.51.100.99 dev uplink", "neigh add proxy 2001:db8:ffff::99 dev uplink")
    world.host.sysctl("ipv6/conf/uplink/proxy_ndp", 1)
    before = listings.foreign(world.machine)
    world.configure(f"{A[4]} public proxy=uplink", f"{A[6]} public proxy=uplink")
    world.event(public, "started")
    assert len(proxies(world)) == 4
    world.event(public, "stopped")
    assert proxies(world) == ["198.51.100.99", "2001:db8:ffff::99"]
    assert world.machine.run("cat", PROXY_NDP).strip() == "1"
    assert listings.foreign(world.machine) == before


def test_an_uplink_that_is_not_there_is_said(world: World) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, "203.0.113.10")
    world.configure("203.0.113.10 public proxy=eth7")
    (error,) = [line.text for line in world.event(public, "started") if line.is_error]
    assert "cannot add proxy 203.0.113.10 dev eth7: there is no device eth7" in error
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
