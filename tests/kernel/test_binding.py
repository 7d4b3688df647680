"""Addresses that are bound to guests: what others try, before and after, and who is routed when."""

from __future__ import annotations

import re
import subprocess
from ast import literal_eval
from socket import AF_INET, SOCK_DGRAM, socket
from typing import TYPE_CHECKING

import pytest

from lab.frames import (
    ADVERTISEMENT,
    ARP,
    ARP_REPLY,
    ARP_REQUEST,
    EXPERIMENTAL,
    IPV4,
    IPV6,
    NOBODY,
    SERVICE_VLAN,
    SOLICITATION,
    UDP_PORT,
    arp,
    frame,
    is_taken,
    neighbour,
    tag,
    udp,
)
from lab.waiting import wait_for
from lab.world.hook_process import HookProcess
from lab.world.network import WorldPort
from lab.world.tap import SECONDS, Tap, arrives
from lab.world.tracking import track
from lab.world.world import SOURCE
from nethook.config.text import in_quotes
from tests.kernel import golden, listings
from tests.kernel.faults import Fault, OtherProgram
from tests.unit.machine import connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.namespace import Namespace
    from lab.world.world import World

ADDRESS = {4: "203.0.113.10", 6: "2001:db8:7::10"}
BLOCK = {4: "203.0.113.16/29", 6: "2001:db8:7:1::/64"}
WITHIN = {4: "203.0.113.17", 6: "2001:db8:7:1::1"}
BOUND = tuple(f"{prefix} public guest=web1" for prefixes in (ADDRESS, BLOCK) for prefix in prefixes.values())
UNBOUND = tuple(line.partition(" guest=")[0] for line in BOUND)
PRIORITY = tag(0)
IGNORED_TAGS = {
    "two": (PRIORITY, PRIORITY),
    "three": (PRIORITY, PRIORITY, PRIORITY),
    "a high and a low": (tag(0, priority=7), PRIORITY),
    "a low and a high": (PRIORITY, tag(0, priority=7)),
    "a provider's and another": (tag(0, SERVICE_VLAN), PRIORITY),
    "one and a provider's": (PRIORITY, tag(0, SERVICE_VLAN)),
}
"""Of which only the first is set aside before a frame is looked at, and receivers take all for none."""
COUNTER = re.compile(r"counter packets (\d+) bytes")


class Neighbours:
    """A network with the rightful holder of all addresses, a thief on the same bridge, and a third guest."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.network("public", 1)
        self.holder = world.guest(self.network, *ADDRESS.values(), *WITHIN.values())
        self.thief = world.guest(self.network)
        self.third = world.guest(self.network)

    def plug(self, *lines: str) -> None:
        """All three are plugged in, with these lines in force."""
        self.world.configure(*lines)
        for name, guest in (("web1", self.holder), ("web2", self.thief), ("web3", self.third)):
            self.world.event(self.network, "port-created", port=WorldPort(name, guest.mac))

    @property
    def receivers(self) -> dict[str, tuple[Namespace, str]]:
        """Who may be deceived: a guest beside, and the host."""
        return {"guest": (self.third.namespace, "eth0"), "host": (self.world.host, self.network.bridge)}

    def recover(self) -> None:
        """Host and bridge forget what the thief has told them of prefixes, and learn where the holder is."""
        self.world.host.ip(f"neighbour flush dev {self.network.bridge} nud reachable nud stale")
        self.third.namespace.ip("neighbour flush dev eth0")
        with Tap(self.holder.namespace, "eth0") as writing:
            writing.send(frame(self.holder.mac, EXPERIMENTAL, b"here"))

    def arriving(self, frames: Mapping[str, bytes] | None = None) -> set[str]:
        """Which of the thief's forgeries arrive, and where."""
        frames = forgeries(self.thief.mac, self.holder.mac) if frames is None else frames
        return {
            f"{what} at {who}"
            for who, receiver in self.receivers.items()
            for what, data in frames.items()
            if arrives(self.thief.namespace, receiver, data, self.thief.mac)
        }

    def lost_by_holder(self) -> list[str]:
        """Addresses with which the holder does not reach the outside, or is not reached from there."""
        outside = self.world.outside
        return [
            address
            for family in (4, 6)
            for address in (ADDRESS[family], WITHIN[family])
            if not self.world.exchange(outside(family), self.holder.at(address))
            or not self.world.exchange(self.holder.at(address), outside(family))
        ]

    def dropped(self) -> int:
        """How many frames have been dropped and counted."""
        return sum(int(count) for count in COUNTER.findall(listing_of(self.world)))

    def spoofed(self) -> dict[str, int]:
        """The same, as ``nethook status`` reads it, by what was claimed."""
        script = (
            f"import sys; sys.path.append('{SOURCE}')\nfrom nethook.host import Host\n"
            "from nethook.parts.counters import spoofed\nprint(spoofed(Host(9)))"
        )
        found: dict[str, int] = literal_eval(self.world.machine.run("/usr/bin/python3", "-c", script))
        return found


