"""An address that belongs to a guest, on booted hosts: no other guest gets it, however it tries.

The tests are the stations of one host's life, in their order. What was sent and what arrived is in
test-logs/binding-SUITE.txt.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.hosts.guest import Nic
from lab.hosts.lab import Lab
from lab.processes import CommandError
from lab.waiting import wait_for
from tests.hosts.forgery import LINK_LOCAL_GROUPS
from tests.hosts.theft import DATAGRAMS, FILE, MACS, STOLEN, TIMES, Theft

pytestmark = pytest.mark.hosts

LOGS = Path(__file__).parents[2] / "test-logs"
HOSTS = {"libvirt 9.0 iptables": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
UNBOUND = [f"{address} public" for address in STOLEN]
BOUND = [f"{line} guest=holder" for line in UNBOUND]
OTHER, FIRST, SECOND = "203.0.113.12", "52:54:00:00:00:a1", "52:54:00:00:00:a2"
NAME = 'web "1" & <ünï>, 日本 \\ $(x) '.ljust(200, "-")


@pytest.fixture(scope="module", params=HOSTS)
def theft(request: pytest.FixtureRequest) -> Iterator[Theft]:
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        host.install()
        theft = Theft(host, lab.wan)
        theft.configure(*UNBOUND)
        yield theft
        LOGS.mkdir(exist_ok=True)
        (LOGS / f"binding-{suite}.txt").write_text("".join(f"{row}\n" for row in theft.rows))


def test_unbound_an_address_can_be_stolen(theft: Theft) -> None:
    for address in STOLEN:
        assert theft.owner(address) == "holder"
    theft.take_addresses()
    for address in STOLEN:
        wait_for(lambda: theft.owner(address) == "thief", f"{address} is stolen")  # noqa: B023
    assert "thief" in theft.believed()["host"]
    theft.give_back()


def test_unbound_forged_packets_arrive(theft: Theft) -> None:
    for source in ("thief", "holder"):
        arrivals = theft.arrivals(theft.forgeries(source))
        theft.rows += [f"not bound, from the MAC address of the {source}:", *map(str, arrivals)]
        assert [str(arrival) for arrival in arrivals if not arrival.arrived] == []
        theft.give_back()


def test_unbound_the_bridge_learns_from_link_local_frames(theft: Theft) -> None:
    """So the thief gets what is sent to the holder; but forged addresses do not get to the host's sockets."""
    wait_for(lambda: theft.port_of("holder") == theft.tap_of("holder"), "the bridge knows the holder")
    theft.send(theft.frames_to_bridge("holder", "thief"))
    assert theft.port_of("holder") == theft.tap_of("thief")
    theft.rows.append("not bound, link-local frames with the holder's MAC address: the bridge believes them")
    theft.take_link_local_frames(LINK_LOCAL_GROUPS[1:])  # these bridges have no STP
    theft.give_back()


def test_bound_nothing_forged_arrives(theft: Theft) -> None:
    theft.configure(*BOUND)
    before = theft.spoofed()
    forgeries = theft.forgeries()
    with theft.flows() as flows:
        arrivals = theft.arrivals(forgeries)
        after = theft.spoofed()
        theft.take_addresses()
        for address in STOLEN:
            assert theft.owner(address) == "holder"
        assert theft.believed() == {"host": {"holder"}, "neighbour": {"holder"}}
    theft.give_back()
    counted = {version: after[version] - before[version] for version in after}
    theft.rows += [
        "bound, from the MAC address of the thief:",
        *map(str, arrivals),
        *(f"IPv{version}: {number} counted as spoofed" for version, number in counted.items()),
        *map(str, flows),
    ]
    assert [str(arrival) for arrival in arrivals if arrival.arrived] == []
    for version in (4, 6):
        sent = TIMES * len([each for each in forgeries if each.version == version and not each.is_hidden])
        assert counted[version] == sent
    assert [each.lost for each in flows] == [0, 0, 0, 0]


def test_bound_the_holders_mac_address_helps_nobody_else(theft: Theft) -> None:
    forgeries = theft.forgeries("holder")
    with theft.flows() as flows:
        arrivals = theft.arrivals(forgeries)
    theft.rows += ["bound, from the MAC address of the holder:", *map(str, arrivals), *map(str, flows)]
    assert [str(arrival) for arrival in arrivals if arrival.arrived] == []
    assert [each.lost for each in flows] == [0, 0, 0, 0]


def test_bound_the_bridge_does_not_learn_from_link_local_frames(theft: Theft) -> None:
    with theft.flows() as flows:
        theft.send(theft.frames_to_bridge("holder", "thief"))
        assert theft.port_of("holder") == theft.tap_of("holder")
        theft.take_link_local_frames()
    theft.rows += ["bound, link-local frames with the holder's MAC address: the bridge ignores them", *map(str, flows)]
    assert [each.lost for each in flows] == [0, 0, 0, 0]


