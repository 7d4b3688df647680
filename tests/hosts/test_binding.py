"""An address that belongs to a guest, on booted hosts: no other guest gets it, however it tries.

The tests are the stations of one host's life, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.hosts.lab import Lab
from tests.hosts.theft import STOLEN, Theft
from tests.hosts.waiting import wait_for

if TYPE_CHECKING:
    from tests.hosts.theft import Arrival

pytestmark = pytest.mark.hosts

HOSTS = {"libvirt 9.0 iptables": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
UNBOUND = [f"{address} public" for address in STOLEN]


@pytest.fixture(scope="module", params=HOSTS)
def theft(request: pytest.FixtureRequest) -> Iterator[Theft]:
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        host.install()
        theft = Theft(host, lab.wan)
        theft.configure(*UNBOUND)
        yield theft


def test_unbound_an_address_can_be_stolen(theft: Theft) -> None:
    for address in STOLEN:
        assert theft.owner(address) == "holder"
    theft.take_addresses()
    for address in STOLEN:
        wait_for(lambda: theft.owner(address) == "thief", f"{address} is stolen")  # noqa: B023
    assert "thief" in theft.believed()["host"]
    theft.give_back()


def test_unbound_forged_packets_arrive(theft: Theft) -> None:
    arrivals = theft.arrivals(theft.forgeries())
    show(arrivals)
    assert [arrival for arrival in arrivals if not arrival.arrived] == []
    theft.give_back()


def show(arrivals: list[Arrival]) -> None:
    for arrival in arrivals:
        print(arrival)
