"""Lives of networks on a fake host: all events that libvirt has, and what it does itself before each of them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from lab.world.network import ISOLATED, WorldNetwork, WorldPort
from tests.unit.machine import UPLINK, World, connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEB = WorldPort("web1", "52:54:00:00:01:02")
WEB_TOO = WorldPort("web1", "52:54:00:00:01:03")
DB = WorldPort("db", "52:54:00:00:01:04")
PUBLIC = WorldNetwork("public", 1, "nat")
ROUTED = WorldNetwork("routed", 2, "route")
LONELY = WorldNetwork("lonely", 3, ISOLATED)


class Scenario(NamedTuple):
    """What the files say, and which networks and guests there are."""

    lines: tuple[str, ...]
    networks: tuple[WorldNetwork, ...] = (PUBLIC,)
    guests: tuple[WorldPort, ...] = (WEB,)
    """On the first network."""
    firewall: str = "libvirt-nftables"
    has_ipv6: bool = True
    settings: str = ""
    edits: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Lines and settings that somebody writes while the networks are up."""
    forwards: tuple[str, ...] = ()
    """Lines of forwarded-ports."""
    edits_of_forwards: tuple[tuple[str, ...], ...] = ()


PLAIN = ("203.0.113.10 public", "203.0.113.16/29 public", "2001:db8:7::10 public", "2001:db8:7:1::/64 public")
BOUND = (
    "203.0.113.10 public guest=web1",
    "203.0.113.16/29 public guest=web1",
    "203.0.113.17 public guest=db",
    "2001:db8:7::10 public guest=db",
    "2001:db8:7:1::/64 public guest=web1",
    "203.0.113.40 public",
)
NAT = PUBLIC._replace(
    reserves=(
        (WEB.mac, PUBLIC.address(4, 2)),
        (DB.mac, PUBLIC.address(4, 3)),
        (WEB.guest, PUBLIC.address(6, 2)),
        (DB.guest, PUBLIC.address(6, 3)),
    )
)
FORWARDS = (
    "198.51.100.2:80,443 public guest=web1",
    "198.51.100.2:2201 public guest=web1 to=22",
    "198.51.100.2:53/tcp,udp public guest=db",
    "198.51.100.2:5000-5999/udp public guest=web1",
    "198.51.100.2:8000-8002 public guest=db to=9000-9002",
    "198.51.100.2:3389 public guest=db from=203.0.113.192/27,192.0.2.200",
    f"198.51.100.2:8443 public to={PUBLIC.address(4, 2)}:443",
    "203.0.113.60 public guest=web1",
    "203.0.113.60:22 -",
    f"203.0.113.61 public guest=db proxy={UPLINK}",
    "0.0.0.0:25565/tcp,udp public guest=db",
    "198.51.100.2:51820/udp public guest=web1 outgoing=yes as=host",
    "[2001:db8:ffff::2]:443 public guest=web1",
    f"[2001:db8:ffff::2]:5000-5999/udp public to={PUBLIC.address(6, 3)}",
    "2001:db8:7::60 public guest=db",
)
CONNECTIONS = (("192.0.2.1", "203.0.113.10"), ("192.0.2.1", "203.0.113.40"), ("2001:db8::1", "2001:db8:7::10"))
SCENARIOS = {
    "plain": Scenario(PLAIN),
    "iptables-nft": Scenario(PLAIN, firewall="iptables-nft"),
    "iptables-legacy": Scenario(PLAIN, firewall="iptables-legacy"),
    "via": Scenario(("203.0.113.64/28 public via=192.0.2.10", "2001:db8:7:8::/64 public via=2001:db8:101::2")),
    "proxy": Scenario((f"203.0.113.30 public proxy={UPLINK}", f"2001:db8:7::30 public proxy={UPLINK}")),
    "guests": Scenario(BOUND, guests=(WEB, DB)),
    "guest with two NICs": Scenario(
        (f"203.0.113.10 public guest=web1 mac={WEB_TOO.mac}", "2001:db8:7::11 public guest=web1"), guests=(WEB, WEB_TOO)
    ),
    "guest behind a next hop": Scenario(("203.0.113.64/28 public via=192.0.2.10 guest=web1",)),
    "guest with a proxy entry": Scenario((f"203.0.113.30 public guest=web1 proxy={UPLINK}",)),
    "isolated": Scenario((*PLAIN, "203.0.113.50 lonely"), networks=(PUBLIC, LONELY)),
    "isolated first": Scenario((*PLAIN, "203.0.113.50 lonely guest=web1"), networks=(LONELY, PUBLIC)),
    "prefix in a prefix": Scenario(("203.0.113.0/25 public", "203.0.113.64/26 routed"), networks=(PUBLIC, ROUTED)),
    "IPv6 is off": Scenario(PLAIN, has_ipv6=False),
    "no gateways": Scenario(PLAIN, has_ipv6=False, settings="gateway4 = none\ngateway6 = none\n"),
    "lines change": Scenario(
        BOUND,
        networks=(PUBLIC, ROUTED),
        guests=(WEB, DB),
        edits=(
            (("203.0.113.10 public guest=db", "203.0.113.16/29 routed", "2001:db8:7::10 public guest=web1"), ""),
            (("203.0.113.10 public via=192.0.2.10", "203.0.113.20 public guest=web1", "203.0.113.16/29 public"), ""),
            ((), ""),
        ),
    ),
    "settings change": Scenario(
        PLAIN,
        edits=(
            (PLAIN, "mark-bit = 0x20000000\n"),
            (PLAIN, "mark-bit = 0x20000000\ngateway4 = none\ngateway6 = none\n"),
        ),
    ),
    "settings change, iptables": Scenario(
        PLAIN,
        firewall="iptables-nft",
        edits=((PLAIN, "mark-bit = 0x20000000\n"), (PLAIN, "gates = libvirt-nftables\n")),
    ),
    "no lines": Scenario((), networks=(PUBLIC, LONELY)),
    "forwards": Scenario((), networks=(NAT, LONELY), guests=(WEB, DB), forwards=FORWARDS),
    "forwards change": Scenario(
        PLAIN,
        networks=(NAT, ROUTED),
        guests=(WEB, DB),
        forwards=FORWARDS,
        edits_of_forwards=(
            (
                "198.51.100.2:80 public guest=db",
                "198.51.100.2:5000-5500/udp public guest=web1",
                "198.51.100.2:2201 public guest=web1 to=2222",
                "203.0.113.61 public guest=db",
                "[2001:db8:ffff::2]:443 public guest=web1 from=2001:db8:9::/48",
            ),
            (),
        ),
    ),
    "forwards on the uplink": Scenario(
        ("203.0.113.60/30 public via=192.0.2.10", "2001:db8:7::60 public guest=web1"),
        networks=(NAT, ROUTED),
        forwards=(
            f"203.0.113.59:80 public to={PUBLIC.address(4, 2)} proxy={UPLINK}",
            f"203.0.113.59:443 routed to={ROUTED.address(4, 2)} proxy={UPLINK}",
            f"203.0.113.61:443 routed to={ROUTED.address(4, 2)} proxy={UPLINK}",
            f"[2001:db8:7::60]:443 routed to={ROUTED.address(6, 2)} proxy={UPLINK}",
        ),
    ),
    "forwards, iptables": Scenario((), networks=(NAT,), firewall="iptables-nft", forwards=FORWARDS),
}


