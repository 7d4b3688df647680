"""Forwards with ``proxy=``: who asks for their address on the uplink finds the host, beside other lines, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.servers import SILENT, UNREACHABLE, Servers, ask
from lab.world.world import OUTSIDE
from tests.kernel.forwarded_guests import PORTS, WEB, Forwarding, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.world import World, WorldGuest

BOTH = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "198.51.100.77", 6: "2001:db8:ffff::77"}
"""The outside has it on the link, and asks for it by ARP or NDP."""
AROUND = {4: "198.51.100.76/30", 6: "2001:db8:ffff::70/124"}
THIRD = "third"


class Neighbours(Forwarding):
    """A host with a second network, whose guest is called third."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        for family in ("ipv4", "ipv6"):  # by this, the kernel would delay its answers
            world.host.sysctl(f"{family}/neigh/uplink/proxy_delay", 0)
        self.other = world.network("other", 2)
        self.third: WorldGuest = world.guest(self.other)
        self._servers.append(Servers(self.third.namespace, THIRD, PORTS))

    def asked(self, family: int, port: int) -> str:
        """Who answers the outside at this port of the address, for which it has to ask first."""
        outside = self.world.outside(family).namespace
        outside.ip("neigh flush dev eth0")
        return ask(outside, A[family], port)

    def to_third(self, family: int, port: int) -> str:
        """A line that leads a port to the guest of the second network."""
        return f"{at(A[family], str(port))} other to={self.third.private(family).address} proxy=uplink"

    def has_route(self, prefix: str, bridge: str) -> bool:
        family = "-6" if ":" in prefix else "-4"
        return f"dev {bridge} " in self.world.machine.run("ip", family, "route", "show", "exact", prefix)


@pytest.fixture
def uplink(nftables_world: World) -> Iterator[Neighbours]:
    made = Neighbours(nftables_world)
    yield made
    made.close()


def by(name: str, family: int) -> str:
    return f"{name} sees {OUTSIDE[family]}"


@BOTH
def test_lines_of_two_networks_share_an_address(uplink: Neighbours, family: int) -> None:
    to_web = f"{at(A[family], '80')} default to={uplink.web.private(family).address} proxy=uplink"
    uplink.write(to_web, uplink.to_third(family, 443))
    assert not [line for line in uplink.event("started") if "cannot" in line]
    assert not [line for line in uplink.event("started", network=uplink.other) if "cannot" in line]
    assert uplink.asked(family, 80) == by(WEB, family)
    assert uplink.asked(family, 443) == by(THIRD, family)
    uplink.world.destroy(uplink.network)
    uplink.event("stopped")
    assert uplink.asked(family, 443) == by(THIRD, family)
    assert uplink.has_route(A[family], uplink.other.bridge)


@BOTH
@pytest.mark.parametrize("is_prefix", [False, True], ids=["address", "prefix"])
@pytest.mark.parametrize("is_first", [False, True], ids=["after", "before"])
def test_the_rest_of_a_routed_address_stays_routed(
    uplink: Neighbours, family: int, *, is_prefix: bool, is_first: bool
) -> None:
    """Whichever network starts first."""
    uplink.web.namespace.ip(f"address add {A[family]} dev eth0")
    routed = (AROUND if is_prefix else A)[family]
    uplink.world.configure(f"{routed} default")
    uplink.write(uplink.to_third(family, 443))
    for network in [uplink.network, uplink.other][:: 1 if is_first else -1]:
        assert not [line for line in uplink.event("started", network=network) if "cannot" in line]
    assert uplink.asked(family, 443) == by(THIRD, family)
    assert uplink.asked(family, 80) == by(WEB, family)
    uplink.world.destroy(uplink.network)
    uplink.event("stopped")
    assert uplink.asked(family, 443) == by(THIRD, family)


@BOTH
def test_other_ports_go_by_the_next_hop(uplink: Neighbours, family: int) -> None:
    """Web has the address on another device, so its neighbours do not answer for it."""
    web = uplink.web.namespace
    web.sysctl("ipv4/conf/all/arp_ignore", 1)
    web.ip(f"address add {A[family]} dev lo")
    uplink.world.configure(f"{AROUND[family]} default via={uplink.web.private(family).address}")
    uplink.write(f"{at(A[family], '443')} default to={uplink.db.private(family).address} proxy=uplink")
    assert not [line for line in uplink.event("started") if "cannot" in line]
    assert uplink.asked(family, 443) == by("db", family)
    assert uplink.asked(family, 80) == by(WEB, family)


@BOTH
@pytest.mark.parametrize(
    "wrong", ["{address} default gest=web1 proxy=uplink", "{address} default to={address} proxy=uplink"]
)
def test_a_wrong_line_leaves_its_address_reachable(uplink: Neighbours, family: int, wrong: str) -> None:
    uplink.start(f"{A[family]} default guest=web1 proxy=uplink")
    assert uplink.asked(family, 80) == by(WEB, family)
    uplink.write(wrong.format(address=A[family]))
    uplink.event("updated")
    assert uplink.asked(family, 80) == by(WEB, family)
    uplink.write()
    uplink.event("updated")
    assert uplink.asked(family, 80) in {UNREACHABLE, SILENT}
