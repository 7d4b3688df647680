"""Which gates are open: those of families that something is routed of, in the firewalls that the setting names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.world import SETTINGS
from tests.kernel import listings
from tests.kernel.applying import apply
from tests.kernel.faults import Fault
from tests.kernel.scenario import LINES, Scenario

if TYPE_CHECKING:
    from lab.world.world import World

SETTING = {"libvirt-nftables": "libvirt-nftables", "iptables-nft": "iptables ip6tables"}
SETTING["iptables-legacy"] = SETTING["iptables-nft"]
V4, V6 = [line for line in LINES if ":" not in line], [line for line in LINES if ":" in line]


@pytest.mark.parametrize("wrong", [V6, V4], ids=["IPv6", "IPv4"])
def test_a_typo_in_all_lines_of_a_family_does_not_close_its_gates(world: World, wrong: list[str]) -> None:
    scenario = Scenario(world)
    scenario.event("started")
    world.configure(*(f"{line} gest=web1" if line in wrong else line for line in LINES))
    before = listings.ours(world.machine)
    assert apply(world, scenario.network) == []
    assert listings.ours(world.machine) == before
    assert scenario.silent() == []


def test_a_gate_that_is_lost_while_its_lines_are_wrong_is_opened_again(world: World) -> None:
    scenario = Scenario(world)
    scenario.event("started")
    before = listings.ours(world.machine)
    world.configure(*(f"{line} gest=web1" if line in V6 else line for line in LINES))
    world.firewall.stop(world.machine, scenario.network)
    world.firewall.start(world.machine, scenario.network)
    for tool in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"):
        for rule in world.machine.run(tool, "-S", "FORWARD").splitlines()[1:]:
            if "nethook-" in rule:
                world.machine.run(tool, *rule.replace("-A", "-D", 1).split())
    scenario.event("port-created")
    assert listings.ours(world.machine) == before
    assert scenario.silent() == []


def test_gates_of_a_family_without_lines_are_closed(world: World) -> None:
    scenario = Scenario(world)
    scenario.event("started")
    world.configure(*V4)
    assert len([line for line in apply(world, scenario.network) if line.startswith("- gate in")]) == 1
    assert len(listings.gates(world.machine)) == 1


def test_a_gate_that_has_left_the_setting_is_closed(world: World, request: pytest.FixtureRequest) -> None:
    firewall = SETTING[request.node.callspec.params["world"]]
    other = " ".join(set(SETTING.values()) - {firewall})
    scenario = Scenario(world)
    scenario.event("started")
    world.machine.write(SETTINGS, f"gates = {other}\n")
    assert len([line for line in apply(world, scenario.network) if line.startswith("- gate in")]) == 2
    assert listings.gates(world.machine) == []
    assert apply(world, scenario.network) == []
    assert len(scenario.silent()) == 4
    world.machine.write(SETTINGS, f"gates = {firewall}\n")
    assert len([line for line in apply(world, scenario.network) if line.startswith("+ gate in")]) == 2
    assert scenario.silent() == []


def test_a_firewall_that_is_left_out_need_not_tell_anything(nftables_world: World) -> None:
    world = nftables_world
    scenario = Scenario(world)
    world.machine.write(SETTINGS, "gates = libvirt-nftables\n")
    fault = Fault(world.machine, ["iptables-nft", "ip6tables-nft"], "exit 1")
    done = apply(world, scenario.network)
    fault.mend()
    assert not [line for line in done if line.startswith("failure")]
    assert scenario.silent() == []
