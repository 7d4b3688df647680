"""Frames to 01:80:c2:00:00:00 … 0f, which a bridge takes for itself and not for its guests. IEEE 802.1D, table 7-10.

They come by no chain of nftables for bridges. The bridge learned where their sender is, and the host's IP layer gets
them with the sender's tap as their input device.
"""

from __future__ import annotations

import re
from contextlib import closing, suppress
from socket import AF_INET, AF_INET6, SOCK_DGRAM, socket
from typing import TYPE_CHECKING

import pytest

from lab.frames import EXPERIMENTAL, IPV4, IPV6, UDP_PORT, frame, udp
from lab.waiting import wait_for
from lab.world.network import ISOLATED, WorldPort
from lab.world.tap import Tap
from lab.world.world import HOST, SOURCE

if TYPE_CHECKING:
    from lab.world.network import WorldNetwork
    from lab.world.world import World, WorldGuest

GROUPS = [f"01:80:c2:00:00:{number:02x}" for number in range(16)]
ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}
LINES = [f"{address} public" for address in ROUTED.values()]
BOUND = [f"{line} guest=web1" for line in LINES]
SWITCH = re.compile(r" no_linklocal_learn ([01]) ")
CLEAR = f"import sys; sys.path.insert(0, '{SOURCE}')\nfrom nethook.cli import main\nsys.exit(main())"


def switch(world: World, network: WorldNetwork) -> str:
    """What the bridge is told about learning from such frames: 1 that it must not."""
    (found,) = SWITCH.findall(world.machine.run("ip", "-d", "link", "show", network.bridge))
    return str(found)


def location(world: World, guest: WorldGuest) -> str:
    """Behind which port the bridge believes that the guest is; '' if it does not know, or has forgotten it."""
    listed = world.machine.run("bridge", "fdb", "show", "br", guest.network.bridge)
    return "".join(re.findall(rf"^{guest.mac} dev (\S+) ", listed, re.MULTILINE))


def shows_itself(world: World, guest: WorldGuest) -> bool:
    """Have the guest send something. Return whether the bridge knows then where it is."""
    with Tap(guest.namespace, "eth0") as writing:
        writing.send(frame(guest.mac, EXPERIMENTAL, b"here"))
    return location(world, guest) == guest.tap


def plug(world: World, guest: WorldGuest, name: str) -> None:
    world.event(guest.network, "port-created", port=WorldPort(name, guest.mac))


def turn_on_stp(world: World, network: WorldNetwork) -> None:
    """As libvirt does, but with a delay, after which the bridge forgets where somebody is for the first 20 s."""
    bridge = f"link set {network.bridge} type bridge"
    world.host.ip(f"{bridge} forward_delay 0", f"{bridge} stp_state 1", f"{bridge} forward_delay 200")


@pytest.mark.parametrize("stp", [False, True], ids=["without STP", "with STP"])
def test_a_bound_guest_stays_where_it_is_for_the_bridge(nftables_world: World, *, stp: bool) -> None:
    """And so does what is sent to it, whatever another writes into such frames."""
    world = nftables_world
    network = world.network("public", 1)
    holder, thief = world.guest(network, *ROUTED.values()), world.guest(network)
    if stp:
        turn_on_stp(world, network)
    world.configure(*BOUND)
    for name, guest in (("web1", holder), ("web2", thief)):
        plug(world, guest, name)
    moved = []
    for group in GROUPS:
        wait_for(lambda: shows_itself(world, holder), "the bridge knows where the guest is")
        with Tap(thief.namespace, "eth0") as writing:
            writing.send(frame(holder.mac, 0x88CC, b"x", group))
        if location(world, holder) not in {holder.tap, ""}:
            moved.append(group)
    assert moved == []
    for family, address in ROUTED.items():
        assert world.exchange(world.outside(family), holder.at(address))


def test_the_bridge_is_as_before_when_nothing_is_bound_there(nftables_world: World) -> None:
    world = nftables_world
    public, other = world.network("public", 1), world.network("other", 2)
    guest, beside = world.guest(public), world.guest(other)
    world.configure(*LINES)
    plug(world, guest, "web1")
    plug(world, beside, "web2")
    assert (switch(world, public), switch(world, other)) == ("0", "0")
    world.configure(*BOUND)
    plug(world, beside, "web2")
    assert switch(world, other) == "0"
    plug(world, guest, "web1")
    assert (switch(world, public), switch(world, other)) == ("1", "0")
    assert world.event(public, "port-created", port=WorldPort("web1", guest.mac)) == []
    world.event(public, "port-deleted", port=WorldPort("web1", guest.mac))
    assert switch(world, public) == "1"
    world.configure(*LINES)
    plug(world, guest, "web1")
    assert switch(world, public) == "0"


