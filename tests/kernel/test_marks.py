"""Packets leave our tables with the mark that they came with, and no foreign mark opens a gate."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from nethook.config.settings import MARK_BIT
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.world.packets import Place
    from lab.world.world import World

FOREIGN = (1, 2, 100, 200, 255, 0x100, 0x2000, 0x4000, 0x8000, 0x3F00, 51820, 0x80000, 0xFF0000)
"""What others write into marks: kube-proxy, wg-quick, Tailscale, and people."""
WITH_OUR_BIT = (MARK_BIT, MARK_BIT | 0x64, 0xFFFFFFFF)
VALUES = (0, *FOREIGN, *WITH_OUR_BIT)
VALUES_ALONE: list[tuple[int, int | None]] = [(value, None) for value in VALUES]
"""With whatever priority."""
PRIORITIES = (0, 6, 0x10010, 0xFFFFFF, 0x80010003, 0xFFFF0001)
FOR_ROUTING = (100, 200, 255, 51820, MARK_BIT | 0x64)
families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}
SOMEBODY = "table inet somebody"


class Marks:
    """Somebody who marks all that is forwarded, classifies it for tc, and sees what leaves the host."""

    def __init__(self, world: World) -> None:
        self._machine = world.machine
        self._exchange = world.exchange
        self._machine.nft(
            f"add {SOMEBODY}",
            "add set inet somebody seen { typeof udp sport . udp dport . meta mark . meta priority; flags dynamic; }",
            "add chain inet somebody before { type filter hook prerouting priority mangle; }",
            "add chain inet somebody class { type filter hook forward priority mangle; }",
            "add chain inet somebody after { type filter hook postrouting priority mangle; }",
            "add rule inet somebody after fib saddr type != local meta l4proto udp"
            " add @seen { udp sport . udp dport . meta mark . meta priority }",
        )

    def give(self, mark: int, priority: int | None = None) -> None:
        """Give every packet this mark from now on, and this priority."""
        self._machine.nft(
            *(f"flush chain inet somebody {chain}" for chain in ("before", "class")),
            f"add rule inet somebody before meta mark set {mark:#x}",
            *([f"add rule inet somebody class meta priority set {priority:#x}"] if priority is not None else []),
        )

    def seen(self) -> Iterator[tuple[int, int]]:
        """Yield the mark and priority of each packet that has left."""
        listed = self._machine.run("nft", "list", "set", "inet", "somebody", "seen")
        for element in listed.partition("elements = {")[2].partition("}")[0].split(","):
            _, _, mark, priority = element.split(" . ")
            yield int(mark, 16), _priority(priority.strip())

    def check(self, ways: Sequence[tuple[Place, Place]], given: Sequence[tuple[int, int | None]]) -> None:
        """With each of these marks and priorities one packet goes each of these ways, and one back. All keep them.

        But where tc has a class with a major number above 0xff, ours of the bits goes: docs/firewalls.md.
        """
        wanted: Counter[tuple[int, int | None]] = Counter()
        for mark, priority in given:
            self.give(mark, priority)
            for source, destination in ways:
                assert self._exchange(source, destination), f"{source.address} → {destination.address}, {mark:#x}"
                wanted[mark & ~MARK_BIT if (priority or 0) > 0xFFFFFF else mark, priority] += 2
        assert wanted == Counter((mark, None if (mark, None) in wanted else priority) for mark, priority in self.seen())


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
    scenario, marks = Scenario(world), Marks(world)
    scenario.event("started")
    marks.check(ways(world, scenario, family), VALUES_ALONE)


@families
def test_marks_without_connection_tracking(nftables_world: World, family: int) -> None:
    world = nftables_world
    scenario, marks = Scenario(world), Marks(world)
    scenario.event("started")
    world.machine.nft(
        "add chain inet somebody untracked { type filter hook prerouting priority raw; }",
        "add rule inet somebody untracked notrack",
    )
    routed, outside = scenario.guest.at(ROUTED[family]), world.outside(family)
    marks.check([(outside, routed), (routed, outside)], VALUES_ALONE)


@families
def test_marks_of_what_stays_on_a_bridge_with_br_netfilter(world: World, family: int) -> None:
    scenario, marks = Scenario(world), Marks(world)
    other = world.guest(scenario.network, "203.0.113.18", "2001:db8:7:1::18")
    scenario.event("started")
    for tables in ("iptables", "ip6tables"):
        world.host.sysctl(f"bridge/bridge-nf-call-{tables}", 1)
    private = scenario.guest.private(family)
    routed = other.at("203.0.113.18" if family == 4 else "2001:db8:7:1::18")
    on_the_bridge = [(other.private(family), private), (private, routed), (routed, private)]
    marks.check(on_the_bridge, VALUES_ALONE)


@families
def test_the_priority_of_a_packet_leaves_as_it_came(nftables_world: World, family: int) -> None:
    """We use it in between where a mark has our bit."""
    world = nftables_world
    scenario, marks = Scenario(world), Marks(world)
    scenario.event("started")
    given: list[tuple[int, int | None]] = [
        (mark, priority) for priority in PRIORITIES for mark in (0, 100, *WITH_OUR_BIT)
    ]
    marks.check(ways(world, scenario, family), given)


@families
def test_a_foreign_mark_with_our_bit_opens_no_gate(world: World, family: int) -> None:
    scenario, marks = Scenario(world), Marks(world)
    private = world.guest(scenario.network).private(family)
    scenario.event("started")
    for mark in WITH_OUR_BIT:
        marks.give(mark)
        assert world.exchange(world.outside(family), scenario.guest.at(ROUTED[family]))
        assert not world.reaches(world.outside(family), private), f"{mark:#x}"


@families
def test_what_others_do_by_mark_for_another_guest_works(world: World, family: int) -> None:
    """As in the field: the mark of one guest chooses its route, and the address that it is seen as."""
    ip, seen_as = {4: ("ip", "198.51.100.9"), 6: ("ip6", "2001:db8:ffff::9")}[family]
    scenario = Scenario(world)
    bystander = world.guest(scenario.network).private(family)
    for command in (
        f"address add {seen_as}/{32 if family == 4 else 128} dev uplink{' preferred_lft 0' * (family == 6)}",
        *(f"rule add fwmark {mark} lookup 100 priority 100" for mark in FOR_ROUTING),
        f"rule add from {bystander.address} lookup 101 priority 101",
        f"route add default via {world.outside(family).address} table 100",
        "route add unreachable default table 101",
    ):
        world.machine.run("ip", f"-{family}", *command.split())
    world.machine.nft(
        f"add {SOMEBODY}",
        "add chain inet somebody before { type filter hook prerouting priority mangle; }",
        "add chain inet somebody after { type nat hook postrouting priority srcnat - 1; }",
        *(f"add rule inet somebody after meta mark {mark} snat {ip} to {seen_as}" for mark in FOR_ROUTING),
    )

    def seen() -> dict[int, str | None]:
        """As whom the outside sees the bystander, by its mark."""
        found = {}
        for mark in FOR_ROUTING:
            world.machine.nft(
                "flush chain inet somebody before",
                f'add rule inet somebody before iifname "virbr1" {ip} saddr {bystander.address} meta mark set {mark}',
            )
            found[mark] = world.exchange(bystander, world.outside(family))
        return found

    assert seen() == dict.fromkeys(FOR_ROUTING, seen_as), "before there is anything of ours"
    scenario.event("started")
    assert seen() == dict.fromkeys(FOR_ROUTING, seen_as)
    assert scenario.silent() == []
