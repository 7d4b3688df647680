"""Forwards beside what others do on the host, and beside what is odd in files, networks and tables: who is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.network import ISOLATED, WorldNetwork, WorldPort
from lab.world.servers import REFUSED, Servers, ask
from lab.world.world import HOST, OUTSIDE
from tests.kernel.forwarded_guests import DB, FORWARDS, WEB, WHOLE, at

if TYPE_CHECKING:
    from lab.world.world import WorldGuest
    from tests.kernel.forwarded_guests import Forwarding

MINECRAFT = 25565


def rewriting(here: Forwarding, rule: str) -> None:
    """Another program's DNAT, at the priority of Docker and iptables."""
    here.world.machine.nft(
        "add table ip admin",
        "add chain ip admin prerouting { type nat hook prerouting priority dstnat; }",
        f"add rule ip admin prerouting {rule}",
    )


def lonely_guest(here: Forwarding) -> tuple[WorldNetwork, WorldGuest]:
    """A guest of an isolated network of which nobody has told yet."""
    network = here.world.network("lonely", 3, ISOLATED)
    return network, here.world.guest(network)


def test_what_others_rewrite_passes_no_gate_because_it_has_the_port_of_any_address(here: Forwarding) -> None:
    """An address that the host has not, and the gateway of an isolated guest: no line is about these."""
    here.start(f"0.0.0.0:{MINECRAFT} default guest=web1")
    lonely, guest = lonely_guest(here)
    here.event("started", network=lonely)
    rewriting(here, f"ip daddr 203.0.113.77 tcp dport {MINECRAFT} dnat to {here.db.private(4).address}:80")
    rewriting(here, f"ip daddr {lonely.address(4, 1)} tcp dport {MINECRAFT} dnat to {OUTSIDE[4]}:80")
    outside = Servers(here.world.outside(4).namespace, "outside", [80])
    assert here.from_outside("203.0.113.77", MINECRAFT) == REFUSED
    assert ask(guest.namespace, lonely.address(4, 1), MINECRAFT) == REFUSED
    assert here.from_outside(HOST[4], MINECRAFT) == f"web1 sees {OUTSIDE[4]}"
    outside.close()


def test_what_others_rewrite_passes_no_gate_at_a_port_that_stays_with_the_host(here: Forwarding) -> None:
    here.start(f"{WHOLE[4]} default guest=web1", f"{WHOLE[4]}:777 -")
    rewriting(here, f"ip daddr {WHOLE[4]} tcp dport 777 dnat to {here.db.private(4).address}:80")
    assert here.from_outside(WHOLE[4], 777) == REFUSED
    assert here.from_outside(WHOLE[4], 80) == f"web1 sees {OUTSIDE[4]}"


def test_the_bit_of_others_neither_opens_a_forward_nor_closes_it(here: Forwarding) -> None:
    here.start(f"{HOST[4]}:80 default guest=web1")
    here.world.machine.nft(
        "add table ip admin",
        "add chain ip admin marks { type filter hook prerouting priority mangle; }",
        "add rule ip admin marks meta mark set 0xffffffff",
    )
    assert here.from_outside(here.db.private(4).address, 80) == REFUSED
    assert here.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    here.event("port-deleted", WEB)
    assert here.from_outside(HOST[4], 80) == REFUSED


def test_a_subnet_behind_a_guest_of_an_isolated_network_is_isolated_too(plain: Forwarding) -> None:
    """libvirt itself makes the route for ``<route>``."""
    plain.start(f"{HOST[4]}:80 default guest=web1")
    lonely, guest = lonely_guest(plain)
    router = lonely.address(4, 2)
    plain.world.host.ip(f"route add 10.9.0.0/16 via {router} dev {lonely.bridge}")
    guest.namespace.ip("address add 10.9.0.5/32 dev eth0")
    element = f"<route address='10.9.0.0' prefix='16' gateway='{router}'/>\n"
    plain.world.event(lonely, "started", lonely.event_xml().replace("<ip family", f"{element}<ip family"))
    assert ask(guest.namespace, HOST[4], 80, source="10.9.0.5") == REFUSED
    assert ask(guest.namespace, HOST[4], 777, source="10.9.0.5") == "host sees 10.9.0.5"


@pytest.mark.parametrize("family", [4, 6])
def test_the_error_of_an_isolated_guest_gets_out(here: Forwarding, family: int) -> None:
    """ICMP, about a port that nobody has there."""
    lonely, guest = lonely_guest(here)
    here.write(f"{at(HOST[family], '5000/udp')} lonely to={guest.private(family).address}")
    here.event("started", network=lonely)
    assert here.from_outside(HOST[family], 5000, "udp") == REFUSED