def forgeries(mac: str, victim: str) -> dict[str, bytes]:
    """What somebody with this MAC may send to pass for who has ADDRESS and BLOCK; to all, so that everybody sees it."""
    made: dict[str, bytes] = {}
    for which, address, address6 in (("address", ADDRESS[4], ADDRESS[6]), ("block", WITHIN[4], WITHIN[6])):
        somebody, somebody6 = "192.0.2.14", "2001:db8:101::9"
        own = (mac, address)
        link_local = "fe80::bad"
        made |= {
            f"ARP request, {which}": frame(mac, ARP, arp(ARP_REQUEST, own, ("00:00:00:00:00:00", somebody))),
            f"ARP reply, {which}": frame(mac, ARP, arp(ARP_REPLY, own, (mac, somebody))),
            f"gratuitous ARP, {which}": frame(mac, ARP, arp(ARP_REQUEST, own, ("00:00:00:00:00:00", address))),
            f"ARP with the victim's MAC outside, {which}": frame(victim, ARP, arp(ARP_REPLY, own, (mac, somebody))),
            f"ARP with the victim's MAC inside, {which}": frame(
                mac, ARP, arp(ARP_REPLY, (victim, address), (mac, somebody))
            ),
            f"ARP with priority tag, {which}": frame(mac, ARP, arp(ARP_REPLY, own, (mac, somebody)), tags=(PRIORITY,)),
            f"IPv4 source, {which}": frame(mac, IPV4, udp(address, somebody)),
            f"IPv4 source with priority tag, {which}": frame(mac, IPV4, udp(address, somebody), tags=(PRIORITY,)),
            f"IPv6 source, {which}": frame(mac, IPV6, udp(address6, somebody6)),
            f"advertisement, {which}": frame(mac, IPV6, neighbour(ADVERTISEMENT, link_local, address6, mac)),
            f"advertisement from itself, {which}": frame(mac, IPV6, neighbour(ADVERTISEMENT, address6, address6, mac)),
            f"advertisement with priority tag, {which}": frame(
                mac, IPV6, neighbour(ADVERTISEMENT, link_local, address6, mac), tags=(PRIORITY,)
            ),
            f"solicitation, {which}": frame(mac, IPV6, neighbour(SOLICITATION, address6, somebody6, mac)),
            f"ARP probe, {which}": is_taken(mac, address),
            f"duplicate address detection, {which}": is_taken(mac, address6),
        }
    return made


def claims(mac: str, address: str, address6: str) -> dict[str, bytes]:
    """What somebody with this MAC sends who takes the addresses for its own; to all, so that everybody sees it."""
    return {
        "probe": is_taken(mac, address),
        "ARP": frame(mac, ARP, arp(ARP_REQUEST, (mac, address), (NOBODY, address))),
        "IPv4": frame(mac, IPV4, udp(address, "192.0.2.14")),
        "detection": is_taken(mac, address6),
        "advertisement": frame(mac, IPV6, neighbour(ADVERTISEMENT, "fe80::1", address6, mac)),
        "IPv6": frame(mac, IPV6, udp(address6, "2001:db8:101::9")),
    }


def hidden_forgeries(mac: str) -> dict[str, bytes]:
    """The same in frames that do not seem to be of IP, by tags that receivers ignore."""
    address, address6, somebody = ADDRESS[4], ADDRESS[6], "192.0.2.14"
    contents = {
        "ARP reply": (ARP, arp(ARP_REPLY, (mac, address), (mac, somebody))),
        "IPv4 source": (IPV4, udp(address, somebody)),
        "IPv6 source": (IPV6, udp(address6, "2001:db8:101::9")),
        "advertisement": (IPV6, neighbour(ADVERTISEMENT, "fe80::bad", address6, mac)),
    }
    return {
        f"{what} behind {which} tags": frame(mac, *content, tags=tags)
        for what, content in contents.items()
        for which, tags in IGNORED_TAGS.items()
    }


