"""``nethook doctor`` on a real kernel: whose problem each finding is, and who answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lab.processes import run
from lab.world.network import WorldPort
from lab.world.verbs import nethook, tell_libvirt, verb
from lab.world.world import family_of
from nethook.doctor import one_way
from tests.kernel.forwarded_guests import FORWARDS

if TYPE_CHECKING:
    from lab.world.world import World, WorldGuest

FOUR, SIX, BLOCK, LARGE, SILENT = (
    "203.0.113.10",
    "2001:db8:7::10",
    "203.0.113.16/29",
    "2001:db8:8::/64",
    "203.0.113.32/29",
)
MANY = [f"203.0.113.{number}" for number in range(100, 150)]


@pytest.fixture
def guest(nftables_world: World) -> WorldGuest:
    """It has an address of each line but MANY and SILENT."""
    network = nftables_world.network("public", 1)
    return nftables_world.guest(network, FOUR, SIX, "203.0.113.17", "2001:db8:8::5")


@pytest.fixture
def host(nftables_world: World, guest: WorldGuest) -> World:
    """A host with lines of all kinds."""
    tell_libvirt(nftables_world, guest.network, WorldPort("web1", guest.mac))
    nftables_world.configure(*(f"{address} public" for address in (FOUR, SIX, BLOCK, LARGE)))
    nethook(nftables_world, "apply")
    return nftables_world


def doctor(world: World, *arguments: str) -> dict[str, Any]:
    """What it says as JSON, without what it cannot find in a world: libvirt's daemon."""
    said: dict[str, Any] = json.loads(verb(world, "doctor", "--json", *arguments).stdout)
    assert said["stopped_by"] is None
    said["failures"] = [
        each for each in said["findings"] if each["verdict"] == "failure" and each["station"] not in {"libvirt", "hook"}
    ]
    return said


def answered(said: dict[str, Any]) -> list[str]:
    """The addresses at which somebody has answered."""
    texts = [each for each in said["findings"] if each["station"] == "guest" and " answers " in each["text"]]
    return sorted(address for each in texts if each["verdict"] == "ok" for address in each["addresses"])


def test_a_blocked_gate_of_ipv4_is_no_failure_of_ipv6(host: World) -> None:
    host.machine.run("iptables-nft", "-P", "FORWARD", "DROP")
    (failure,) = doctor(host)["failures"]
    assert (failure["station"], failure["addresses"]) == ("gate", [FOUR, BLOCK])
    assert failure["way"][failure["way_at"]] == "firewall"


def test_a_small_prefix_is_asked_and_a_large_one_is_not(host: World) -> None:
    said = doctor(host)
    assert said["failures"] == []
    assert answered(said) == sorted([FOUR, SIX, BLOCK])
    assert answered(doctor(host, "2001:db8:8::5")) == ["2001:db8:8::5"]


def test_silent_addresses_are_one_finding(host: World) -> None:
    host.configure(*(f"{address} public" for address in (FOUR, *MANY)), f"{SILENT} public")
    nethook(host, "apply")
    (failure,) = doctor(host)["failures"]
    assert failure["addresses"] == [*MANY, SILENT]
    assert failure["text"] == "no guest on virbr1 answers ARP for any of these 51"
    assert "ip address add ADDRESS/32 dev NIC; `nethook guest-config ADDRESS`" in failure["advice"]
    (one,) = doctor(host, MANY[0])["failures"]
    assert one["text"] == f"no guest on virbr1 answers ARP for {MANY[0]}"
    (block,) = doctor(host, SILENT)["failures"]
    assert block["text"] == f"no guest on virbr1 answers ARP for any address of {SILENT}"


def test_a_line_that_is_only_in_an_ignored_file(host: World) -> None:
    host.machine.write("/etc/default/routed-ips", "203.0.113.99 public\n")
    (failure,) = doctor(host, "203.0.113.99")["failures"]
    assert "/etc/default/routed-ips is ignored, because another file comes first" in failure["text"]
    shown = verb(host, "status")
    assert "/etc/default/routed-ips is ignored, because /etc/nethook/routed-ips exists" in shown.stderr
    assert verb(host, "status", "203.0.113.99").stderr == (
        "nethook: no line that is read names 203.0.113.99: /etc/default/routed-ips:1 does, but another file comes "
        "before that one\n"
    )


@pytest.mark.parametrize("address", [FOUR, SIX])
def test_an_address_from_which_nothing_comes_back(host: World, guest: WorldGuest, address: str) -> None:
    """As of a guest whose answers leave by another NIC, although it answers its neighbours."""
    family = family_of(address)

    def warnings() -> list[str]:
        found = doctor(host)["findings"]
        return [each["text"] for each in found if each["verdict"] == "warning" and each["addresses"] == [address]]

    def ping() -> int:
        argv = ["ping", "-c", str(one_way.MANY), "-i", "0.01", "-W", "1", address]
        with host.outside(family).namespace.entered():
            return run(argv, check=False).returncode

    assert ping() == 0
    assert not any("come back" in text for text in warnings())
    assert address in doctor(host)["healthy"]
    nethook(host, "clear", "--yes")  # the counters begin anew
    nethook(host, "apply")
    guest.namespace.ip(f"route del default via {guest.network.address(family, 1)}")
    assert ping() != 0
    assert any("nothing from there has come back to virbr1" in text for text in warnings())
    said = doctor(host)
    assert address not in said["healthy"] + said["not_tried"]


def test_each_port_of_an_address_is_examined_alone(host: World, guest: WorldGuest) -> None:
    private = guest.private(4).address
    forwards = f"203.0.113.1:22 public guest=gone\n203.0.113.1:443 public guest=web1 to={private}\n"
    host.machine.write(FORWARDS, forwards)
    host.configure()
    nethook(host, "apply", check=False)  # libvirt has no such guest
    (failure,) = doctor(host, "203.0.113.1")["failures"]
    assert failure["addresses"] == ["203.0.113.1:22/tcp"]
    said = doctor(host, "203.0.113.1:443/tcp")
    assert (said["addresses"], said["failures"]) == (["203.0.113.1:443/tcp"], [])
    assert doctor(host, "203.0.113.1:22")["failures"] == [failure]
    assert [each["addresses"] for each in doctor(host, "203.0.113.1:81")["failures"]] == [["203.0.113.1:81"]]


def test_packets_of_forwards_alone_need_room_in_the_tables_of_the_kernel(host: World, guest: WorldGuest) -> None:
    host.machine.write(FORWARDS, f"203.0.113.1:443 public to={guest.private(4).address}\n")
    host.configure()
    nethook(host, "apply")
    assert "connection tracking" in {each["station"] for each in doctor(host)["findings"]}
    host.machine.run("sysctl", "-qw", f"net.ipv6.conf.{guest.network.bridge}.accept_ra=2")
    warned = [each["text"] for each in doctor(host)["findings"] if each["station"] == "router advertisements"]
    assert [text for text in warned if guest.network.bridge in text] == [
        f"the host believes router advertisements of guests on {guest.network.bridge}"
    ]
