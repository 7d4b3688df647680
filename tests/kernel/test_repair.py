"""What somebody deleted or damaged, the next event puts right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.network import ISOLATED
from lab.world.world import World
from tests.kernel import listings
from tests.kernel.golden import golden
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

T = "inet nethook"
DAMAGES = {
    "an element of to4": [f'nft delete element {T} to4 {{ "virbr1" . 203.0.113.10 }}'],
    "an element of from4": [f'nft delete element {T} from4 {{ "virbr1" . 203.0.113.10 }}'],
    "an element of routed4": [f"nft delete element {T} routed4 {{ 203.0.113.10 }}"],
    "a prefix of to4": [f'nft delete element {T} to4_prefixes {{ "virbr1" . 203.0.113.16/29 }}'],
    "a prefix of from6": [f'nft delete element {T} from6_prefixes {{ "virbr1" . 2001:db8:7:1::/64 }}'],
    "a prefix of routed6": [f"nft delete element {T} routed6_prefixes {{ 2001:db8:7:1::/64 }}"],
    "all elements of a set": [f"nft flush set {T} to6"],
    "the bridge": [f'nft delete element {T} bridges {{ "virbr1" }}'],
    "a bridge taken for isolated": [f'nft add element {T} isolated {{ "virbr1" }}'],
    "an address that nobody configured": [
        f'nft add element {T} to4 {{ "virbr1" . 203.0.113.99 }}',
        "ip route add 203.0.113.99 dev virbr1 proto 218",
    ],
    "an IPv4 route": ["ip route delete 203.0.113.10"],
    "an IPv6 route": ["ip route delete 2001:db8:7:1::/64"],
    "all routes": ["ip -4 route flush proto 218", "ip -6 route flush proto 218"],
    "the rules of a chain": [f"nft flush chain {T} forward4"],
    "a base chain": [f"nft flush chain {T} forward_end", f"nft delete chain {T} forward_end"],
    "a rule too many": [f"nft add rule {T} forward drop"],
    "a rule too many, with a comment like ours": [f'nft insert rule {T} forward drop comment "forged 00000000"'],
    "all rules": [f"nft flush table {T}"],
    "the table": [f"nft delete table {T}"],
    "the table and the routes": [
        f"nft delete table {T}",
        "ip -4 route flush proto 218",
        "ip -6 route flush proto 218",
    ],
}


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    """One for all damages, because each is repaired."""
    world = World(FIREWALLS["libvirt-nftables"])
    made = Scenario(world)
    made.event("started")
    yield made
    world.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_repaired_at_the_next_event(scenario: Scenario, damage: str) -> None:
    for command in DAMAGES[damage]:
        tool, _, arguments = command.partition(" ")
        if tool == "nft":
            scenario.machine.nft(arguments)
        else:
            scenario.machine.run(tool, *arguments.split())
    assert listings.ours(scenario.machine) != golden("libvirt-nftables")
    assert scenario.event("port-created")
    assert listings.ours(scenario.machine) == golden("libvirt-nftables")
    assert scenario.silent() == []
    assert scenario.event("port-created") == []


def test_a_table_without_rules_is_still_ours(nftables_world: World) -> None:
    """Its elements are known, so that a prefix that has grown meanwhile does not collide with what it was."""
    scenario = Scenario(nftables_world)
    scenario.event("started")
    scenario.machine.nft(f"flush table {T}")
    nftables_world.configure("203.0.113.16/28 public", "203.0.113.10 public")
    assert not [line for line in scenario.event("port-created") if line.is_error]
    assert scenario.event("port-created") == []
    table = listings.table(scenario.machine)
    assert "203.0.113.16/28" in table
    assert "203.0.113.16/29" not in table
    assert "2001:db8:7::10" not in table
    assert scenario.silent() == ["2001:db8:7::10", "2001:db8:7:1::1"]


def test_everything_flushed_with_libvirts_rules(world: World, request: pytest.FixtureRequest) -> None:
    """As nftables.service does. libvirt writes its rules anew when it restarts, and then calls the hook."""
    scenario = Scenario(world)
    scenario.event("started")
    world.machine.nft("flush ruleset")
    for tool in ("iptables-legacy", "ip6tables-legacy"):
        for table in world.machine.run(f"{tool}-save").split("\n"):
            if table.startswith("*"):
                world.machine.run(tool, "-t", table[1:], "-F")
                world.machine.run(tool, "-t", table[1:], "-X")
    world.firewall.start(world.machine, scenario.network)
    scenario.event("port-created")
    assert listings.ours(scenario.machine) == golden(request.node.callspec.params["world"])
    assert scenario.silent() == []


def test_a_table_without_one_of_our_sets_is_repaired(scenario: Scenario) -> None:
    using = ("to_routed4", "to_routed6")
    scenario.machine.nft(*(f"flush chain {T} {chain}" for chain in using), f"delete set {T} isolated")
    scenario.event("port-created")
    assert listings.ours(scenario.machine) == golden("libvirt-nftables")
    assert scenario.silent() == []


def test_the_table_deleted_the_other_networks_keep_working(world: World) -> None:
    here, there = world.network("here", 1), world.network("there", 2)
    guest_here, guest_there = world.guest(here, "203.0.113.10"), world.guest(there, "203.0.113.20")
    world.configure("203.0.113.10 here", "203.0.113.20 there")
    for network in (here, there):
        world.event(network, "started")
    world.machine.nft("delete table inet nethook")
    assert not world.reaches(world.outside(4), guest_there.at("203.0.113.20"))
    world.event(here, "port-created")
    assert world.exchange(world.outside(4), guest_here.at("203.0.113.10"))
    assert world.exchange(world.outside(4), guest_there.at("203.0.113.20"))
    assert world.exchange(guest_there.at("203.0.113.20"), world.outside(4))


def test_the_table_deleted_what_was_forbidden_to_the_other_networks_stays_so(nftables_world: World) -> None:
    world = nftables_world
    public, open_one = world.network("public", 1), world.network("open", 2, "open")
    isolated = world.network("isolated", 3, ISOLATED)
    guest, guest_open, guest_isolated = (world.guest(network) for network in (public, open_one, isolated))
    guest.add("203.0.113.10")
    world.configure("203.0.113.10 public", "203.0.113.20 open", "203.0.113.30 isolated")
    for network in (public, open_one, isolated):
        world.event(network, "started")
    routed, isolated_private = guest.at("203.0.113.10"), guest_isolated.private(4)
    forbidden = [
        (routed, isolated_private),
        (isolated_private, routed),
        (guest_open.at("203.0.113.10"), world.outside(4)),
        (guest_open.at("203.0.113.10"), world.host_itself(4)),
    ]
    assert [way for way in forbidden if world.reaches(*way)] == []
    world.machine.nft("delete table inet nethook")
    world.event(public, "port-created")
    assert [way for way in forbidden if world.reaches(*way)] == []
