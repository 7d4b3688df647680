"""A network that libvirt has told about is never taken for the outside, whatever fails afterwards.

``a`` has a routed guest. ``b`` (nat) and ``c`` (isolated) have private guests, which libvirt alone keeps closed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from lab.waiting import wait_for
from lab.world.hook_process import HookProcess
from lab.world.network import ISOLATED
from lab.world.world import CONFIGURATION, SETTINGS
from tests.kernel.faults import TOOLS, Fault

if TYPE_CHECKING:
    from lab.world.network import WorldNetwork
    from lab.world.world import World, WorldGuest

ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}
DROP_IN = f"{CONFIGURATION}.d/x.conf"
CALLS_OF_A_START = 2
"""How many tools the event of a network without lines starts."""


class Doors:
    """The three networks with a guest each; only ``a`` is known to nethook."""

    def __init__(self, world: World, bridge: str = "") -> None:
        self.world = world
        self.a = world.network("a", 1)
        self.b = world.network("b", 2)
        self.c = world.network("c", 3, ISOLATED)
        self.routed = world.guest(self.a, *ROUTED.values())
        self.nat = world.guest(self.b)
        self.isolated = world.guest(self.c)
        if bridge:
            world.machine.run("ip", "link", "set", "dev", self.c.bridge, "name", bridge)
            self.c = self.isolated.network = self.c._replace(device=bridge)
        world.configure(*(f"{address} a" for address in ROUTED.values()))
        world.event(self.a, "started")

    def open(self, *guests: WorldGuest) -> list[str]:
        """The ways that exist and must not, between the routed guest and these (by default both)."""
        found = []
        for family, address in ROUTED.items():
            routed = self.routed.at(address)
            for guest in guests or (self.nat, self.isolated):
                private = guest.private(family)
                if self.world.reaches(routed, private):
                    found.append(f"routed → {guest.network.name}, IPv{family}")
                if guest is self.isolated and self.world.reaches(private, routed):
                    found.append(f"{guest.network.name} → routed, IPv{family}")
                forged = private.forging(address)
                if self.world.reaches(forged, self.world.host_itself(family)):
                    found.append(f"{guest.network.name} as routed → host, IPv{family}")
        return found

    def check(self, *guests: WorldGuest) -> None:
        """Nothing is open, and what has to work does."""
        assert self.open(*guests) == []
        for family, address in ROUTED.items():
            assert self.world.exchange(self.world.outside(family), self.routed.at(address))


def start(world: World, *networks: WorldNetwork) -> None:
    """As libvirt does it: first ``start``, then ``started``."""
    for network in networks:
        for operation in ("start", "started"):
            world.event(network, operation)


def test_a_refused_file(world: World) -> None:
    doors = Doors(world)
    world.machine.write(DROP_IN, "", 0o664)
    os.chown(world.machine.root / DROP_IN.lstrip("/"), 0, 1000)
    start(world, doors.b, doors.c)
    doors.check()
    (world.machine.root / DROP_IN.lstrip("/")).unlink()
    world.event(doors.a, "updated")
    doors.check()


def test_wrong_settings_from_the_boot_on(world: World) -> None:
    world.machine.write(SETTINGS, "mark-bit = 3\n")
    doors = Doors(world)
    start(world, doors.b, doors.c)
    (world.machine.root / SETTINGS.lstrip("/")).unlink()
    world.event(doors.a, "updated")
    doors.check()


def test_somebody_holds_the_lock(world: World) -> None:
    doors = Doors(world)
    holder = subprocess.Popen(world.machine.command(["flock", "/run/nethook", "sleep", "20"]))
    try:
        wait_for(lambda: "sleep 20" in world.machine.processes(), "flock has the lock, and runs its command")
        with HookProcess(world.machine, "b", "started") as one, HookProcess(world.machine, "c", "started") as other:
            one.give(doors.b.event_xml().encode())
            other.give(doors.c.event_xml().encode())
        assert [line.text for line in world.machine.syslog.new() if "lock" in line.text]
        doors.check()
    finally:
        holder.kill()
        holder.wait()


def test_clear_and_then_an_event_of_one_network(world: World) -> None:
    doors = Doors(world)
    start(world, doors.b, doors.c)
    world.nethook("clear", "--yes")
    world.event(doors.a, "updated")
    doors.check()


@pytest.mark.parametrize("bridge", ["br!2", "br#1", "br日本", 'br"x', "br*", "br\\", "br'$(x)", "-br", "br;{}"])
def test_a_bridge_with_an_unusual_name(nftables_world: World, bridge: str) -> None:
    doors = Doors(nftables_world, bridge=bridge)
    start(nftables_world, doors.c)
    doors.check(doors.isolated)
    nftables_world.machine.nft("delete table inet nethook")
    nftables_world.event(doors.a, "updated")
    doors.check(doors.isolated)
    nftables_world.machine.run("ip", "link", "delete", "dev", bridge)
    nftables_world.event(doors.c, "stopped")
    assert bridge not in nftables_world.machine.run("nft", "list", "table", "inet", "nethook")


@pytest.mark.parametrize("call", range(1, CALLS_OF_A_START + 1))
@pytest.mark.parametrize("kind", ["kill -9 before", "kill -9 after"])
def test_killed_when_it_starts_a_tool(nftables_world: World, kind: str, call: int) -> None:
    """At ``started``, which is all that this network has been told of; it has no lines, so it needs few tools."""
    world = nftables_world
    doors = Doors(world)
    _have_forward_chains(world)
    fault = Fault(world.machine, TOOLS, kind, call)
    world.event(doors.c, "started")
    was_hit = fault.was_hit
    wait_for(lambda: not world.machine.processes(), "no process is left behind")
    fault.mend()
    doors.check(doors.isolated)
    assert was_hit


def test_these_are_all_calls(nftables_world: World) -> None:
    doors = Doors(nftables_world)
    _have_forward_chains(nftables_world)
    tools = Fault(nftables_world.machine, TOOLS, "nothing")
    nftables_world.event(doors.c, "started")
    assert sum(tools.calls.values()) == CALLS_OF_A_START


def _have_forward_chains(world: World) -> None:
    """Without chains of iptables, an event of a network without lines starts no tool."""
    for tool in ("iptables-nft", "ip6tables-nft"):
        world.machine.run(tool, "-P", "FORWARD", "ACCEPT")


def test_killed_at_any_moment_of_started(nftables_world: World) -> None:
    world = nftables_world
    doors = Doors(world)
    for milliseconds in (0, 5, 10, 15, 20, 25, 30, 40, 60):
        world.event(doors.c, "start")
        with HookProcess(world.machine, "c", "started") as hook:
            hook.give(doors.c.event_xml().encode())
            time.sleep(milliseconds / 1000)
            for line in world.machine.run("pgrep", "-f", "nethook.hook", check=False).split():
                world.machine.run("kill", f"-{signal.SIGKILL.value}", line, check=False)
        doors.check(doors.isolated)
        world.event(doors.a, "updated")
        doors.check(doors.isolated)
        world.event(doors.c, "stopped")
        assert doors.c.bridge not in world.machine.run("nft", "list", "set", "inet", "nethook", "bridges")


def test_installed_while_networks_run(world: World) -> None:
    """The first event comes before the first apply: bridges with guests' taps are somebody's guests."""
    doors = Doors(world)
    doors.check()
    world.event(doors.b, "updated")
    doors.check()
    world.event(doors.c, "port-created")
    doors.check()


def test_a_bridge_with_an_uplink_is_the_outside(nftables_world: World) -> None:
    """The host's own bridge, with guests on it beside the uplink, and a bridge with containers."""
    world = nftables_world
    doors = Doors(world)
    world.host.ip(
        "link add br0 type bridge",
        "link add vxlan7 type vxlan id 7 dstport 4789",  # stands for a NIC
        "link set vxlan7 master br0",
        "link add vnet90 type veth peer name vnet91",
        "link set vnet90 address fe:54:00:00:00:90 master br0",
        "link add docker0 type bridge",
        "link add veth80 type veth peer name veth81",
        "link set veth80 address 02:42:ac:11:00:02 master docker0",
    )
    world.event(doors.a, "updated")
    listed = world.machine.run("nft", "list", "set", "inet", "nethook", "bridges")
    assert "br0" not in listed
    assert "docker0" not in listed


def test_the_record_cannot_be_written(world: World) -> None:
    doors = Doors(world)
    world.machine.run("mkdir", "/run/nethook/told.new")  # where it is written before it is renamed
    world.event(doors.c, "start")
    logged = world.event(doors.c, "started")
    assert [line.text for line in logged if line.is_error and "cannot record" in line.text]
    doors.check(doors.isolated)
    world.event(doors.a, "updated")
    doors.check(doors.isolated)


def test_a_network_that_was_down_has_started_unseen(world: World) -> None:
    """The hook was gone at that time, or killed before it did anything."""
    doors = Doors(world)
    start(world, doors.b, doors.c)
    for network in (doors.b, doors.c):
        world.event(network, "stopped")  # and nothing of what comes then
    world.event(doors.a, "updated")
    doors.check()
