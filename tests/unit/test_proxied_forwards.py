"""Forwards with ``proxy=`` beside other lines: one route for each address, and what a wrong line leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from nethook.engine.plan import decide
from nethook.engine.snapshot import Question
from nethook.placement.scope import Scope
from tests.unit.machine import UPLINK, World
from tests.unit.scenarios import DB, NAT, ROUTED, WEB
from tests.unit.state import ours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.network import WorldNetwork

    Found = set[tuple[str, str, str]]

NETWORKS = (NAT, ROUTED)
ORDERS = pytest.mark.parametrize("order", [NETWORKS, NETWORKS[::-1]], ids=lambda order: f"{order[0].name} first")
ADDRESS = {4: "203.0.113.5", 6: "2001:db8:7::5"}
AROUND = {4: "203.0.113.4/30", 6: "2001:db8:7::/64"}
BOTH = pytest.mark.parametrize("family", [4, 6])


class Lines(NamedTuple):
    """Lines, with the networks whose lines have the route: rather the first one that is up."""

    routed_ips: tuple[str, ...]
    forwards: tuple[str, ...]
    routes: tuple[tuple[WorldNetwork, str, str], ...]
    """Network, prefix and next hop, in the order in which they are preferred."""


def forward(network: WorldNetwork, port: int, family: int) -> str:
    """A line that leads a port to the first guest's address of this network."""
    return f"{listening(family, port)} {network.name} to={network.address(family, 2)} proxy={UPLINK}"


def listening(family: int, port: int) -> str:
    return f"[{ADDRESS[family]}]:{port}" if family == 6 else f"{ADDRESS[family]}:{port}"


def lines(name: str, family: int) -> Lines:
    address, around, via = ADDRESS[family], AROUND[family], NAT.address(family, 3)
    of_nat, of_routed = forward(NAT, 80, family), forward(ROUTED, 443, family)
    return {
        "an address": Lines(
            (f"{address} public proxy={UPLINK}",), (of_routed,), ((NAT, address, ""), (ROUTED, address, ""))
        ),
        "an address behind a next hop": Lines(
            (f"{address} public via={via}",), (of_routed,), ((NAT, address, via), (ROUTED, address, ""))
        ),
        "a prefix": Lines((f"{around} public",), (of_routed,), ((NAT, around, ""), (ROUTED, address, ""))),
        "a prefix behind a next hop": Lines(
            (f"{around} public via={via}",), (of_routed, of_nat), ((NAT, around, via), (ROUTED, address, ""))
        ),
        "its own network": Lines((f"{address} public via={via}",), (of_nat,), ((NAT, address, via),)),
        "its own network's prefix": Lines((f"{around} public via={via}",), (of_nat,), ((NAT, around, via),)),
    }[name]


def routes(world: World) -> Found:
    """Our routes to guests: prefix, device, next hop."""
    return {
        (each.prefix, each.device, each.via)
        for each in world.host.kernel.routes
        if each.protocol == 218 and each.device.startswith("virbr")
    }


def start(world: World, network: WorldNetwork) -> None:
    world.bring_up(network)
    assert world.event(network, "started") == []


def stop(world: World, network: WorldNetwork) -> None:
    world.take_down(network)
    assert world.event(network, "stopped") == []


def settled(world: World) -> Found:
    """Our routes, which no further run changes."""
    found = routes(world)
    for network in [each.network for each in world.up.values()]:
        assert world.event(network, "updated") == []
        assert routes(world) == found
    assert world.apply() == []
    assert routes(world) == found
    return found


@BOTH
@ORDERS
@pytest.mark.parametrize("is_first_out", [True, False])
@pytest.mark.parametrize(
    "beside",
    [
        "an address",
        "an address behind a next hop",
        "a prefix",
        "a prefix behind a next hop",
        "its own network",
        "its own network's prefix",
    ],
)
def test_a_routed_address_stays_routed(
    beside: str, order: tuple[WorldNetwork, ...], family: int, *, is_first_out: bool
) -> None:
    world, wanted = World(), lines(beside, family)

    def expected() -> Iterator[tuple[str, str, str]]:
        for network, prefix, via in wanted.routes:
            if network.name in world.up:
                yield prefix, network.bridge, via
                return

    world.configure(*wanted.routed_ips, forwards=wanted.forwards)
    for network in order:
        start(world, network)
        assert settled(world) == {*expected()}
    for network in order if is_first_out else reversed(order):
        stop(world, network)
        assert settled(world) == {*expected()}