def test_a_subnet_in_another_one_of_the_same_network(plain: Forwarding) -> None:
    plain.write(f"{HOST[4]}:80 default guest=web1")
    wider = "<ip address='192.0.2.1' netmask='255.255.255.0'/>\n"
    for operation, port in (("started", None), ("port-created", WorldPort(WEB, plain.web.mac))):
        xml = plain.network.event_xml(port).replace("<ip family", f"{wider}<ip family")
        assert not [line for line in plain.world.event(plain.network, operation, xml) if line.is_error]
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"


@pytest.mark.parametrize("bridge", ['x"y', "b*", "a\\b", "b;r", "fifteen-letters"])
def test_an_isolated_network_with_an_odd_bridge_reaches_no_forward(plain: Forwarding, bridge: str) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1", f"[{HOST[6]}]:80 default guest=web1")
    lonely, guest = lonely_guest(plain)
    run = plain.world.machine.run
    run("ip", "link", "set", lonely.bridge, "down")
    run("ip", "link", "set", lonely.bridge, "name", bridge)
    run("ip", "link", "set", bridge, "up")
    run("ip", "address", "replace", f"{lonely.address(6, 1)}/64", "dev", bridge, "nodad")
    odd = lonely._replace(device=bridge)
    plain.event("started", network=odd)
    for family in (4, 6):
        assert ask(guest.namespace, HOST[family], 80) == REFUSED
    run("nft", "delete", "table", "ip", "nethook")
    plain.event("updated")
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    assert ask(guest.namespace, HOST[4], 80) == REFUSED


def test_ranges_that_overlap_cost_the_second_line_alone(plain: Forwarding) -> None:
    """nft takes no ranges that overlap, for whomever they are."""
    plain.start(
        f"{HOST[4]}:5000-5150 default guest=web1 from=198.51.100.0/24",
        f"{HOST[4]}:5100-5200 default guest=db from=192.0.2.0/24",
        f"{HOST[4]}:80 default guest=web1",
    )
    assert plain.from_outside(HOST[4], 5100) == f"web1 sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"


def test_what_stays_because_of_a_wrong_line_is_not_in_the_way_of_right_ones(plain: Forwarding) -> None:
    plain.start(
        f"{HOST[4]}:5000-5150 default guest=web1",
        f"{HOST[4]}:80,443 default guest=web1",
        f"{HOST[4]}:22 default guest=web1 from=198.51.100.0/24",
    )
    plain.write(
        f"{HOST[4]}:5100-5200 default guest=db",
        f"{HOST[4]}:80 default guest=db",
        f"{HOST[4]}:22 default guest=db from=198.51.0.0/16",
        f"{HOST[4]}:443 default gest=db",
    )
    plain.event("updated")
    for port in (5100, 80, 22):
        assert plain.from_outside(HOST[4], port) == f"db sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 443) == f"web1 sees {OUTSIDE[4]}"


def test_a_line_that_another_network_has_now_leads_to_the_first_one_no_more(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1")
    plain.write(f"{HOST[4]}:80 other guest=db")
    plain.event("updated")
    assert plain.from_outside(HOST[4], 80) == REFUSED


def test_a_reservation_outside_the_network_leads_nowhere(plain: Forwarding) -> None:
    plain.network = plain.network._replace(reserves=((plain.web.mac, OUTSIDE[4]),))
    outside = Servers(plain.world.outside(4).namespace, "outside", [80])
    plain.start(f"{HOST[4]}:80 default guest=web1")
    assert plain.from_outside(HOST[4], 80) == REFUSED
    outside.close()


def test_what_somebody_changed_in_our_table_comes_right(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1")
    nft = plain.world.machine.nft
    nft(
        f"add element ip nethook ports {{ {HOST[4]} . tcp . 443 : {plain.db.private(4).address} . 443 }}",
        f"add element ip nethook taken {{ {HOST[4]} . tcp . 443 }}",
    )
    assert plain.from_outside(HOST[4], 443) == f"{DB} sees {OUTSIDE[4]}"
    plain.event("updated")
    assert plain.from_outside(HOST[4], 443) == f"host sees {OUTSIDE[4]}"
    for command in ("flush chain ip nethook to_port", "flush set ip nethook taken", "flush chain ip nethook ours"):
        nft(command)
        plain.event("updated")
        assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    nft("delete chain ip nethook output")
    plain.event("updated")
    assert ask(plain.world.host, HOST[4], 80) == f"web1 sees {HOST[4]}"


def test_a_file_that_cannot_be_trusted_changes_nothing(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1")
    plain.write(f"{HOST[4]}:80 default guest=db", f"{HOST[4]}:443 default guest=db")
    plain.world.machine.run("chmod", "666", FORWARDS)
    assert plain.event("updated")
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 443) == f"host sees {OUTSIDE[4]}"