def test_what_others_may_send(nftables_world: World) -> None:
    neighbours = Neighbours(nftables_world)
    everything = {
        f"{what} at {who}"
        for who in neighbours.receivers
        for what in forgeries("02:00:00:00:00:01", "02:00:00:00:00:02")
    }
    neighbours.plug(*UNBOUND)
    assert neighbours.arriving() == everything
    neighbours.plug(*BOUND)
    neighbours.recover()
    assert neighbours.lost_by_holder() == []
    assert neighbours.dropped() == 0
    assert neighbours.arriving() == set()
    assert neighbours.dropped() == len(everything)
    spoofed = neighbours.spoofed()
    claimed = {*ADDRESS.values(), *BLOCK.values(), neighbours.holder.mac}
    assert {what for what, count in spoofed.items() if count} == claimed
    assert sum(spoofed.values()) == len(everything)
    assert neighbours.lost_by_holder() == []


def test_what_tags_hide(nftables_world: World) -> None:
    neighbours = Neighbours(nftables_world)
    hidden = hidden_forgeries(neighbours.thief.mac)
    everything = {f"{what} at {who}" for who in neighbours.receivers for what in hidden}
    neighbours.plug(*UNBOUND)
    assert neighbours.arriving(hidden) == everything
    neighbours.plug(*BOUND)
    assert neighbours.arriving(hidden) == set()
    assert neighbours.dropped() == len(everything)
    assert neighbours.lost_by_holder() == []
    vlans = {
        f"VLANs {numbers}": frame(neighbours.thief.mac, EXPERIMENTAL, b"among guests", tags=tuple(map(tag, numbers)))
        for numbers in ((0,), (5,), (5, 6), (5, 0))
    }
    assert neighbours.arriving(vlans) == {f"{what} at {who}" for who in neighbours.receivers for what in vlans}


@pytest.mark.parametrize("tags", IGNORED_TAGS.values(), ids=IGNORED_TAGS)
def test_receivers_ignore_the_tags(nftables_world: World, tags: tuple[bytes, ...]) -> None:
    """Or there would be nothing to do about them: the host routes what is behind these, if nothing is bound."""
    neighbours = Neighbours(nftables_world)
    outside, thief = neighbours.world.outside(4), neighbours.thief
    host = f"52:54:00:be:81:0{neighbours.network.number}"
    forged = frame(thief.mac, IPV4, udp(ADDRESS[4], outside.address), host, tags)
    honest = frame(thief.mac, IPV4, udp(thief.private(4).address, outside.address), host)

    def escapes() -> bool:
        with outside.namespace.entered(), socket(AF_INET, SOCK_DGRAM) as receiver:
            receiver.bind((outside.address, UDP_PORT))
            receiver.settimeout(SECONDS)
            with Tap(thief.namespace, "eth0") as writing:
                writing.send(forged)
                writing.send(honest)
            return bool(receiver.recvfrom(100)[1][0] == ADDRESS[4])

    neighbours.plug(*UNBOUND)
    assert escapes()
    neighbours.plug(*BOUND)
    assert not escapes()


@pytest.mark.parametrize("lines", [UNBOUND, BOUND], ids=["not bound", "bound"])
@pytest.mark.parametrize("address", [*ADDRESS.values(), *WITHIN.values()])
def test_who_may_ask_whether_an_address_is_taken(nftables_world: World, lines: tuple[str, ...], address: str) -> None:
    """Who is about to use the address itself takes that for a conflict (RFC 5227, RFC 4862), and then does not."""
    neighbours = Neighbours(nftables_world)
    neighbours.plug(*lines)
    holder, thief = neighbours.holder, neighbours.thief
    others = (neighbours.third.namespace, "eth0")
    assert arrives(holder.namespace, others, is_taken(holder.mac, address), holder.mac)
    assert arrives(thief.namespace, others, is_taken(thief.mac, address), thief.mac) == (lines == UNBOUND)
    neighbours_own = {4: "192.0.2.13", 6: "2001:db8:101::99"}[6 if ":" in address else 4]
    assert arrives(thief.namespace, others, is_taken(thief.mac, neighbours_own), thief.mac)


@pytest.mark.parametrize(("lines", "end"), [(UNBOUND, "dadfailed"), (BOUND, "")], ids=["not bound", "bound"])
def test_nobody_keeps_the_holder_from_its_address(nftables_world: World, lines: tuple[str, ...], end: str) -> None:
    """While its kernel makes sure that nobody else has it."""
    neighbours = Neighbours(nftables_world)
    neighbours.plug(*lines)
    holder = neighbours.holder.namespace
    for name, value in (("accept_dad", 1), ("dad_transmits", 2), ("router_solicitation_delay", 0)):
        holder.sysctl(f"ipv6/conf/eth0/{name}", value)
    holder.sysctl("ipv6/neigh/eth0/retrans_time_ms", 500)

    def state() -> str:
        with holder.entered():
            shown = subprocess.run(
                ["ip", "-6", "address", "show", "to", ADDRESS[6]], capture_output=True, text=True, check=True
            ).stdout
        assert ADDRESS[6] in shown
        return next((word for word in ("dadfailed", "tentative") if word in shown), "")

    holder.ip(f"address delete {ADDRESS[6]} dev eth0", f"address add {ADDRESS[6]} dev eth0")
    assert state() == "tentative"
    with Tap(neighbours.thief.namespace, "eth0") as writing:
        writing.send(is_taken(neighbours.thief.mac, ADDRESS[6]))
    wait_for(lambda: state() != "tentative", "the kernel has made sure")
    assert state() == end


