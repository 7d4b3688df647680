"""Where lines of forwarded-ports lead, which ones cannot be on this host, and which would lock somebody out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.changes import REMOVE
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.routed_ips import parse_routed_ips
from nethook.host.addresses import Address
from nethook.host.sockets import Socket
from nethook.libvirt import Network, Port, Ports, Reservation
from nethook.parts.forwards.shown import effects
from nethook.placement import ELSEWHERE, KEPT, REFUSED, WAITING, Networks
from nethook.placement.forwarded import FORWARDED, place_forwards, refusals
from nethook.placement.lockout import listeners, lockouts
from nethook.placement.scope import Scope
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.host.nftables import Elements

MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
ALL = "0.0.0.0"  # noqa: S104 - as /proc has it
WEB = Port("a", MAC, "web1")
WEB_TOO = Port("b", OTHER_MAC, "web1")
BY_MAC = Reservation("192.168.122.10", MAC, "web1")
BY_NAME = Reservation("fd00:122::10", "", "web1")


def forwards(*lines: str) -> list[Forward]:
    found, problems = parse_forwarded_ports([("forwarded-ports", "\n".join(lines).encode())])
    assert problems == []
    return found


def network(
    name: str = "default",
    ports: Iterable[Port] = (WEB,),
    reservations: Sequence[Reservation] = (BY_MAC, BY_NAME),
    mode: str = "nat",
    *,
    all_known: bool = True,
) -> Network:
    subnets = [parse_prefix("192.168.122.0/24"), parse_prefix("fd00:122::/64")]
    return Network(
        name, "virbr0", mode, Ports([*ports], all_known=all_known), subnets=subnets, reservations=reservations
    )


def placed(line: str, up: Sequence[Network], scope: Scope | None = None) -> tuple[str, str, str, str]:
    """Status, target, MAC and reason of the line."""
    scope = scope or Scope(known=up)
    (found,) = place_forwards(
        forwards(line), Networks([each for each in up if scope.has_network(each.name)], scope), scope
    )
    return found.status, found.target, found.mac, found.why


def test_a_reservation_by_mac_is_the_target() -> None:
    assert placed("203.0.113.1:80 default guest=web1", [network()]) == (FORWARDED, "192.168.122.10", MAC, "")


def test_a_reservation_by_name_is_the_target_for_ipv6() -> None:
    assert placed("[2001:db8::1]:80 default guest=web1", [network()])[1] == "fd00:122::10"


def test_a_reservation_that_is_in_no_subnet_leads_nowhere() -> None:
    up = [network(reservations=[Reservation("198.51.100.7", MAC, "web1")])]
    assert placed("203.0.113.1:80 default guest=web1", up) == (
        *(WAITING, "", MAC),
        "network default reserves 198.51.100.7 for guest web1, which is in none of its subnets",
    )


def test_to_wins_over_the_reservation() -> None:
    assert placed("203.0.113.1:80 default guest=web1 to=192.168.122.11", [network()])[1] == "192.168.122.11"


def test_without_a_guest_the_network_is_enough() -> None:
    assert placed("203.0.113.1:80 default to=192.168.122.11", [network(ports=())])[:2] == (FORWARDED, "192.168.122.11")


def test_of_two_nics_the_one_with_a_reservation_counts() -> None:
    assert placed("203.0.113.1:80 default guest=web1", [network(ports=(WEB_TOO, WEB))])[1:3] == ("192.168.122.10", MAC)


def test_mac_chooses_a_nic() -> None:
    line = f"203.0.113.1:80 default guest=web1 mac={OTHER_MAC}"
    assert placed(line, [network(ports=(WEB, WEB_TOO))]) == (
        *(WAITING, "", OTHER_MAC),
        f"network default reserves no IPv4 address for guest web1 ({OTHER_MAC})",
    )


def test_a_guest_that_is_off_is_waited_for() -> None:
    assert placed("203.0.113.1:80 default guest=web1", [network(ports=())]) == (
        *(WAITING, "", ""),
        "guest web1 is not plugged in",
    )


def test_a_guest_of_which_nobody_has_told_is_left_alone() -> None:
    up = [network(ports=(), all_known=False)]
    assert placed("203.0.113.1:80 default guest=web1", up)[0] == KEPT


def test_another_run_decides_about_other_networks_and_their_targets_are_known() -> None:
    own, other = network("own"), network("default", all_known=False)
    scope = Scope({"virbr9": ()}, {"own"}, [own, other])
    assert placed("203.0.113.1:80 default guest=web1", [own, other], scope)[:2] == (ELSEWHERE, "192.168.122.10")
    assert placed("203.0.113.1:80 gone guest=web1", [own, other], scope)[:2] == (ELSEWHERE, "")


def test_a_network_that_is_down_is_waited_for() -> None:
    scope = Scope(down=[network()])
    assert placed("203.0.113.1:80 default guest=web1", [], scope)[:2] == (WAITING, "")


def test_a_refused_line_leads_nowhere() -> None:
    lines = forwards("203.0.113.1:80 default guest=web1")
    up = [network()]
    (found,) = place_forwards(lines, Networks(up, Scope(known=up)), Scope(known=up), {lines[0].key: "because"})
    assert (found.status, found.target, found.why) == (REFUSED, "", "because")


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        ("203.0.113.1:80 default to=192.168.123.5", 24, "network default has no address 192.168.123.5"),
        (
            "203.0.113.1:80 default to=192.168.122.1",
            24,
            "192.168.122.1 is an address of this host, on virbr0, not of a guest",
        ),
        ("203.0.113.1:80 bridged guest=web1", 16, "guests of network bridged answer past this host"),
        (
            "192.168.122.9:80 default guest=web1",
            1,
            "192.168.122.9 is in the subnet 192.168.122.0/24 of network default",
        ),
        (
            "203.0.113.1 default guest=web1 proxy=eth0",
            32,
            "203.0.113.1 is an address of this host, on eth0: it answers",
        ),
    ],
)
def test_what_cannot_be_on_this_host(line: str, column: int, what: str) -> None:
    networks = [network(), network("bridged", mode="bridge")]
    own = {"192.168.122.1": "virbr0", "203.0.113.1": "eth0"}
    ((_, problem),) = refusals(forwards(line), [], networks, own)
    assert problem.place.column == column
    assert problem.what.startswith(what)


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.1:80 default to=192.168.122.5",
        "192.168.122.1:80 default guest=web1",  # the bridge's own address
        "203.0.113.9:80 default to=198.51.100.7",  # a routed address of that network
        "0.0.0.0:80 default guest=web1",
        "203.0.113.1:80 unknown to=10.0.0.1",  # nobody knows
    ],
)
def test_what_can_be(line: str) -> None:
    routed, _ = parse_routed_ips([("routed-ips", b"198.51.100.0/28 default")])
    assert refusals(forwards(line), routed, [network()], {"192.168.122.1": "virbr0"}) == []


def session(address: str = "203.0.113.1", port: int = 22, program: str = "sshd-session") -> Socket:
    found = Socket("tcp", address, port, "198.51.100.7", "1", is_listening=False)
    found.program, found.pid = program, 812
    return found


def listener(address: str, port: int, program: str, protocol: str = "tcp") -> Socket:
    found = Socket(protocol, address, port, ALL, "2", is_listening=True)
    found.program, found.pid = program, 812
    return found


ADDRESSES = [
    Address(4, "203.0.113.1", 24, "eth0"),
    Address(4, "192.168.122.1", 24, "virbr0"),
    Address(4, "127.0.0.1", 8, "lo"),
    Address(4, "169.254.0.1", 32, "virbr0"),
]


def locked_out(*lines: str, sockets: Sequence[Socket]) -> list[str]:
    made = forwards(*lines)
    return [f"{problem.what}; {problem.advice}" for _, problem in lockouts(made, made, sockets, ADDRESSES, {"virbr0"})]


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.1:22 default guest=web1",
        "203.0.113.1:20-30 default guest=web1",
        "0.0.0.0:22 default guest=web1",
        "203.0.113.1:22 default guest=web1 from=198.51.100.0/24",
        "203.0.113.1:22 default guest=web1 from=192.0.2.0/24",  # for nobody else is it the host's any more
        "203.0.113.1 default guest=web1",
    ],
)
def test_the_port_of_an_ssh_session_is_not_taken(line: str) -> None:
    (said,) = locked_out(line, sockets=[session()])
    ends = "be refused" if "192.0.2.0" in line else "go to web1"
    assert said.startswith(
        "somebody is connected from 198.51.100.7 by SSH to port 22 of 203.0.113.1: "
        f"new connections there would {ends}; "
    )
    assert said.endswith("or run nethook apply --force")


@pytest.mark.parametrize(
    "lines",
    [
        ["203.0.113.1:80 default guest=web1"],
        ["203.0.113.1:22/udp default guest=web1"],
        ["203.0.113.2:22 default guest=web1"],
        ["203.0.113.1 default guest=web1", "203.0.113.1:22 -"],
        ["[2001:db8::1]:22 default guest=web1"],
    ],
)
def test_other_ports_are(lines: list[str]) -> None:
    assert locked_out(*lines, sockets=[session(), session("127.0.0.1", 631, "cupsd")]) == []


def test_a_line_for_any_address_takes_nothing_of_guests_and_of_the_host_alone() -> None:
    sessions = [session("192.168.122.1"), session("127.0.0.1"), session("169.254.0.1")]
    assert locked_out("0.0.0.0:22 default guest=web1", sockets=sessions) == []


def test_the_only_address_is_not_taken_as_a_whole() -> None:
    (said,) = locked_out("203.0.113.1 default guest=web1", sockets=[listener(ALL, 2222, "sshd")])
    assert said == (
        "203.0.113.1 is the only IPv4 address of this host: nobody would reach the host itself any more; "
        "write `203.0.113.1:2222 -` on a line of its own, so that SSH stays with this host, "
        "or run nethook apply --force"
    )
    assert locked_out("203.0.113.1 default guest=web1", "203.0.113.1:22 -", sockets=[]) == []


def test_link_local_addresses_reach_the_host_from_its_own_link_alone() -> None:
    addresses = [Address(6, text, 64, "eth0") for text in ("2001:db8::1", "fe80::2", "fe90::2")]
    made = forwards("2001:db8::1 default guest=web1")
    assert len(lockouts(made, made, [], addresses, {"virbr0"})) == 1


def test_where_systemd_listens_for_sshd_the_session_tells_the_port() -> None:
    sockets = [listener(ALL, 2222, "systemd"), session("203.0.113.2", 2222)]
    (said,) = locked_out("203.0.113.1 default guest=web1", "203.0.113.1:22 -", sockets=sockets)
    assert "write `203.0.113.1:2222 -`" in said
    assert locked_out("203.0.113.1 default guest=web1", "203.0.113.1:2222 -", sockets=sockets) == []


@pytest.mark.parametrize(
    ("line", "socket", "is_warned"),
    [
        ("203.0.113.1:80 default guest=web1", listener(ALL, 80, "nginx"), True),
        ("203.0.113.1:80 default guest=web1", listener("::", 80, "nginx"), True),
        ("0.0.0.0:80 default guest=web1", listener("203.0.113.2", 80, "nginx"), True),
        ("0.0.0.0:80 default guest=web1", listener("127.0.0.53", 80, "nginx"), False),
        ("203.0.113.1:80 default guest=web1", listener("203.0.113.2", 80, "nginx"), False),
        ("203.0.113.1:80/udp default guest=web1", listener(ALL, 80, "nginx"), False),
        ("[2001:db8::1]:80 default guest=web1", listener(ALL, 80, "nginx"), False),
        ("203.0.113.7:80 default guest=web1", listener(ALL, 80, "nginx"), False),
    ],
)
def test_a_program_that_listens_is_named(line: str, socket: Socket, is_warned: bool) -> None:
    addresses = [*ADDRESSES, Address(6, "2001:db8::1", 64, "eth0")]
    found = [problem.what for problem in listeners(forwards(line), [socket], addresses)]
    assert len(found) == is_warned
    assert all("nginx (pid 812) of this host listens at port 80 (tcp)" in what for what in found)


def test_ports_that_follow_each_other_are_one_effect() -> None:
    led = [("203.0.113.1", "tcp", str(port), "192.168.122.9", str(port + 1000)) for port in (8000, 8001, 8002, 8005)]
    elsewhere = [
        ("203.0.113.1", protocol, "8003", "192.168.122.9", to) for protocol, to in (("tcp", "80"), ("udp", "9003"))
    ]
    taken = [("203.0.113.1", "tcp", str(port)) for port in range(8000, 8008)]
    kept = ("203.0.113.1", "tcp", "22")
    elements: Elements = {"ports": {*led, *elsewhere}, "taken": set(taken), "kept": {kept}}
    assert [(each.kind, each.prefix, each.to) for each in effects(REMOVE, elements, None, 4)] == [
        ("forward", "203.0.113.1:8000-8002/tcp", "192.168.122.9:9000-9002"),
        ("forward", "203.0.113.1:8003/tcp", "192.168.122.9:80"),
        ("forward", "203.0.113.1:8005/tcp", "192.168.122.9:9005"),
        ("forward", "203.0.113.1:8003/udp", "192.168.122.9:9003"),
        ("taken", "203.0.113.1:8004/tcp", ""),
        ("taken", "203.0.113.1:8006-8007/tcp", ""),
        ("kept", "203.0.113.1:22/tcp", ""),
    ]
