"""An admin filters routed guests in a table of their own: the example of docs/firewalls.md, with packets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.packets import PATIENCE
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from tests.kernel.packets import Place
    from tests.kernel.world import World

DOCUMENT = Path(__file__).parents[2] / "docs/firewalls.md"
ADDRESS, OTHER = "203.0.113.10", "203.0.113.17"


def example() -> str:
    """The table that the document shows."""
    (table,) = DOCUMENT.read_text(encoding="utf-8").split("```nft\n")[1:]
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
    scenario.machine.run("nft", "-f", "-", stdin=example().replace("filter - 5", priority))
    assert connects(outside, guest, 443)
    assert not connects(outside, guest, 8080)
    assert not world.reaches(outside, guest)
    assert connects(guest, outside, 8080), "the guest may go where it likes"
    assert connects(outside, scenario.guest.at(OTHER), 8080), "it is about one address"
    scenario.event("port-created")
    assert not connects(outside, guest, 8080), "no event opens it"