def test_a_forged_source_reaches_nobody_outside(nftables_world: World) -> None:
    """For the way through the host, which is another than that on the bridge."""
    neighbours = Neighbours(nftables_world)
    forger = {family: neighbours.thief.private(family)._replace(device=neighbours.thief.tap) for family in (4, 6)}
    forged = [(family, address[family]) for family in (4, 6) for address in (ADDRESS, WITHIN)]

    def escaping() -> list[str]:
        return [
            address
            for family, address in forged
            if neighbours.world.reaches(forger[family].forging(address), neighbours.world.outside(family))
        ]

    neighbours.plug(*UNBOUND)
    assert escaping() == [address for _, address in forged]
    neighbours.plug(*BOUND)
    assert escaping() == []
    assert neighbours.dropped() == len(forged)
    assert neighbours.lost_by_holder() == []


@pytest.mark.parametrize("first", ["holder", "thief"])
def test_a_forged_mac_does_not_help(nftables_world: World, first: str) -> None:
    """The tap of one who is plugged in is known to nobody before the next event; that of the other is, by then."""
    world = nftables_world
    world.configure(*BOUND)
    network = world.network("public", 1)
    holder_port, thief_port = (
        WorldPort(name, f"52:54:00:00:01:0{number}") for name, number in (("web1", 2), ("web2", 3))
    )
    plugged = {}
    order = (("web1", holder_port), ("web2", thief_port))
    for name, port in order if first == "holder" else reversed(order):
        world.event(network, "port-created", port=port)
        plugged[name] = world.guest(network, number=int(port.mac[-1]))
    holder, thief = plugged["web1"], plugged["web2"]
    holder.add(*ADDRESS.values(), *WITHIN.values())
    for what, data in forgeries(holder.mac, holder.mac).items():
        assert not arrives(thief.namespace, (world.host, network.bridge), data, thief.mac), what
    harmless = frame(holder.mac, EXPERIMENTAL, b"nothing about an address")
    assert not arrives(thief.namespace, (world.host, network.bridge), harmless, thief.mac)
    assert arrives(holder.namespace, (world.host, network.bridge), harmless, holder.mac)
    for family in (4, 6):
        assert world.exchange(world.outside(family), holder.at(ADDRESS[family]))
        assert world.exchange(holder.at(WITHIN[family]), world.outside(family))


def test_the_whole_of_what_is_bound_and_nothing_else(nftables_world: World) -> None:
    neighbours = Neighbours(nftables_world)
    machine = neighbours.world.machine
    foreign = listings.foreign(machine)
    neighbours.plug(*BOUND, "203.0.113.32/29 public guest=web2 via=192.0.2.11", "203.0.113.20 public guest=away")
    golden.check("bound", listings.ours(machine))
    assert listing_of(neighbours.world) == restored(neighbours.world)
    neighbours.plug(*UNBOUND)
    golden.check("libvirt-nftables", listings.ours(machine))
    assert listings.foreign(machine) == foreign


def listing_of(world: World) -> str:
    """Our table, as nft lists it."""
    return world.machine.run("nft", "list", "table", "bridge", "nethook")


def restored(world: World) -> str:
    """Our table's listing after somebody has loaded it from one, as those do who save all rules."""
    world.machine.nft("delete table bridge nethook", listing_of(world))
    return listing_of(world)


def test_a_table_that_somebody_restored_is_put_right(nftables_world: World) -> None:
    """In listings nft leaves something out, without which tags hide what is behind them."""
    neighbours = Neighbours(nftables_world)
    world = neighbours.world
    neighbours.plug(*BOUND)
    restored(world)
    assert neighbours.arriving()
    (logged,) = world.event(neighbours.network, "updated")
    assert logged.text == "+ table bridge nethook renewed [network public updated]"
    assert neighbours.arriving() == set()
    assert world.event(neighbours.network, "updated") == []