class Step(NamedTuple):
    """What libvirt does, and then what nethook does."""

    name: str
    before: Callable[[World], object]
    act: Callable[[World], list[str]]


def world_of(scenario: Scenario) -> World:
    """Return a world in which nothing has happened yet."""
    made = World(scenario.firewall)
    made.configure(*scenario.lines, settings=scenario.settings, forwards=scenario.forwards)
    made.host.connections = [connection(*each) for each in CONNECTIONS]
    return made


def steps_of(scenario: Scenario) -> Iterator[Step]:
    """Yield the life of these networks."""
    first = scenario.networks[0]

    def event(network: WorldNetwork, operation: str, port: WorldPort | None = None) -> Callable[[World], list[str]]:
        return lambda world: world.event(network, operation, port, has_ipv6=scenario.has_ipv6)

    def up(network: WorldNetwork) -> Callable[[World], object]:
        return lambda world: world.bring_up(network, has_ipv6=scenario.has_ipv6)

    def down(network: WorldNetwork) -> Callable[[World], object]:
        return lambda world: world.take_down(network)

    def plug(port: WorldPort) -> Iterator[Step]:
        yield Step(
            f"port-created {port.mac}", lambda world: world.announce(first, port), event(first, "port-created", port)
        )
        yield Step(f"port-created {port.mac}, again", lambda world: world.put_in(first, port), event(first, "updated"))

    def write(lines: tuple[str, ...], settings: str) -> Callable[[World], object]:
        return lambda world: world.configure(*lines, settings=settings)

    def forward(lines: tuple[str, ...]) -> Callable[[World], object]:
        return lambda world: world.configure(*scenario.lines, settings=scenario.settings, forwards=lines)

    for network in scenario.networks:
        yield Step(f"start {network.name}", _nothing, event(network, "start"))
        yield Step(f"started {network.name}", up(network), event(network, "started"))
    for port in scenario.guests:
        yield from plug(port)
    for number, (lines, settings) in enumerate(scenario.edits, 1):
        yield Step(f"edit {number}", write(lines, settings), event(first, "updated"))
        yield Step("apply", _nothing, World.apply)
    for number, forwards in enumerate(scenario.edits_of_forwards, 1):
        yield Step(f"edit {number} of forwards", forward(forwards), event(first, "updated"))
        yield Step("apply", _nothing, World.apply)
    gone = scenario.guests[0]
    yield Step(f"port-deleted {gone.mac}", lambda world: world.pull(first, gone), event(first, "port-deleted", gone))
    yield Step("clear", _nothing, World.clear)
    yield Step("apply", _nothing, World.apply)
    yield from islice(plug(gone), 1)
    for network in scenario.networks:
        yield Step(f"stopped {network.name}", down(network), event(network, "stopped"))


def _nothing(_: World) -> None:
    return
