"""An admin filters routed guests in tables of their own: the examples of docs/firewalls.md, with packets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.world.packets import PATIENCE, Place
from lab.world.world import UPLINK
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from lab.world.world import World

DOCUMENT = Path(__file__).parents[2] / "docs/firewalls.md"
ADDRESS, OTHER = "203.0.113.10", "203.0.113.17"


def example(heading: str) -> str:
    """The table that the document shows in this part."""
    (part,) = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1:]
    (table,) = part.partition("\n## ")[0].split("```nft\n")[1:]
    return table.partition("```")[0]


def connects(source: Place, destination: Place, port: int) -> bool:
    """Whether a TCP connection gets from one to the other."""
    with destination.namespace.entered():
        listener = socket.create_server((destination.address, port))
    with source.namespace.entered():
        client = socket.socket()
    with listener, client:
        client.settimeout(PATIENCE)
        client.bind((source.address, 0))
        try:
            client.connect((destination.address, port))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("priority", ["filter - 5", "filter - 20", "filter + 5"])
def test_only_the_ports_that_the_admin_lets_in(world: World, priority: str) -> None:
    scenario = Scenario(world)
    scenario.event("started")
    outside, guest = world.outside(4), scenario.guest.at(ADDRESS)
    assert connects(outside, guest, 8080)
    scenario.machine.run("nft", "-f", "-", stdin=example("Filtering routed guests").replace("filter - 5", priority))
    assert connects(outside, guest, 443)
    assert not connects(outside, guest, 8080)
    assert not world.reaches(outside, guest)
    assert connects(guest, outside, 8080), "the guest may go where it likes"
    assert connects(outside, scenario.guest.at(OTHER), 8080), "it is about one address"
    scenario.event("port-created")
    assert not connects(outside, guest, 8080), "no event opens it"


PRIVATE = {4: ("10.1.2.3", "172.31.2.3", "192.168.2.3", "100.64.2.3"), 6: ("fd00:1::1",)}
BESIDE = {4: ("172.32.2.3", "100.128.2.3"), 6: ("2001:db8:fffe::1",)}


@pytest.mark.parametrize("family", [4, 6])
def test_no_guest_sends_to_private_addresses_by_the_uplink(world: World, family: int) -> None:
    scenario = Scenario(world)
    scenario.event("started")
    outside = world.outside(family).namespace
    beyond = {address: Place(outside, address, UPLINK, address) for address in (*PRIVATE[family], *BESIDE[family])}
    outside.ip(*(f"address add {address} dev eth0" for address in beyond))
    routed = scenario.guest.at({4: ADDRESS, 6: "2001:db8:7::10"}[family])
    for source in (routed, scenario.guest.private(family)):
        assert all(world.reaches(source, destination) for destination in beyond.values())
    table = example("Private destinations at the uplink").replace('"eth0"', f'"{UPLINK}"')
    scenario.machine.run("nft", "-f", "-", stdin=table)
    scenario.event("port-created")
    for source in (routed, scenario.guest.private(family)):
        assert [address for address, there in beyond.items() if world.reaches(source, there)] == [*BESIDE[family]]
    assert scenario.silent() == []
