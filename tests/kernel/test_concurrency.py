"""libvirt runs the hooks of different networks at the same time."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.hook_process import HookProcess
from lab.world.world import World
from tests.kernel import listings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.network import WorldNetwork

NUMBERS = range(1, 21)


@pytest.fixture(params=["libvirt-nftables", "iptables-nft"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One with the gates in our own transaction, one where other tools open them."""
    made = World(FIREWALLS[request.param])
    yield made
    made.close()


def routed(number: int) -> tuple[str, str]:
    return f"203.0.113.{number}", f"2001:db8:7:{number:x}::/64"


def at_once(world: World, events: list[tuple[WorldNetwork, str]]) -> None:
    """All these events; no hook gets its input before all have been started. None may log an error."""
    with ExitStack() as running:
        hooks = [
            (running.enter_context(HookProcess(world.machine, network.name, operation)), network.event_xml())
            for network, operation in events
        ]
        for hook, xml in hooks:
            hook.give(xml.encode())
    assert not [line for line in world.machine.syslog.new() if line.is_error]


def prefixes_in_force(world: World) -> list[str]:
    routes = [line.split() for line in listings.routes(world.machine)]
    return [f"{words[0]} {words[2]}" for words in routes if words[0] != "unreachable"]


def expected(networks: list[WorldNetwork]) -> list[str]:
    return [f"{prefix} {network.bridge}" for network in networks for prefix in routed(network.number)]


def test_nothing_is_lost_or_doubled(world: World) -> None:
    networks = [world.network(f"net{number}", number) for number in NUMBERS]
    world.configure(*(f"{prefix} {network.name}" for network in networks for prefix in routed(network.number)))
    guest = world.guest(networks[-1], "203.0.113.20")
    foreign = listings.foreign(world.machine)

    at_once(world, [(network, "started") for network in networks])
    assert sorted(prefixes_in_force(world)) == sorted(expected(networks))
    gates = listings.gates(world.machine)
    assert len(gates) == 2
    table = listings.table(world.machine)
    assert table.count('"virbr') == len(networks) * 5  # bridges, to and from of both families
    assert world.exchange(world.outside(4), guest.at("203.0.113.20"))

    half, rest = networks[:10], networks[10:]
    at_once(world, [*((network, "stopped") for network in half), *((network, "port-created") for network in rest)])
    assert sorted(prefixes_in_force(world)) == sorted(expected(rest))
    assert listings.gates(world.machine) == gates

    at_once(world, [(network, "started") for network in networks])
    assert listings.table(world.machine) == table
    assert sorted(prefixes_in_force(world)) == sorted(expected(networks))
    assert listings.foreign(world.machine) == foreign


def test_many_events_of_one_network(nftables_world: World) -> None:
    world = nftables_world
    public = world.network("public", 1)
    guest = world.guest(public, "203.0.113.1")
    world.configure("203.0.113.1 public")
    at_once(world, [(public, "port-created")] * 20)
    assert prefixes_in_force(world) == ["203.0.113.1 virbr1"]
    assert len(listings.gates(world.machine)) == 1
    assert world.exchange(world.outside(4), guest.at("203.0.113.1"))


def test_libvirt_writes_its_rules_at_the_same_time(world: World) -> None:
    """Networks start beside each other: while the hook of one runs, libvirt writes the rules of the next."""
    world.configure(*(f"{prefix} net{number}" for number in NUMBERS for prefix in routed(number)))
    networks = []
    with ExitStack() as running:
        for number in NUMBERS:
            networks.append(world.network(f"net{number}", number))
            hook = running.enter_context(HookProcess(world.machine, networks[-1].name, "started"))
            hook.give(networks[-1].event_xml().encode())
    assert not [line for line in world.machine.syslog.new() if line.is_error]
    assert sorted(prefixes_in_force(world)) == sorted(expected(networks))
    for network in networks[:2]:
        guest = world.guest(network, routed(network.number)[0])
        assert world.exchange(world.outside(4), guest.at(routed(network.number)[0]))