@BOTH
@ORDERS
def test_two_networks_share_the_route_that_is_there(order: tuple[WorldNetwork, ...], family: int) -> None:
    world, (first, second) = World(), order
    world.configure(forwards=[forward(network, port, family) for network, port in zip(NETWORKS, (80, 443))])
    start(world, first)
    start(world, second)
    assert settled(world) == {(ADDRESS[family], first.bridge, "")}
    stop(world, first)
    assert settled(world) == {(ADDRESS[family], second.bridge, "")}
    start(world, first)
    assert settled(world) == {(ADDRESS[family], second.bridge, "")}
    stop(world, first)
    assert settled(world) == {(ADDRESS[family], second.bridge, "")}
    assert (ADDRESS[family], UPLINK) in ours(world.host)["proxies"]


def test_the_route_moves_when_its_guest_is_unplugged() -> None:
    world = World()
    world.configure(forwards=[f"203.0.113.5:80 public guest=web1 proxy={UPLINK}", forward(ROUTED, 443, 4)])
    start(world, NAT)
    world.announce(NAT, WEB)
    assert world.event(NAT, "port-created", WEB) == []
    world.put_in(NAT, WEB)
    start(world, ROUTED)
    assert settled(world) == {("203.0.113.5", NAT.bridge, "")}
    world.pull(NAT, WEB)
    assert world.event(NAT, "port-deleted", WEB) == []
    assert settled(world) == {("203.0.113.5", ROUTED.bridge, "")}


def test_the_route_moves_to_the_network_of_a_guest_when_its_own_stops() -> None:
    world = World()
    world.configure(forwards=[forward(ROUTED, 443, 4), f"203.0.113.5:80 public guest=web1 proxy={UPLINK}"])
    for network in (ROUTED, NAT):
        start(world, network)
    world.announce(NAT, WEB)
    assert world.event(NAT, "port-created", WEB) == []
    world.put_in(NAT, WEB)
    assert settled(world) == {("203.0.113.5", ROUTED.bridge, "")}
    stop(world, ROUTED)
    assert settled(world) == {("203.0.113.5", NAT.bridge, "")}


def test_a_guest_that_starts_takes_its_address_back() -> None:
    """While it is off, nobody is routed there, and the forward has a route of its own."""
    world = World()
    world.configure("203.0.113.4/30 public guest=web1", forwards=[forward(ROUTED, 443, 4)])
    start(world, ROUTED)
    start(world, NAT)
    assert settled(world) == {("203.0.113.5", ROUTED.bridge, "")}
    world.announce(NAT, WEB)
    assert world.event(NAT, "port-created", WEB) == []
    world.put_in(NAT, WEB)
    assert settled(world) == {("203.0.113.4/30", NAT.bridge, "")}
    world.pull(NAT, WEB)
    assert world.event(NAT, "port-deleted", WEB) == []
    assert settled(world) == {("203.0.113.5", ROUTED.bridge, "")}


def test_an_event_leaves_the_route_of_another_network_alone() -> None:
    world = World()
    world.configure(forwards=[forward(ROUTED, 443, 4)])
    start(world, ROUTED)
    world.host.by_others("ip", "route", "del", "203.0.113.5", "dev", ROUTED.bridge)
    start(world, NAT)
    assert routes(world) == set()
    assert world.event(ROUTED, "updated") == []
    assert settled(world) == {("203.0.113.5", ROUTED.bridge, "")}


WHOLE = {family: f"{address} public guest=db proxy={UPLINK}" for family, address in ADDRESS.items()}


def in_force(family: int) -> World:
    """A world with a whole address that leads to a guest."""
    world = World()
    world.configure(forwards=[WHOLE[family]])
    start(world, NAT)
    world.announce(NAT, DB)
    assert world.event(NAT, "port-created", DB) == []
    world.put_in(NAT, DB)
    assert world.apply() == []
    return world


