"""Packets leave our tables with the mark that they came with, and no foreign mark opens a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.config.settings import MARK_BIT
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from lab.world.machine import Machine
    from lab.world.packets import Place
    from lab.world.world import World

FOREIGN = (1, 2, 100, 200, 255, 0x100, 0x2000, 0x4000, 0x8000, 0x3F00, 51820, 0x80000, 0xFF0000)
"""What others write into marks: kube-proxy, wg-quick, Tailscale, and people."""
WITH_OUR_BIT = (MARK_BIT, MARK_BIT | 0x64, 0xFFFFFFFF)
VALUES = (0, *FOREIGN, *WITH_OUR_BIT)
families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}
SOMEBODY = "table inet somebody"


class Marks:
    """Somebody who marks all that is forwarded, classifies it for tc, and sees what leaves the host."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        machine.nft(
            f"add {SOMEBODY}",
            "add set inet somebody seen { typeof meta mark . meta priority; flags dynamic; }",
            "add chain inet somebody before { type filter hook prerouting priority mangle; }",
            "add chain inet somebody class { type filter hook forward priority mangle; }",
            "add chain inet somebody after { type filter hook postrouting priority mangle; }",
            "add rule inet somebody after fib saddr type != local meta l4proto udp"
            " add @seen { meta mark . meta priority }",
        )

    def give(self, mark: int, priority: int | None = None) -> None:
        """Give every packet this mark from now on, and this priority; forget what was seen."""
        self._machine.nft(
            *(f"flush chain inet somebody {chain}" for chain in ("before", "class")),
            "flush set inet somebody seen",
            f"add rule inet somebody before meta mark set {mark:#x}",
            *([f"add rule inet somebody class meta priority set {priority:#x}"] if priority is not None else []),
        )

    def seen(self) -> set[tuple[int, int]]:
        """The marks and priorities of what has left."""
        listed = self._machine.run("nft", "list", "set", "inet", "somebody", "seen")
        elements = listed.partition("elements = {")[2].partition("}")[0].split(",")
        pairs = [element.split(" . ") for element in elements if element.strip()]
        return {(int(mark, 16), _priority(text.strip())) for mark, text in pairs}


def _priority(listed: str) -> int:
    """A priority as nft lists it: none, or two numbers of 16 bits."""
    high, _, low = listed.replace("none", ":").partition(":")
    return int(high or "0", 16) << 16 | int(low or "0", 16)


def ways(world: World, scenario: Scenario, family: int) -> list[tuple[Place, Place]]:
    """Who talks to whom: a guest that is not routed on the same bridge, and the routed one."""
    bystander = world.guest(scenario.network).private(family)
    routed, outside = scenario.guest.at(ROUTED[family]), world.outside(family)
    return [(bystander, outside), (outside, routed), (routed, outside)]


@families
def test_every_mark_leaves_as_it_came(world: World, family: int) -> None:
    scenario, marks = Scenario(world), Marks(world.machine)
    scenario.event("started")
    wrong = []
    for source, destination in ways(world, scenario, family):
        for mark in VALUES:
            marks.give(mark)
            assert world.exchange(source, destination), f"{source.address} → {destination.address}, {mark:#x}"
            if {seen for seen, _ in marks.seen()} != {mark}:
                wrong.append((source.address, destination.address, hex(mark), marks.seen()))
    assert wrong == []


@families
def test_marks_without_connection_tracking(nftables_world: World, family: int) -> None:
    world = nftables_world
    scenario, marks = Scenario(world), Marks(world.machine)
    scenario.event("started")
    world.machine.nft(
        "add chain inet somebody untracked { type filter hook prerouting priority raw; }",
        "add rule inet somebody untracked notrack",
    )
    routed, outside = scenario.guest.at(ROUTED[family]), world.outside(family)
    for source, destination in ((outside, routed), (routed, outside)):
        for mark in VALUES:
            marks.give(mark)
            assert world.exchange(source, destination)
            assert {seen for seen, _ in marks.seen()} == {mark}


@families
def test_marks_of_what_stays_on_a_bridge_with_br_netfilter(world: World, family: int) -> None:
    scenario, marks = Scenario(world), Marks(world.machine)
    other = world.guest(scenario.network, "203.0.113.18", "2001:db8:7:1::18")
    scenario.event("started")
    for tables in ("iptables", "ip6tables"):
        world.host.sysctl(f"bridge/bridge-nf-call-{tables}", 1)
    private = scenario.guest.private(family)
    routed = other.at("203.0.113.18" if family == 4 else "2001:db8:7:1::18")
    for source, destination in ((other.private(family), private), (private, routed), (routed, private)):
        for mark in VALUES:
            marks.give(mark)
            assert world.exchange(source, destination), f"{source.address} → {destination.address}, {mark:#x}"
            assert {seen for seen, _ in marks.seen()} == {mark}


@families
@pytest.mark.parametrize("priority", [0, 6, 0x10010, 0xFFFFFF, 0x80010003, 0xFFFF0001], ids=hex)
def test_the_priority_of_a_packet_leaves_as_it_came(nftables_world: World, family: int, priority: int) -> None:
    """We use it in between where a mark has our bit."""
    world = nftables_world
    scenario, marks = Scenario(world), Marks(world.machine)
    scenario.event("started")
    for source, destination in ways(world, scenario, family):
        for mark in (0, 100, *WITH_OUR_BIT):
            marks.give(mark, priority)
            assert world.exchange(source, destination)
            assert {seen for _, seen in marks.seen()} == {priority}, f"{source.address}, {mark:#x}"


@families
@pytest.mark.parametrize("mark", WITH_OUR_BIT)
def test_a_foreign_mark_with_our_bit_opens_no_gate(world: World, family: int, mark: int) -> None:
    scenario, marks = Scenario(world), Marks(world.machine)
    private = world.guest(scenario.network).private(family)
    scenario.event("started")
    marks.give(mark)
    assert world.exchange(world.outside(family), scenario.guest.at(ROUTED[family]))
    assert not world.reaches(world.outside(family), private)


@families
@pytest.mark.parametrize("mark", [100, 200, 255, 51820, MARK_BIT | 0x64])
def test_what_others_do_by_mark_for_another_guest_works(world: World, family: int, mark: int) -> None:
    """As in the field: the mark of one guest chooses its route, and the address that it is seen as."""
    ip, seen_as = {4: ("ip", "198.51.100.9"), 6: ("ip6", "2001:db8:ffff::9")}[family]
    scenario = Scenario(world)
    bystander = world.guest(scenario.network).private(family)
    for command in (
        f"address add {seen_as}/{32 if family == 4 else 128} dev uplink{' preferred_lft 0' * (family == 6)}",
        f"rule add fwmark {mark} lookup 100 priority 100",
        f"rule add from {bystander.address} lookup 101 priority 101",
        f"route add default via {world.outside(family).address} table 100",
        "route add unreachable default table 101",
    ):
        world.machine.run("ip", f"-{family}", *command.split())
    world.machine.nft(
        f"add {SOMEBODY}",
        "add chain inet somebody before { type filter hook prerouting priority mangle; }",
        "add chain inet somebody after { type nat hook postrouting priority srcnat - 1; }",
        f'add rule inet somebody before iifname "virbr1" {ip} saddr {bystander.address} meta mark set {mark}',
        f"add rule inet somebody after meta mark {mark} snat {ip} to {seen_as}",
    )
    assert world.exchange(bystander, world.outside(family)) == seen_as, "before there is anything of ours"
    scenario.event("started")
    assert world.exchange(bystander, world.outside(family)) == seen_as
    assert scenario.silent() == []
