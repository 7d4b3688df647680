"""Who sends to many addresses of an IPv6 prefix from outside: how many places of the neighbour table that takes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lab.world.network import WorldPort

if TYPE_CHECKING:
    from lab.world.world import World

ADDRESSES = 50


@pytest.mark.parametrize(("option", "places"), [("", ADDRESSES), ("via=", 0)])
def test_a_next_hop_takes_one_place(nftables_world: World, option: str, places: int) -> None:
    world = nftables_world
    network = world.network("public", 1)
    guest = world.guest(network, "2001:db8:7::10")
    link_local = f"fe80::5054:ff:fe00:{network.number:x}02"
    guest.namespace.ip(f"address replace {link_local}/64 dev eth0 nodad")
    via = f"via={link_local}" if option else ""
    world.configure(f"2001:db8:7::/64 public guest=web1 {via}")
    logged = world.event(network, "port-created", port=WorldPort("web1", guest.mac))
    assert not [line for line in logged if line.is_error]
    assert world.exchange(world.outside(6), guest.at("2001:db8:7::10"))
    with world.outside(6).namespace.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as stranger:
        for number in range(ADDRESSES):
            stranger.sendto(b"x", (f"2001:db8:7:0:1::{number + 1:x}", 9))
    asked = world.machine.run("ip", "-6", "neigh", "show", "dev", network.bridge)
    assert len([line for line in asked.splitlines() if line.startswith("2001:db8:7:0:1:")]) == places
