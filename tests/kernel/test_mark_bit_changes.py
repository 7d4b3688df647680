"""A host of an older version, or with another mark bit, gets the new rules and gates, and loses no packet.

With one exception. A packet passes our two chains one after the other, and the kernel looks at the start of each chain
which rules are in force. So a packet that is between them when the rules change was put into the hands of the old first
chain, and leaves by the new second one, which takes the bits for what they were not. If somebody has marked it with one
of these bits, it leaves with another mark. That is one packet of a flow at each change, and would take two more
transactions to avoid; flows without such marks, and routed addresses, lose nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.flow import UdpFlow, going_on
from lab.world.world import SETTINGS, World
from nethook.config.settings import MARK_BIT
from tests.kernel import listings
from tests.kernel.applying import apply
from tests.kernel.faults import Fault
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.machine import Machine
    from lab.world.packets import Place
    from lab.world.world import WorldGuest

FORMER = 0x40
RULES = Path(__file__).with_name("former") / "mark-0x40.nft"
"""The sets and rules of the last version with that bit, as it gave them to nft."""
CHANGES = 2
"""How often our rules change: to rules for both bits, and, when the old gates are closed, for the new one alone."""
UNRELATED = 0x3
"""A mark with none of the bits."""
ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}


def install_former(machine: Machine) -> None:
    """Make what is in force what the older version had: its rules, its gates."""
    machine.nft(
        *RULES.read_text(encoding="utf-8").splitlines(),
        *(f"{verb} chain inet nethook {chain}" for verb in ("flush", "delete") for chain in ("put_aside", "give_back")),
    )
    for family in ("ip", "ip6"):
        chain = f"{family} libvirt_network forward"
        listed = machine.run("sh", "-c", f"nft --handle list chain {chain} 2>/dev/null || true")
        for handle in [line.split()[-1] for line in listed.splitlines() if "nethook-" in line]:
            machine.nft(
                f"replace rule {chain} handle {handle}"
                f' meta mark & {FORMER:#010x} == {FORMER:#010x} counter accept comment "nethook-{FORMER:#x}"'
            )
    for tool in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"):
        rules = machine.run(tool, "-S", "FORWARD").splitlines()[1:]
        for number, rule in enumerate(rules, start=1):
            if "nethook-" in rule:
                words = ["-m", "mark", "--mark", f"{FORMER:#x}/{FORMER:#x}", "-m", "comment", "--comment"]
                machine.run(tool, "-R", "FORWARD", str(number), *words, f"nethook-{FORMER:#x}", "-j", "ACCEPT")


@pytest.fixture
def iptables_world() -> Iterator[World]:
    made = World(FIREWALLS["iptables-nft"])
    yield made
    made.close()


class Host:
    """A routed guest and two on the same bridge, whose packets have marks; somebody drops those without theirs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scenario = Scenario(world)
        self.scenario.event("started")
        self.bystander = world.guest(self.scenario.network)
        self.unrelated = world.guest(self.scenario.network)
        world.machine.nft(
            "add table inet somebody",
            "add chain inet somebody before { type filter hook prerouting priority mangle; }",
            "add chain inet somebody after { type filter hook postrouting priority mangle; }",
        )
        self._mark(self.unrelated, UNRELATED)

    def mark(self, mark: int) -> None:
        """Give all that the bystander sends, and all that is sent to it, this mark."""
        self._mark(self.bystander, mark)

    def _mark(self, guest: WorldGuest, mark: int) -> None:
        private = {"ip": guest.private(4).address, "ip6": guest.private(6).address}
        self.world.machine.nft(
            *(
                f"add rule inet somebody before {ip} {way} {address} meta mark set {mark:#x}"
                for ip, address in private.items()
                for way in ("saddr", "daddr")
            ),
            *(
                f'add rule inet somebody after iifname "virbr1" {ip} saddr {address} meta mark != {mark:#x} drop'
                for ip, address in private.items()
            ),
        )

    def ways(self, family: int) -> list[tuple[Place, Place]]:
        """What has to pass all the time."""
        routed, outside = self.scenario.guest.at(ROUTED[family]), self.world.outside(family)
        return [(outside, routed), (routed, outside), (self.unrelated.private(family), outside)]