def routes(world: World) -> set[str]:
    """What we route, with the next hop if there is one."""
    lines = world.machine.run("sh", "-c", "ip -4 route show proto 218; ip -6 route show proto 218").splitlines()
    return {" ".join(line.split()[: 3 if " via " in line else 1]) for line in lines} - {"unreachable"}


def pins(world: World) -> dict[str, str]:
    """Address and MAC of our neighbour entries."""
    words = (line.split() for line in world.machine.run("ip", "neighbour", "show", "nud", "permanent").splitlines())
    return {word[0]: word[4] for word in words if "218" in word}


def test_an_address_is_there_while_its_guest_is_plugged_in(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    first, second = WorldPort("web 1", "52:54:00:00:01:02"), WorldPort("web2", "52:54:00:00:01:03")
    world.configure(
        '203.0.113.10 public guest="web 1"',
        "203.0.113.11 public guest=web2",
        "203.0.113.12 public",
        '2001:db8:7:1::/64 public guest="web 1" via=fe80::5054:ff:fe00:102',
    )
    world.event(network, "started")
    assert routes(world) == {"203.0.113.12"}
    world.event(network, "port-created", port=first)
    assert routes(world) == {"203.0.113.10", "203.0.113.12", "2001:db8:7:1::/64 via fe80::5054:ff:fe00:102"}
    assert pins(world) == {"203.0.113.10": first.mac, "fe80::5054:ff:fe00:102": first.mac}
    world.event(network, "port-created", port=second)
    assert pins(world)["203.0.113.11"] == second.mac
    assert world.event(network, "port-created", port=second) == []
    assert world.event(network, "updated") == []
    world.event(network, "port-deleted", port=first)
    assert routes(world) == {"203.0.113.11", "203.0.113.12"}
    assert pins(world) == {"203.0.113.11": second.mac}
    world.destroy(network)
    world.event(network, "stopped")
    assert routes(world) == set()


@pytest.mark.parametrize("kept", ["the new port", "the old port"])
def test_a_nic_that_libvirt_changes_keeps_its_address(nftables_world: World, kept: str) -> None:
    """As by virsh domif-setlink and update-device: another port is made for it, and one of both deleted."""
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network, "203.0.113.10/32")
    old, new = (WorldPort("web1", guest.mac, number) for number in (1, 2))
    world.configure("203.0.113.10 public guest=web1")
    world.event(network, "port-created", port=old)
    before = world.machine.run("nft", "list", "table", "bridge", "nethook"), pins(world), routes(world)
    assert world.event(network, "port-created", port=new) == []
    left, deleted = (new, old) if kept == "the new port" else (old, new)
    assert world.event(network, "port-deleted", port=deleted) == []
    assert (world.machine.run("nft", "list", "table", "bridge", "nethook"), pins(world), routes(world)) == before
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
    assert world.exchange(guest.at("203.0.113.10"), world.outside(4))
    world.event(network, "port-created", port=left)  # as after a restart of libvirtd
    world.event(network, "port-deleted", port=left)
    assert (pins(world), routes(world)) == ({}, set())


@pytest.mark.parametrize("name", ["web 1", "Ünïcode-客", "x" * 200, "a#b", 'say "hi"', "a & <b>"])
def test_guests_of_all_names(nftables_world: World, name: str) -> None:
    world = nftables_world
    network = world.network("public", 1)
    port = WorldPort(name, "52:54:00:00:01:02")
    world.configure(f"203.0.113.10 public guest={in_quotes(name)}")
    world.event(network, "port-created", port=port)
    assert pins(world) == {"203.0.113.10": port.mac}
    world.event(network, "updated")
    assert pins(world) == {"203.0.113.10": port.mac}
    world.event(network, "port-deleted", port=port)
    assert pins(world) == {}


def test_an_address_that_moves_to_a_guest_of_another_network(nftables_world: World) -> None:
    world = nftables_world
    network, other = world.network("public", 1), world.network("other", 2)
    one, two = world.guest(network, "203.0.113.10/32"), world.guest(other, "203.0.113.10/32")
    world.configure("203.0.113.10 public guest=web1")
    world.event(network, "port-created", port=WorldPort("web1", one.mac))
    assert world.exchange(world.outside(4), one.at("203.0.113.10"))
    world.configure("203.0.113.10 other guest=web2")
    world.event(other, "port-created", port=WorldPort("web2", two.mac))
    assert pins(world) == {"203.0.113.10": two.mac}
    assert world.exchange(world.outside(4), two.at("203.0.113.10"))
    assert [logged.text for logged in world.event(network, "updated")] == [
        "- gateway 169.254.0.1 on virbr1 [network public updated]",
        "+ arp for 169.254.0.1, answered towards guests only [network public updated]",
        "- no_linklocal_learn on virbr1 [network public updated]",
    ]
    assert not world.reaches(one.at("203.0.113.10")._replace(device=one.tap), world.outside(4))


