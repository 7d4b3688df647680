"""Forwarded ports through the life of networks and guests: who answers, after each event of libvirt.

The same ports are open on the host, so that an answer of the host in the guest's place is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.network import ISOLATED
from lab.world.servers import REFUSED, UNREACHABLE, Client, Servers, ask
from lab.world.world import HOST, OUTSIDE
from tests.kernel.forwarded_guests import DB, FORWARDS, WEB, WHOLE, at

if TYPE_CHECKING:
    from tests.kernel.forwarded_guests import Forwarding

BOTH = pytest.mark.parametrize("family", [4, 6])
ANY = {4: "0.0.0.0", 6: "[::]"}  # noqa: S104 - of the host


@BOTH
def test_a_guest_answers_while_it_runs_and_the_host_never_in_its_place(here: Forwarding, family: int) -> None:
    client = OUTSIDE[family]
    here.write(
        f"{at(HOST[family], '80,443')} default guest=web1",
        f"{at(HOST[family], '2201')} default guest=web1 to=22",
        f"{at(HOST[family], '53/tcp,udp')} default guest=db",
        f"{at(HOST[family], '5000-5999/udp')} default guest=db",
        f"{WHOLE[family]} default guest=web1",
        f"{ANY[family]}:25565 default guest=db",
    )
    of_web = [
        (HOST[family], 80, "tcp"),
        (HOST[family], 443, "tcp"),
        (HOST[family], 2201, "tcp"),
        (WHOLE[family], 777, "tcp"),
    ]
    of_db = [
        (HOST[family], 53, "tcp"),
        (HOST[family], 53, "udp"),
        (HOST[family], 5100, "udp"),
        (HOST[family], 25565, "tcp"),
    ]
    here.event("started")
    for end in (*of_web, *of_db):
        assert here.from_outside(*end) == REFUSED
    here.event("port-created", WEB)
    here.event("port-created", DB)
    for end in of_web:
        assert here.from_outside(*end) == f"{WEB} sees {client}"
    for end in of_db:
        assert here.from_outside(*end) == f"{DB} sees {client}"
    assert here.from_outside(HOST[family], 777) == f"host sees {client}"
    assert ask(here.world.host, HOST[family], 80) == f"{WEB} sees {HOST[family]}"
    assert here.event("updated") == []
    here.event("port-deleted", WEB)
    for end in of_web:
        assert here.from_outside(*end) == REFUSED
    assert here.from_outside(*of_db[0]) == f"{DB} sees {client}"
    here.event("stopped")
    assert here.from_outside(*of_db[0]) == REFUSED
    here.write()
    here.event("start")
    assert "nethook" not in here.world.machine.run("nft", "list", "tables", "ip")
    assert here.from_outside(HOST[family], 80) == f"host sees {client}"


def test_what_a_guest_with_a_whole_address_begins_leaves_with_it(plain: Forwarding) -> None:
    outside = Servers(plain.world.outside(4).namespace, "outside", [80])
    plain.start(*(f"{WHOLE[family]} default guest=web1" for family in (4, 6)))
    for family in (4, 6):
        assert ask(plain.web.namespace, OUTSIDE[family], 80) == f"outside sees {WHOLE[family]}"
        assert ask(plain.db.namespace, OUTSIDE[family], 80) == f"outside sees {HOST[family]}"
    outside.close()


@BOTH
def test_the_sessions_of_the_host_go_on_and_flows_of_udp_move(plain: Forwarding, family: int) -> None:
    outside = plain.world.outside(family).namespace
    plain.start(f"{at(HOST[family], '443')} default guest=db")
    session, flow = Client(outside, HOST[family], 80), Client(outside, HOST[family], 53, protocol="udp")
    bystander = Client(outside, HOST[family], 443)
    assert session.ask() == flow.ask() == f"host sees {OUTSIDE[family]}"
    assert bystander.ask() == f"db sees {OUTSIDE[family]}"
    plain.write(
        f"{at(HOST[family], '443')} default guest=db", f"{at(HOST[family], '80,53/tcp,udp')} default guest=web1"
    )
    plain.event("updated")
    assert session.ask() == f"host sees {OUTSIDE[family]}"
    assert flow.ask() == f"web1 sees {OUTSIDE[family]}"
    assert plain.from_outside(HOST[family], 80) == f"web1 sees {OUTSIDE[family]}"
    assert bystander.ask() == f"db sees {OUTSIDE[family]}"
    # another guest
    plain.write(f"{at(HOST[family], '443')} default guest=db", f"{at(HOST[family], '80,53/tcp,udp')} default guest=db")
    plain.event("updated")
    assert flow.ask() == f"db sees {OUTSIDE[family]}"
    assert session.ask() == f"host sees {OUTSIDE[family]}"
    # the guest stops
    plain.event("port-deleted", DB)
    assert flow.ask() == REFUSED
    assert bystander.ask() == REFUSED
    for each in (session, flow, bystander):
        each.close()


def test_a_reservation_that_changes_moves_the_target(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1", f"[{HOST[6]}]:80 default guest=web1")
    session = Client(plain.world.outside(4).namespace, HOST[4], 80)
    assert session.ask() == f"web1 sees {OUTSIDE[4]}"
    plain.network = plain.reserving(plain.db, plain.web)
    plain.event("updated")
    assert plain.from_outside(HOST[4], 80) == f"db sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[6], 80) == f"db sees {OUTSIDE[6]}"
    assert session.ask() == REFUSED
    session.close()


def test_a_guest_without_a_reservation_is_refused(plain: Forwarding) -> None:
    plain.network = plain.network._replace(reserves=())
    plain.start(f"{HOST[4]}:80 default guest=web1")
    assert plain.from_outside(HOST[4], 80) == REFUSED


def test_a_wrong_line_leaves_what_is_in_force(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1", f"{HOST[4]}:443 default guest=web1")
    plain.write(f"{HOST[4]}:80 default guest=web1 to=70000", f"{HOST[4]}:443 default guest=db")
    plain.event("updated")
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 443) == f"db sees {OUTSIDE[4]}"


def test_an_event_of_another_network_leaves_the_others_and_restores_a_lost_table(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]}:80 default guest=web1", f"{HOST[4]}:443 other guest=db")
    other = plain.world.network("other", 2)
    plain.event("started", network=other)
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 443) == REFUSED
    plain.world.machine.run("nft", "delete", "table", "ip", "nethook")
    plain.event("updated", network=other)
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    plain.event("stopped", network=other)
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"


def test_a_guest_of_an_isolated_network_is_refused_from_its_first_event_on(plain: Forwarding) -> None:
    plain.start(
        f"{HOST[4]}:80 default guest=web1", f"[{HOST[6]}]:80 default guest=web1", "0.0.0.0:25565 default guest=web1"
    )
    lonely = plain.world.network("lonely", 3, ISOLATED)
    guest = plain.world.guest(lonely)
    plain.event("start", network=lonely)
    # even if nothing but the record of the event can be made
    plain.world.machine.write(FORWARDS, "x" * 10)
    plain.world.machine.write("/etc/nethook/nethook.conf", "what = this\n")
    plain.event("started", network=lonely)
    for family in (4, 6):
        assert ask(guest.namespace, HOST[family], 80) == REFUSED
    assert ask(guest.namespace, HOST[4], 25565) == REFUSED
    assert ask(guest.namespace, HOST[4], 777) == f"host sees {guest.private(4).address}"


def test_an_address_whose_network_is_down_does_not_circle(plain: Forwarding) -> None:
    plain.write(f"{WHOLE[4]}:80 default guest=web1")
    plain.event("started")
    assert plain.from_outside(WHOLE[4], 80) == REFUSED
    assert plain.from_outside(WHOLE[4], 777) == UNREACHABLE


def test_a_port_stays_with_the_host(plain: Forwarding) -> None:
    plain.start(f"{HOST[4]} default guest=web1", f"{HOST[4]}:22 -")
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 22) == f"host sees {OUTSIDE[4]}"


@BOTH
def test_the_guest_sees_its_bridge_if_the_line_says_so(plain: Forwarding, family: int) -> None:
    plain.start(f"{at(HOST[family], '80')} default guest=web1 as=host")
    assert plain.from_outside(HOST[family], 80) == f"web1 sees {plain.network.address(family, 1)}"


def test_only_these_clients_get_in(plain: Forwarding) -> None:
    plain.start(
        f"{HOST[4]}:80 default guest=web1 from=198.51.100.0/24", f"{HOST[4]}:443 default guest=web1 from=192.0.2.200"
    )
    assert plain.from_outside(HOST[4], 80) == f"web1 sees {OUTSIDE[4]}"
    assert plain.from_outside(HOST[4], 443) == REFUSED


def test_the_host_answers_for_an_address_on_the_uplink(plain: Forwarding) -> None:
    """The outside has 198.51.100.0/24 on the link, and asks by ARP for .77, which nobody has."""
    plain.start("198.51.100.77 default guest=web1 proxy=uplink")
    assert plain.from_outside("198.51.100.77", 80) == f"web1 sees {OUTSIDE[4]}"
    plain.event("port-deleted", WEB)
    assert plain.from_outside("198.51.100.77", 80) in {REFUSED, UNREACHABLE}