def test_a_restart_of_libvirtd_changes_nothing(theft: Theft) -> None:
    before = theft.spoofed()
    with theft.flows() as flows:
        theft.host.restart_libvirtd()
    assert [each.lost for each in flows] == [0, 0, 0, 0]
    assert theft.host.nethook("plan").stdout == ""
    assert theft.spoofed() == before
    assert [str(arrival) for arrival in theft.arrivals(theft.forgeries()) if arrival.arrived] == []


def test_a_change_of_the_nic_is_no_unplugging(theft: Theft) -> None:
    """For each, libvirt makes another port for the NIC, and deletes one of both."""
    theft.configure(*BOUND)
    nic = Nic("public", MACS["holder"])
    with theft.flows() as flows:
        theft.holder.change(nic)
        with pytest.raises(CommandError, match="vlan"):
            theft.holder.change(nic, "<vlan><tag id='7'/></vlan>")
    assert [each.lost for each in flows] == [0, 0, 0, 0]
    for state in ("down", "up"):
        theft.host.virsh("domif-setlink", "holder", MACS["holder"], state)
        assert all(theft.routed(address) for address in STOLEN)
        assert theft.host.nethook("plan").stdout == ""
    theft.is_held_by("holder")


def test_it_is_routed_while_the_guest_is_plugged_in(theft: Theft) -> None:
    theft.holder.unplug(MACS["holder"])
    theft.is_unrouted()
    theft.take_addresses()
    assert [theft.owner(address) for address in STOLEN] == [None, None]
    assert [str(arrival) for arrival in theft.arrivals(theft.forgeries()) if arrival.arrived] == []
    theft.holder.plug(Nic("public", MACS["holder"]))
    theft.give_back()


def test_it_is_routed_while_the_guest_runs(theft: Theft) -> None:
    theft.holder.stop()
    theft.is_unrouted()
    theft.holder.start()
    theft.is_held_by("holder")
    theft.holder.crash()
    theft.is_unrouted()
    assert theft.host.nethook("plan").stdout == ""
    theft.holder.start()
    theft.is_held_by("holder")
    theft.host.virsh("suspend", "holder")
    assert theft.routed(STOLEN[0])
    theft.host.virsh("resume", "holder")
    theft.is_held_by("holder")


def test_an_address_of_two_guests_is_refused(theft: Theft) -> None:
    theft.host.write(FILE, "".join(f"{line}\n" for line in (*BOUND, f"{STOLEN[0]} public guest=neighbour")))
    refused = theft.host.nethook("apply")
    assert refused.returncode != 0
    assert f"{FILE}:3:1: {STOLEN[0]} is already at {FILE}:1:1, for guest holder" in refused.stderr
    theft.is_held_by("holder")


def test_it_moves_to_another_guest_with_apply(theft: Theft) -> None:
    theft.neighbour.run("; ".join(f"ip -{version} route del {address}" for address, version in zip(STOLEN, "46")))
    theft.neighbour.run(
        "; ".join(f"ip -{version} addr add {address} dev eth0" for address, version in zip(STOLEN, "46"))
    )
    theft.configure(*BOUND)
    assert theft.datagrams() == {"holder": DATAGRAMS, "neighbour": 0}
    theft.configure(*(line.replace("holder", "neighbour") for line in BOUND))
    assert theft.datagrams() == {"holder": 0, "neighbour": DATAGRAMS}
    for address in STOLEN:
        assert theft.owner(address) == "neighbour"
    theft.configure(*BOUND)
    for address in STOLEN:
        assert theft.owner(address) == "holder"


def test_names_and_nics(theft: Theft) -> None:
    """A guest with any name and two NICs on the network: mac= says which, and it may be renamed."""
    guest = theft.host.guest(
        NAME,
        network="public",
        addresses=[f"{OTHER}/32"],
        gateways=["192.168.50.1"],
        mac=FIRST,
        more_nics=[Nic("public", SECOND)],
    )
    theft.configure(*BOUND, f"{OTHER} public guest={quoted(NAME)} mac={FIRST}")
    guest.start()
    theft.is_held_by(guest.label, OTHER)
    theft.configure(*BOUND, f"{OTHER} public guest={quoted(NAME)} mac={SECOND}")
    guest.run("ip link set eth0 down; configure eth1")
    theft.is_held_by(guest.label, OTHER)
    theft.host.virsh("undefine", "--domain", NAME)  # it goes on as a transient one
    theft.is_held_by(guest.label, OTHER)
    theft.host.restart_libvirtd()
    assert theft.host.nethook("plan").stdout == ""
    guest.stop()
    theft.is_unrouted(OTHER)
    guest.start_transient()
    guest.run("ip link set eth0 down; configure eth1")
    theft.is_held_by(guest.label, OTHER)
    guest.stop()


def test_another_name_is_another_guest(theft: Theft) -> None:
    theft.holder.stop()
    theft.holder.rename("somebody else")
    theft.holder.start()
    assert not theft.routed(STOLEN[0])
    theft.configure(*(line.replace("holder", quoted("somebody else")) for line in BOUND))
    theft.is_held_by("holder")


def quoted(name: str) -> str:
    """A name as the file has it."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