def test_clear_gives_it_back(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network)
    world.configure(*BOUND)
    plug(world, guest, "web1")
    assert switch(world, network) == "1"
    said = world.machine.run("/usr/bin/python3", "-I", "-c", CLEAR, "clear", "--yes")
    assert f"- no_linklocal_learn on {network.bridge}" in said
    assert switch(world, network) == "0"


def test_what_somebody_else_has_switched_on_stays_on(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network)
    world.host.ip(f"link set {network.bridge} type bridge no_linklocal_learn 1")
    world.configure(*BOUND)
    plug(world, guest, "web1")
    world.configure(*LINES)
    plug(world, guest, "web1")
    assert switch(world, network) == "1"


def test_somebody_who_switches_it_off_is_not_obeyed(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network)
    world.configure(*BOUND)
    plug(world, guest, "web1")
    world.host.ip(f"link set {network.bridge} type bridge no_linklocal_learn 0")
    plug(world, guest, "web1")
    assert switch(world, network) == "1"
    world.configure(*LINES)
    plug(world, guest, "web1")
    assert switch(world, network) == "0"


def test_a_bridge_made_anew_is_another(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    world.configure(*BOUND)
    world.event(network, "started")
    assert switch(world, network) == "1"
    world.destroy(network)
    network = world.network("public", 1)
    world.host.ip(f"link set {network.bridge} type bridge no_linklocal_learn 1")
    world.event(network, "started")
    world.configure(*LINES)
    world.event(network, "updated")
    assert switch(world, network) == "1"


def test_a_wrong_line_leaves_it_on_while_its_address_is_bound(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network)
    world.configure(*BOUND)
    plug(world, guest, "web1")
    world.configure(*(line.replace("guest=", "gest=") for line in BOUND))
    plug(world, guest, "web1")
    assert switch(world, network) == "1"


@pytest.mark.parametrize("lines", [LINES, BOUND], ids=["not bound", "bound"])
@pytest.mark.parametrize("mode", ["nat", ISOLATED])
@pytest.mark.parametrize("family", [4, 6])
def test_forged_addresses_do_not_reach_the_host(
    nftables_world: World, family: int, mode: str, lines: list[str]
) -> None:
    """From a guest beside the holder, and from one on another network; its own address shows that such frames come."""
    world = nftables_world
    public, other = world.network("public", 1), world.network("other", 2, mode)
    holder = world.guest(public, *ROUTED.values())
    thieves = {"beside": world.guest(public), "other": world.guest(other)}
    for network in (public, other):
        turn_on_stp(world, network)
    world.configure(*lines)
    world.event(other, "started")
    plug(world, holder, "web1")
    plug(world, thieves["beside"], "web2")
    host = HOST[family]
    came = {
        (who, group, claimed)
        for who, thief in thieves.items()
        for group in GROUPS
        for claimed, address in (("own", thief.private(family).address), ("forged", ROUTED[family]))
        if hears(world, thief, group, address, host)
    }
    assert {(who, claimed) for who, _, claimed in came} == {("beside", "own"), ("other", "own")}
    assert {group for _, group, _ in came} >= {GROUPS[0x0E], GROUPS[3]}
    for address in (ROUTED[family],):
        assert world.exchange(holder.at(address), world.host_itself(family))


def hears(world: World, sender: WorldGuest, group: str, source: str, host: str) -> bool:
    """Whether a socket of the host gets a packet that the guest sends to this group of MACs."""
    with world.host.entered():
        receiver = socket(AF_INET6 if ":" in host else AF_INET, SOCK_DGRAM)
    with closing(receiver), Tap(sender.namespace, "eth0") as writing:
        receiver.bind((host, UDP_PORT))
        receiver.settimeout(1)
        kind = IPV6 if ":" in host else IPV4
        fence = sender.private(6 if ":" in host else 4).address
        bridge = f"52:54:00:be:81:{sender.network.number:02x}"

        def heard() -> list[tuple[bytes, str]]:
            """What comes first of the packet and one behind it: on a busy machine, the port may not forward yet."""
            writing.send(frame(sender.mac, kind, udp(source, host), group))
            writing.send(frame(sender.mac, kind, udp(fence, host, b"last"), bridge))
            with suppress(TimeoutError):
                data, peer = receiver.recvfrom(100)
                return [(data, peer[0])]
            return []

        ((data, peer),) = wait_for(heard, "a packet of the guest")
        return data != b"last" and peer == source