def test_what_is_unknown_of_other_guests_stays(nftables_world: World) -> None:
    """As after an upgrade: the lines get guests while these run, and the hook has never heard of them."""
    world = nftables_world
    network = world.network("public", 1)
    world.configure("203.0.113.10 public", "203.0.113.11 public")
    world.event(network, "started")
    world.configure("203.0.113.10 public guest=web1", "203.0.113.11 public guest=web2")
    world.event(network, "port-created", port=WorldPort("web2", "52:54:00:00:01:03"))
    assert routes(world) == {"203.0.113.10", "203.0.113.11"}
    assert "203.0.113.10" not in listing_of(world)
    world.event(network, "port-deleted", port=WorldPort("web1", "52:54:00:00:01:02"))
    assert routes(world) == {"203.0.113.11"}


def test_of_two_nics_the_one_that_has_the_address_keeps_it(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    one, two = WorldPort("web1", "52:54:00:00:01:02"), WorldPort("web1", "52:54:00:00:01:03")
    world.configure("203.0.113.10 public guest=web1", f"203.0.113.11 public guest=web1 mac={two.mac.upper()}")
    world.event(network, "port-created", port=one)
    assert pins(world) == {"203.0.113.10": one.mac}
    world.event(network, "port-created", port=two)
    assert pins(world) == {"203.0.113.10": one.mac, "203.0.113.11": two.mac}
    world.event(network, "port-deleted", port=one)
    assert pins(world) == {"203.0.113.10": two.mac, "203.0.113.11": two.mac}


def test_a_deleted_table_is_restored_for_all_guests(nftables_world: World) -> None:
    world = nftables_world
    network, other = world.network("public", 1), world.network("other", 2)
    world.configure(
        "203.0.113.10 public guest=web1", "203.0.113.16/29 public guest=web1", "2001:db8:7::10 other guest=web2"
    )
    world.event(network, "port-created", port=WorldPort("web1", "52:54:00:00:01:02"))
    world.event(other, "port-created", port=WorldPort("web2", "52:54:00:00:02:02"))
    before = listing_of(world)
    world.machine.nft("delete table bridge nethook", "delete table inet nethook")
    world.event(other, "updated")
    assert listing_of(world) == before


@pytest.mark.parametrize("inner", ["203.0.113.20", "203.0.113.20/31"])
def test_a_line_of_another_network_within_a_bound_prefix(nftables_world: World, inner: str) -> None:
    """Its events decide about it alone. What is around it stays bound, and the connections of that go on."""
    neighbours = Neighbours(nftables_world)
    world, thief = neighbours.world, neighbours.thief
    other = world.network("other", 2)
    web9 = world.guest(other, "203.0.113.20/32")
    outer, line = "203.0.113.16/29 public guest=web1", f"{inner} other guest=web9"

    def is_stolen(address: str) -> bool:
        forged = frame(thief.mac, IPV4, udp(address, "192.0.2.14"))
        return arrives(thief.namespace, neighbours.receivers["guest"], forged, thief.mac)

    def bound() -> list[str]:
        listing = listing_of(world)
        return re.findall(r" 203[.0-9/]+(?= counter)|[:0-9]+:0[0-9] [.] 203[.0-9/]+", listing)

    neighbours.plug(outer)
    before = bound()
    assert world.exchange(world.outside(4), neighbours.holder.at(WITHIN[4]))
    world.configure(outer, line)
    world.event(other, "port-created", port=WorldPort("web9", web9.mac))
    assert not is_stolen(WITHIN[4])
    assert not is_stolen("203.0.113.20")
    assert world.exchange(world.outside(4), web9.at("203.0.113.20"))
    assert WITHIN[4] in world.machine.run("conntrack", "-L")
    divided = bound()
    for network in (other, neighbours.network):
        assert world.event(network, "updated") == []
    neighbours.plug(outer, line)
    assert bound() == divided
    world.configure(outer)
    world.event(other, "updated")
    assert not is_stolen(WITHIN[4])
    assert WITHIN[4] in world.machine.run("conntrack", "-L")
    neighbours.plug(outer)
    assert bound() == before
    assert not is_stolen("203.0.113.20")
    assert neighbours.lost_by_holder() == ["203.0.113.10", "2001:db8:7::10", "2001:db8:7:1::1"]


def test_addresses_within_a_bound_prefix_are_who_their_lines_say(nftables_world: World) -> None:
    """However many they are: each is one element, and the prefix is one."""
    neighbours = Neighbours(nftables_world)
    world = neighbours.world
    alone = {"web1": "203.0.113.18", "web2": "203.0.113.19", "": "203.0.113.20"}
    alone6 = {"web1": "2001:db8:7:1::18", "web2": "2001:db8:7:1::19", "": "2001:db8:7:1::20"}
    lines = [
        f"{address} public{f' guest={name}' if name else ''}"
        for addresses in (alone, alone6)
        for name, address in addresses.items()
    ]
    neighbours.plug(*BOUND, *lines, *(f"2001:db8:7:1::{number:x}:1 public" for number in range(1, 1001)))
    (prefixes,) = re.findall(r"set bound6_prefixes .*?elements = {(.*?)}", listing_of(world), re.DOTALL)
    assert prefixes.split() == [BLOCK[6], "counter", "packets", "0", "bytes", "0"]
    for name, sender in (("web1", neighbours.holder), ("web2", neighbours.thief), ("web3", neighbours.third)):
        sent = {
            (owner, what)
            for owner in alone
            for what, data in claims(sender.mac, alone[owner], alone6[owner]).items()
            if arrives(sender.namespace, (world.host, neighbours.network.bridge), data, sender.mac)
        }
        assert sent == {
            (owner, what) for owner in (name, "") for what in claims(sender.mac, *ADDRESS.values()) if owner in alone
        }
    assert neighbours.spoofed()[BLOCK[4]] == neighbours.spoofed()[BLOCK[6]] == 0


def test_the_table_goes_with_the_last_bound_line(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    port = WorldPort("web1", "52:54:00:00:01:02")
    world.configure("203.0.113.10 public guest=web1")
    world.event(network, "port-created", port=port)
    world.configure("203.0.113.10 public")
    world.event(network, "port-created", port=port)
    assert routes(world) == {"203.0.113.10"}
    assert pins(world) == {}
    assert "bridge nethook" not in world.machine.run("nft", "list", "tables")


def test_an_nft_that_is_too_old_costs_the_bound_lines_alone(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network, "203.0.113.11")
    world.configure("203.0.113.10 public guest=web1\n203.0.113.11 public")
    fault = Fault(world.machine, ["nft"], "too old to bind")
    port = WorldPort("web1", "52:54:00:00:01:02")
    (error,) = [line.text for line in world.event(network, "port-created", port=port) if line.is_error]
    assert "new addresses with guest= are not routed" in error
    assert "still routed" not in error
    assert "variable sized data types" in error
    assert world.exchange(world.outside(4), guest.at("203.0.113.11"))
    assert (routes(world), pins(world)) == ({"203.0.113.11"}, {})
    assert "unreachable 203.0.113.10 " in world.machine.run("ip", "route", "show", "table", "218000")
    assert " 169.254.0.1/" in world.machine.run("ip", "address", "show", "dev", network.bridge)
    fault.mend()
    world.event(network, "port-created", port=port)
    assert routes(world) == {"203.0.113.10", "203.0.113.11"}
    assert set(pins(world)) == {"203.0.113.10"}


def test_an_address_that_gets_a_guest_stays_routed_where_binding_fails_and_that_is_said(nftables_world: World) -> None:
    """It was every guest's before, and dark it would be nobody's."""
    world = nftables_world
    network = world.network("public", 1)
    guest, other = world.guest(network, "203.0.113.10"), world.guest(network)
    port = WorldPort("web1", guest.mac)
    world.configure("203.0.113.10 public", "203.0.113.11 public")
    world.event(network, "port-created", port=port)
    world.configure("203.0.113.10 public guest=web1", "203.0.113.11 public", "203.0.113.12 public guest=web1")
    fault = Fault(world.machine, ["nft"], "too old to bind")
    for _ in range(2):
        (error,) = [line.text for line in world.event(network, "port-created", port=port) if line.is_error]
        assert "still routed, but other guests can use them as well: 203.0.113.10 (web1)" in error
        assert "203.0.113.11" not in error
        assert "203.0.113.12" not in error
        assert routes(world) == {"203.0.113.10", "203.0.113.11"}
        assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
    fault.mend()
    assert not [line for line in world.event(network, "port-created", port=port) if line.is_error]
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
    assert not world.reaches(other.at("203.0.113.10")._replace(device=other.tap), world.outside(4))
    assert routes(world) == {"203.0.113.10", "203.0.113.11", "203.0.113.12"}


def test_a_wrong_line_changes_nothing_about_its_guest(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    port = WorldPort("web1", "52:54:00:00:01:02")
    world.configure("203.0.113.10 public guest=web1")
    world.event(network, "port-created", port=port)
    before = listing_of(world), pins(world), routes(world)
    world.configure("203.0.113.10 public gest=web1")
    world.event(network, "port-created", port=port)
    assert (listing_of(world), pins(world), routes(world)) == before


def test_a_wrong_line_around_another_leaves_that_its_part(nftables_world: World) -> None:
    """What may be meant by it stays bound, but for what a good line is about."""
    world = nftables_world
    network = world.network("public", 1)
    one, two = WorldPort("web1", "52:54:00:00:01:02"), WorldPort("web2", "52:54:00:00:01:03")
    world.configure("203.0.113.16/29 public guest=web1")
    world.event(network, "port-created", port=one)
    world.configure("203.0.113.16/29 public gest=web1", "203.0.113.20/31 public guest=web2")
    world.event(network, "port-created", port=two)
    (holders,) = re.findall(r"set holders4_prefixes .*?elements = {(.*?)}", listing_of(world), re.DOTALL)
    assert set(re.findall(r"\S+ [.] 203[.0-9/]+", holders)) == {
        *(f"{one.mac} . {block}" for block in ("203.0.113.16/30", "203.0.113.22/31")),
        f"{two.mac} . 203.0.113.20/31",
    }


def test_nobody_waits_for_connections_that_take_long_to_delete(nftables_world: World) -> None:
    """Which a million of them do."""
    world = nftables_world
    public, other = world.network("public", 1), world.network("other", 2)
    port = WorldPort("web1", "52:54:00:00:01:02")
    world.configure(*[f"203.0.113.{number} public guest=web1" for number in range(10, 30)], "203.0.113.99 other")
    world.event(public, "port-created", port=port)
    with world.host.entered():
        track([connection("192.0.2.1", "203.0.113.10")])
    line = "            found = _find(netlink, about)\n"
    pause = "            open('/run/is-slow', 'w').close()\n            time.sleep(4)\n"
    OtherProgram(world.machine, "host/conntrack.py", line, pause + line)
    with HookProcess(world.machine, public.name, "port-deleted") as slow:
        slow.give(public.event_xml(port).encode())
        wait_for((world.machine.root / "run/is-slow").exists, "it is at the connections")
        world.machine.run("flock", "--nonblock", "/run/nethook", "true")
        with HookProcess(world.machine, other.name, "started") as hook:
            hook.give(other.event_xml().encode())
    said = [line.text for line in world.machine.syslog.new()]
    assert not [text for text in said if "lock" in text]
    assert "+ route 203.0.113.99" in "".join(said)
    assert [text for text in said if "connections from before may go on" in text]


def test_a_moved_address_leaves_no_connections_behind(nftables_world: World) -> None:
    neighbours = Neighbours(nftables_world)
    world = neighbours.world
    neighbours.plug("203.0.113.10 public guest=web1", "203.0.113.17 public guest=web1")
    for address in ("203.0.113.10", "203.0.113.17"):
        assert world.exchange(world.outside(4), neighbours.holder.at(address))
    neighbours.thief.add("203.0.113.10/32")
    neighbours.plug("203.0.113.10 public guest=web2", "203.0.113.17 public guest=web1")
    flows = world.machine.run("conntrack", "-L")
    assert "203.0.113.10" not in flows
    assert "203.0.113.17" in flows
    assert world.exchange(world.outside(4), neighbours.thief.at("203.0.113.10"))
    assert not world.reaches(
        neighbours.holder.at("203.0.113.10")._replace(device=neighbours.holder.tap), world.outside(4)
    )


@pytest.mark.parametrize(
    ("line", "address", "family"),
    [
        ("203.0.113.32/29 public via={private}", "203.0.113.33", 4),
        ("2001:db8:7:2::/64 public via={private}", "2001:db8:7:2::1", 6),
        ("2001:db8:7:2::/64 public via=fe80::9 guest=web1", "2001:db8:7:2::1", 6),
        ("203.0.113.32/29 public via=203.0.113.33 guest=web1", "203.0.113.33", 4),
    ],
)
def test_a_guest_routes_a_prefix_on(nftables_world: World, line: str, address: str, family: int) -> None:
    """The address is on another interface of the guest, as if a network were behind it."""
    world = nftables_world
    network = world.network("public", 1)
    router = world.guest(network)
    router.namespace.ip("address add fe80::9/64 dev eth0", f"address add {address} dev lo")
    world.configure(line.format(private=network.address(family, 2)))
    assert not world.exchange(world.outside(family), router.at(address))
    world.event(network, "port-created", port=WorldPort("web1", router.mac))
    assert world.exchange(world.outside(family), router.at(address))
    assert world.exchange(router.at(address), world.outside(family))
