"""The gate in libvirt's own nftables tables, and nftables rulesets that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.firewalls.libvirt_nftables import LibvirtNftables
from lab.world.world import SETTINGS, World
from tests.kernel import listings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.syslog import Logged
    from lab.world.world import WorldGuest

ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}
FILTERED = {4: "203.0.113.66", 6: "2001:db8:7::66"}
IP = {4: "ip", 6: "ip6"}
GATE = 'meta mark & 0x10000000 == 0x10000000 counter accept comment "nethook-0x10000000"'
OTHER_GATE = 'meta mark & 0x00000080 == 0x00000080 counter accept comment "nethook-0x80"'

MISFITS = {
    "missing": [],
    "doubled": [f"insert rule {{chain}} {GATE}", f"insert rule {{chain}} {GATE}"],
    "behind libvirt": [f"add rule {{chain}} {GATE}"],
    "doubled, in front and behind": [f"insert rule {{chain}} {GATE}", f"add rule {{chain}} {GATE}"],
    "for another mark bit": [f"insert rule {{chain}} {OTHER_GATE}"],
    "for another mark bit too": [f"insert rule {{chain}} {OTHER_GATE}", f"insert rule {{chain}} {GATE}"],
}


class Side:
    """One family of a host."""

    def __init__(self, world: World, guest: WorldGuest, family: int) -> None:
        self._machine = world.machine
        self.routed = guest.at(ROUTED[family])
        self.filtered = guest.at(FILTERED[family])
        self.outside = world.outside(family)
        self.chain = f"{IP[family]} libvirt_network forward"
        self.ip = IP[family]

    def forward(self) -> list[str]:
        """The rules of libvirt's chain."""
        lines = self._machine.run("nft", "--stateless", "list", "chain", *self.chain.split()).splitlines()
        return [line.strip() for line in lines if "counter" in line]


class Host:
    """A host whose network public runs, and libvirt has not yet called the hook. The same happens in both families."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.network("public", 1)
        guest = world.guest(self.network, *ROUTED.values(), *FILTERED.values())
        world.configure(*(f"{address} public" for address in (*ROUTED.values(), *FILTERED.values())))
        self.sides = [Side(world, guest, family) for family in (4, 6)]

    def event(self, operation: str) -> list[Logged]:
        return self.world.event(self.network, operation)

    def check(self) -> None:
        """The routed addresses answer, and those that somebody filters do not."""
        for side in self.sides:
            assert self.world.exchange(side.outside, side.routed)
            assert not self.world.reaches(side.outside, side.filtered)

    def are_routed(self) -> list[bool]:
        """Whether the routed address answers, in each family."""
        return [bool(self.world.exchange(side.outside, side.routed)) for side in self.sides]


@pytest.fixture
def host() -> Iterator[Host]:
    world = World(LibvirtNftables())
    yield Host(world)
    world.close()


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_gate_is_put_right(host: Host, misfit: str) -> None:
    for side in host.sides:
        host.world.machine.nft(*(command.format(chain=side.chain) for command in MISFITS[misfit]))
    before = listings.foreign(host.world.machine)
    logged = host.event("started")
    for side in host.sides:
        assert [line for line in logged if f"gate in {side.chain}" in line.text and not line.is_error]
        assert side.forward() == [
            GATE,
            "counter jump guest_cross",
            "counter jump guest_input",
            "counter jump guest_output",
        ]
    assert listings.foreign(host.world.machine) == before
    assert host.are_routed() == [True, True]
    assert host.event("port-created") == []


@pytest.mark.parametrize("verdict", ["drop", "reject"])
@pytest.mark.parametrize("when", ["before the gate is opened", "afterwards"])
def test_what_an_admin_puts_in_front_of_the_gate_stays_in_force(host: Host, when: str, verdict: str) -> None:
    if when == "afterwards":
        host.event("started")
    for side in host.sides:
        rule = f"{side.ip} daddr {side.filtered.address} counter {verdict}"
        host.world.machine.nft(f"insert rule {side.chain} {rule}")
    before = listings.foreign(host.world.machine)
    host.event("port-created")
    assert listings.foreign(host.world.machine) == before
    host.check()


@pytest.mark.parametrize("priority", ["filter - 20", "filter", "filter + 10"])
def test_an_admins_own_chain_stays_in_force(host: Host, priority: str) -> None:
    host.world.machine.nft(
        "add table inet admin",
        f"add chain inet admin forward {{ type filter hook forward priority {priority}; policy accept; }}",
        *(f"add rule inet admin forward {side.ip} daddr {side.filtered.address} counter drop" for side in host.sides),
    )
    before = listings.foreign(host.world.machine)
    host.event("started")
    assert listings.foreign(host.world.machine) == before
    host.check()


@pytest.mark.parametrize(
    ("chain", "match"),
    [
        ("forward", "{address}"),
        ("forward", "{{ {address}, {unused} }}"),
        ("FORWARD", "{address}"),
        ("FORWARD", "{{ {address}, {unused} }}"),
    ],
)
def test_an_admins_own_table_that_has_the_name_of_one_of_iptables(host: Host, chain: str, match: str) -> None:
    for side in host.sides:
        unused = "198.51.100.99" if side.ip == "ip" else "2001:db8:99::1"
        filtered = match.format(address=side.filtered.address, unused=unused)
        host.world.machine.nft(
            f"add table {side.ip} filter",
            f"add chain {side.ip} filter {chain} {{ type filter hook forward priority filter; policy accept; }}",
            f"add rule {side.ip} filter {chain} {side.ip} daddr {filtered} counter drop",
        )
    host.event("started")
    host.check()


def test_without_any_other_firewall_none_is_made(host: Host) -> None:
    host.world.machine.nft("flush ruleset")
    before = listings.foreign(host.world.machine)
    host.event("started")
    assert listings.gates(host.world.machine) == []
    assert listings.foreign(host.world.machine) == before
    assert host.are_routed() == [True, True]


def test_iptables_with_policy_drop_beside_libvirts_nftables(host: Host) -> None:
    for tool in ("iptables-nft", "ip6tables-nft"):
        host.world.machine.run(tool, "-P", "FORWARD", "DROP")
    host.event("started")
    for side in host.sides:
        assert host.world.exchange(side.outside, side.routed)
        assert host.world.exchange(side.routed, side.outside)


def test_gates_that_the_settings_leave_out_stay_closed(host: Host) -> None:
    host.world.machine.write(SETTINGS, "gates = iptables ip6tables\n")
    host.event("started")
    assert listings.gates(host.world.machine) == []
    for side in host.sides:
        assert not host.world.reaches(side.outside, side.routed)


def test_another_mark_bit(host: Host) -> None:
    host.event("started")
    host.world.machine.write(SETTINGS, "mark-bit = 0x100000\n")
    host.event("port-created")
    assert [gate.rpartition(" ")[2] for gate in listings.gates(host.world.machine)] == ['"nethook-0x100000"'] * 2
    assert host.are_routed() == [True, True]


def test_libvirts_tables_deleted_and_written_anew(host: Host) -> None:
    host.event("started")
    host.world.machine.nft("delete table ip libvirt_network", "delete table ip6 libvirt_network")
    host.world.firewall.start(host.world.machine, host.network)
    for side in host.sides:
        assert not host.world.reaches(side.outside, side.routed)
    host.event("port-created")
    assert host.are_routed() == [True, True]
