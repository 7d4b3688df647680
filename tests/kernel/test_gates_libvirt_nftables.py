"""The gate in libvirt's own nftables tables, and nftables rulesets that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.firewalls.libvirt_nftables import LibvirtNftables
from lab.world.world import SETTINGS, World
from tests.kernel import listings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.network import WorldNetwork
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


class Host:
    """A host whose network public runs, and libvirt has not yet called the hook."""

    def __init__(self, world: World, family: int) -> None:
        self.world = world
        self.network: WorldNetwork = world.network("public", 1)
        guest: WorldGuest = world.guest(self.network, *ROUTED.values(), *FILTERED.values())
        world.configure(*(f"{address} public" for address in (*ROUTED.values(), *FILTERED.values())))
        self.routed = guest.at(ROUTED[family])
        self.filtered = guest.at(FILTERED[family])
        self.outside = world.outside(family)
        self.chain = f"{IP[family]} libvirt_network forward"
        self.ip = IP[family]

    def forward(self) -> list[str]:
        """The rules of libvirt's chain."""
        lines = self.world.machine.run("nft", "--stateless", "list", "chain", *self.chain.split()).splitlines()
        return [line.strip() for line in lines if "counter" in line]


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    world = World(LibvirtNftables())
    yield Host(world, request.param)
    world.close()


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_gate_is_put_right(host: Host, misfit: str) -> None:
    host.world.machine.nft(*(command.format(chain=host.chain) for command in MISFITS[misfit]))
    before = listings.foreign(host.world.machine)
    logged = host.world.event(host.network, "started")
    assert [line for line in logged if f"gate in {host.chain}" in line.text and not line.is_error]
    assert host.forward() == [
        GATE,
        "counter jump guest_cross",
        "counter jump guest_input",
        "counter jump guest_output",
    ]
    assert listings.foreign(host.world.machine) == before
    assert host.world.exchange(host.outside, host.routed)
    assert host.world.event(host.network, "port-created") == []


@pytest.mark.parametrize("verdict", ["drop", "reject"])
@pytest.mark.parametrize("when", ["before the gate is opened", "afterwards"])
def test_what_an_admin_puts_in_front_of_the_gate_stays_in_force(host: Host, when: str, verdict: str) -> None:
    if when == "afterwards":
        host.world.event(host.network, "started")
    host.world.machine.nft(f"insert rule {host.chain} {host.ip} daddr {host.filtered.address} counter {verdict}")
    before = listings.foreign(host.world.machine)
    host.world.event(host.network, "port-created")
    assert listings.foreign(host.world.machine) == before
    assert host.world.exchange(host.outside, host.routed)
    assert not host.world.reaches(host.outside, host.filtered)


@pytest.mark.parametrize("priority", ["filter - 20", "filter", "filter + 10"])
def test_an_admins_own_chain_stays_in_force(host: Host, priority: str) -> None:
    host.world.machine.nft(
        "add table inet admin",
        f"add chain inet admin forward {{ type filter hook forward priority {priority}; policy accept; }}",
        f"add rule inet admin forward {host.ip} daddr {host.filtered.address} counter drop",
    )
    before = listings.foreign(host.world.machine)
    host.world.event(host.network, "started")
    assert listings.foreign(host.world.machine) == before
    assert host.world.exchange(host.outside, host.routed)
    assert not host.world.reaches(host.outside, host.filtered)


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
    unused = "198.51.100.99" if host.ip == "ip" else "2001:db8:99::1"
    filtered = match.format(address=host.filtered.address, unused=unused)
    host.world.machine.nft(
        f"add table {host.ip} filter",
        f"add chain {host.ip} filter {chain} {{ type filter hook forward priority filter; policy accept; }}",
        f"add rule {host.ip} filter {chain} {host.ip} daddr {filtered} counter drop",
    )
    host.world.event(host.network, "started")
    assert host.world.exchange(host.outside, host.routed)
    assert not host.world.reaches(host.outside, host.filtered)


def test_without_any_other_firewall_none_is_made(host: Host) -> None:
    host.world.machine.nft("flush ruleset")
    before = listings.foreign(host.world.machine)
    host.world.event(host.network, "started")
    assert listings.gates(host.world.machine) == []
    assert listings.foreign(host.world.machine) == before
    assert host.world.exchange(host.outside, host.routed)


def test_iptables_with_policy_drop_beside_libvirts_nftables(host: Host) -> None:
    tool = "iptables-nft" if host.ip == "ip" else "ip6tables-nft"
    host.world.machine.run(tool, "-P", "FORWARD", "DROP")
    host.world.event(host.network, "started")
    assert host.world.exchange(host.outside, host.routed)
    assert host.world.exchange(host.routed, host.outside)


def test_gates_that_the_settings_leave_out_stay_closed(host: Host) -> None:
    host.world.machine.write(SETTINGS, "gates = iptables ip6tables\n")
    host.world.event(host.network, "started")
    assert listings.gates(host.world.machine) == []
    assert not host.world.reaches(host.outside, host.routed)


def test_another_mark_bit(host: Host) -> None:
    host.world.event(host.network, "started")
    host.world.machine.write(SETTINGS, "mark-bit = 0x100000\n")
    host.world.event(host.network, "port-created")
    assert [gate.rpartition(" ")[2] for gate in listings.gates(host.world.machine)] == ['"nethook-0x100000"'] * 2
    assert host.world.exchange(host.outside, host.routed)


def test_libvirts_tables_deleted_and_written_anew(host: Host) -> None:
    host.world.event(host.network, "started")
    host.world.machine.nft("delete table ip libvirt_network", "delete table ip6 libvirt_network")
    host.world.firewall.start(host.world.machine, host.network)
    assert not host.world.reaches(host.outside, host.routed)
    host.world.event(host.network, "port-created")
    assert host.world.exchange(host.outside, host.routed)