def during(host: Host, change: list[str], *, by_apply: bool) -> tuple[list[list[int]], set[int]]:
    """Return what is lost of each way meanwhile, and what gets to the bystander from outside, which must be nothing.

    Of the packets with our bits in their marks, each change of the rules may cost one of a flow.
    """
    machine = host.world.machine
    flows, marked, closed = (
        [UdpFlow(source, destination, anew=True) for source, destination in ways]
        for ways in (
            [way for family in (4, 6) for way in host.ways(family)],
            [(host.bystander.private(family), host.world.outside(family)) for family in (4, 6)],
            [(host.world.outside(family), host.bystander.private(family)) for family in (4, 6)],
        )
    )
    with going_on([*flows, *marked, *closed]):
        for line in change:
            machine.write(SETTINGS, f"{line}\n")
        if by_apply:
            done = apply(host.world, host.scenario.network)
        else:
            done = [line.text for line in host.scenario.event("port-created") if not line.text.startswith("failure")]
    assert [line for line in done if line.startswith("+ gate in")]
    assert [line for line in done if line.startswith("- gate in")]
    assert all(flow.sent for flow in (*flows, *marked, *closed))
    for flow in marked:
        assert len(flow.lost) <= CHANGES
    return [flow.lost for flow in flows], {number for flow in closed for number in flow.received}


@pytest.mark.parametrize("by_apply", [True, False], ids=["apply", "event"])
def test_the_bit_of_an_older_version_is_replaced_without_a_gap(world: World, *, by_apply: bool) -> None:
    host = Host(world)
    wanted = listings.ours(world.machine)
    install_former(world.machine)
    assert f"nethook-{FORMER:#x}" in "".join(listings.gates(world.machine))
    host.mark(MARK_BIT | 0x1)  # of those with 0x40, the older version takes that bit away
    lost, opened = during(host, [], by_apply=by_apply)
    assert lost == [[]] * 6
    assert opened == set()
    assert listings.ours(world.machine) == wanted
    assert apply(world, host.scenario.network) == []


@pytest.mark.parametrize("by_apply", [True, False], ids=["apply", "event"])
@pytest.mark.parametrize("mark", [0x20000001, MARK_BIT | 0x1, MARK_BIT | 0x20000001], ids=hex)
def test_another_bit_by_setting_comes_without_a_gap(world: World, mark: int, *, by_apply: bool) -> None:
    host = Host(world)
    host.mark(mark)
    lost, opened = during(host, ["mark-bit = 0x20000000"], by_apply=by_apply)
    assert lost == [[]] * 6
    assert opened == set()
    assert {gate.count("0x20000000") for gate in listings.gates(world.machine)} == {3}
    assert f"{MARK_BIT:#x}" not in listings.table(world.machine)
    assert apply(world, host.scenario.network) == []
    assert host.scenario.silent() == []


@pytest.mark.parametrize("tool", ["iptables-nft-restore", "ip6tables-nft-restore"])
def test_a_gate_that_cannot_be_opened_leaves_both_bits_until_it_can(iptables_world: World, tool: str) -> None:
    world = iptables_world
    host = Host(world)
    install_former(world.machine)
    fault = Fault(world.machine, [tool], "exit 1")
    assert [line for line in host.scenario.event("port-created") if line.is_error]
    assert host.scenario.silent() == []
    assert "0x10000040" in listings.table(world.machine)
    fault.mend()
    assert not [line for line in host.scenario.event("port-created") if line.is_error]
    assert host.scenario.silent() == []
    assert "0x10000040" not in listings.table(world.machine)
    assert {f"nethook-{MARK_BIT:#x}" in gate for gate in listings.gates(world.machine)} == {True}
    assert host.scenario.event("port-created") == []
