"""A file with very many mistakes: an event stays fast, what is in force stays, and the log stays readable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.processes import processor_seconds_of_children
from lab.world.network import WorldPort
from lab.world.world import CONFIGURATION

if TYPE_CHECKING:
    from lab.world.network import WorldNetwork
    from lab.world.syslog import Logged
    from lab.world.world import World

LINES = 5_000
WEB1 = WorldPort("web1", "52:54:00:00:01:02")


def lines(option: str, number: int = LINES) -> list[str]:
    """Lines for 10.77.0.0 and on."""
    return [f"10.77.{at >> 8}.{at & 255} public {option}=web1" for at in range(number)]


def measured(world: World, network: WorldNetwork, times: int = 3) -> tuple[float, list[Logged]]:
    """The seconds of processors that the cheapest of so many events takes, and what the last has logged."""
    seconds = []
    logged: list[Logged] = []
    for _ in range(times):
        before = processor_seconds_of_children()
        logged = world.event(network, "port-created", port=WEB1)
        seconds.append(processor_seconds_of_children() - before)
    return min(seconds), logged


def routes(world: World) -> int:
    return len(world.machine.run("ip", "route", "show", "proto", "218", "dev", "virbr1").splitlines())


def test_wrong_lines_cost_an_event_at_most_twice_what_right_ones_do(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network, "10.77.0.9")
    world.configure(*lines("guest"))
    world.event(network, "port-created", port=WEB1)
    assert routes(world) == LINES
    right, logged = measured(world, network)
    assert logged == []
    world.machine.run("sed", "-i", "s/guest=/gest=/", CONFIGURATION)
    wrong, logged = measured(world, network)
    assert wrong < 2 * right, f"{wrong:.2f} s, and {right:.2f} s with right lines"
    assert routes(world) == LINES
    assert world.exchange(world.outside(4), guest.at("10.77.0.9"))
    assert 2 <= len(logged) <= 12
    assert all(line.is_error for line in logged)
    assert "more mistakes" in logged[-1].text
    assert "nethook check" in logged[-1].text
    world.configure(*lines("guest"))
    assert world.event(network, "port-created", port=WEB1) == []


def test_half_of_the_lines_wrong_with_entries_on_an_uplink(nftables_world: World) -> None:
    """What is withdrawn of the right half is; what the wrong half may be about stays, proxy entries too."""
    world = nftables_world
    network = world.network("public", 1)
    half = LINES // 2
    proxied = [f"{line.partition(' guest')[0]} proxy=uplink" for line in lines("guest", half)]
    world.configure(*proxied)
    world.event(network, "started")
    right, _ = measured(world, network)
    plain = [f"10.78.{at >> 8}.{at & 255} public" for at in range(half)]
    world.configure(*plain, *(line.replace("proxy=", "prxy=") for line in proxied))
    world.event(network, "port-created")
    wrong, _ = measured(world, network)
    assert wrong < 4 * right, f"{wrong:.2f} s, and {right:.2f} s with half as many lines, all right"
    entries = world.machine.run("ip", "neigh", "show", "proxy", "dev", "uplink")
    assert len(entries.splitlines()) == half


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.10 public\n" * 500_000,
        "203.0.113.1O public\n" * 500_000,
        "203.0.113.10 public gest=web1\n" * 350_000,
        "".join(f"203.0.113.10 public key{number}=web1\n" for number in range(350_000)),
        "x\n" * 5_000_000,
        "x" * 10_000_000,
        'a "\n' * 2_500_000,
    ],
    ids=["duplicates", "no address", "one key", "many keys", "letters", "one line", "quotes"],
)
def test_a_huge_file_costs_seconds_at_most(nftables_world: World, text: str) -> None:
    """And what was in force stays, whatever the rest of the file would have said."""
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network, "203.0.113.10", "203.0.113.12")
    world.configure("203.0.113.10 public", "203.0.113.12 public")
    world.event(network, "started")
    plain, _ = measured(world, network, times=1)
    world.machine.write(CONFIGURATION, text)
    seconds, logged = measured(world, network, times=1)
    assert seconds < plain + 2.5, f"{seconds:.2f} s"
    assert 1 <= len(logged) <= 12
    for address in ("203.0.113.10", "203.0.113.12"):
        assert world.exchange(world.outside(4), guest.at(address))


def test_a_wrong_line_with_a_prefix_keeps_the_entries_of_its_addresses(nftables_world: World) -> None:
    world = nftables_world
    network = world.network("public", 1)
    world.configure("203.0.113.16/29 public proxy=uplink")
    world.event(network, "started")
    entries = world.machine.run("ip", "neigh", "show", "proxy", "dev", "uplink")
    assert len(entries.splitlines()) == 8
    world.configure("203.0.113.16/29 public prxy=uplink")
    world.event(network, "port-created")
    assert world.machine.run("ip", "neigh", "show", "proxy", "dev", "uplink") == entries