@BOTH
@pytest.mark.parametrize("runs", ["event", "apply"])
@pytest.mark.parametrize(
    "line",
    [
        "{address} public gest=db proxy=uplink",
        "{address} public guest=db to={outside} proxy=uplink",
        "what public guest=db",
    ],
)
def test_a_wrong_line_leaves_route_and_answer(line: str, runs: str, family: int) -> None:
    outside = {4: "10.99.99.9", 6: "2001:db8:99::9"}[family]
    world = in_force(family)
    state = ours(world.host)
    world.configure(forwards=[line.format(address=ADDRESS[family], outside=outside)])
    for _ in range(2):
        if runs == "event":
            world.event(NAT, "updated")
        else:
            world.apply()
        found = ours(world.host)
        for key in ("routes", "proxies", "deaf", "tables"):
            assert (key, found[key]) == (key, state[key])
    world.configure()
    assert world.apply() == []
    assert routes(world) == set()
    assert (ADDRESS[family], UPLINK) not in ours(world.host)["proxies"]


def test_a_wrong_line_within_a_routed_prefix_leaves_the_answer() -> None:
    world = World()
    world.configure("203.0.113.4/30 public", forwards=[forward(NAT, 80, 4)])
    start(world, NAT)
    assert ("203.0.113.5", UPLINK) in ours(world.host)["proxies"]
    world.configure("203.0.113.4/30 public", forwards=[forward(NAT, 80, 4).replace("to=", "too=")])
    world.event(NAT, "updated")
    assert ("203.0.113.5", UPLINK) in ours(world.host)["proxies"]
    assert routes(world) == {("203.0.113.4/30", NAT.bridge, "")}


def test_a_line_without_an_address_leaves_no_doubt_about_routed_ips() -> None:
    """It may be about any address that is forwarded, but not about others."""
    world = World()
    world.configure(f"203.0.113.30 public proxy={UPLINK}", "203.0.113.31 public", forwards=[WHOLE[4]])
    start(world, NAT)
    world.configure(forwards=["what public guest=db"])
    world.event(NAT, "updated")
    assert routes(world) == set()
    assert ("203.0.113.30", UPLINK) not in ours(world.host)["proxies"]


def test_a_line_that_moves_to_another_network_takes_its_route_along() -> None:
    """Also by an event of the network that it leaves."""
    world = World()
    world.configure(forwards=[forward(NAT, 80, 4)])
    start(world, NAT)
    start(world, ROUTED)
    world.configure(forwards=[forward(ROUTED, 80, 4)])
    assert world.event(ROUTED, "updated") == []
    assert settled(world) == {("203.0.113.5", ROUTED.bridge, "")}
    world.configure(forwards=[forward(NAT, 80, 4)])
    assert world.event(ROUTED, "updated") == []
    assert world.event(NAT, "updated") == []
    assert settled(world) == {("203.0.113.5", NAT.bridge, "")}


@pytest.mark.parametrize("routed_ips", [(), ("203.0.113.4/30 public",), ("203.0.113.5 public via=192.0.2.3",)])
def test_every_line_of_an_address_lacks_its_route(routed_ips: tuple[str, ...]) -> None:
    world = World()
    world.configure(*routed_ips, forwards=[forward(NAT, 80, 4), forward(ROUTED, 443, 4)])
    for network in NETWORKS:
        start(world, network)
    assert lacks(world) == []
    world.host.kernel.routes[:] = [each for each in world.host.kernel.routes if not each.device.startswith("virbr1")]
    assert lacks(world) == [
        f"{listening(4, port)}/tcp: there is no route for 203.0.113.5, so the host does not answer for it"
        for port in (80, 443)
    ]


def lacks(world: World) -> list[str]:
    """What lines of forwarded-ports lack."""
    networks = world.networks()
    made = decide(Question(world.configuration, networks, Scope(known=networks), world.host, is_thorough=True)).case
    return [f"{each.line.text}: {lack.text}" for each in made.forwardings for lack in made.lacks_of_forward(each)]
