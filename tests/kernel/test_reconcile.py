"""What a run changes, what it leaves alone, and what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.network import WorldNetwork
from lab.world.world import SETTINGS, World
from tests.kernel import listings
from tests.kernel.scenario import ADDRESSES, LINES, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.syslog import Logged

families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
A = {4: "203.0.113.10", 6: "2001:db8:7::10"}
B = {4: "203.0.113.20", 6: "2001:db8:7::20"}
BLOCK = {4: ("203.0.113.16/29", "203.0.113.17"), 6: ("2001:db8:7:1::/64", "2001:db8:7:1::1")}
OTHER_BLOCK = {4: "203.0.113.32/29", 6: "2001:db8:7:2::/64"}


@pytest.fixture
def world(nftables_world: World) -> World:
    """None of this depends on libvirt's firewall."""
    return nftables_world


def errors(logged: list[Logged]) -> list[str]:
    return [line.text for line in logged if line.is_error]


def packets_to(world: World, key: str, family: int) -> int:
    """How many packets an element has counted."""
    name = f"to{family}_prefixes" if "/" in key else f"to{family}"
    listing = world.machine.run("nft", "list", "set", "inet", "nethook", name)
    found = re.search(rf'"virbr1" \. {re.escape(key)} counter packets (\d+) ', listing)
    assert found, listing
    return int(found[1])


@families
def test_counters_survive_what_happens_to_other_addresses(world: World, family: int) -> None:
    public = world.network("public", 1)
    block, member = BLOCK[family]
    guest = world.guest(public, A[family], member)
    kept = (f"{A[family]} public", f"{block} public")
    world.configure(*kept)
    world.event(public, "started")
    for address in (A[family], member):
        assert world.exchange(world.outside(family), guest.at(address))
    for lines in ((*kept, f"{B[family]} public", f"{OTHER_BLOCK[family]} public"), kept):
        world.configure(*lines)
        assert world.event(public, "port-created")
        assert packets_to(world, A[family], family) == 1
        assert packets_to(world, block, family) == 1


def in_force(world: World) -> set[str]:
    """The prefixes for which there is a route of ours that leads somewhere."""
    return {line.split()[0] for line in listings.routes(world.machine)} - {"unreachable"}


def test_each_change_is_logged_with_its_line_and_its_reason(world: World) -> None:
    public = world.network("public", 1)
    world.configure("# two of them", "203.0.113.10 public", "  203.0.113.20  public # and this")
    logged = world.event(public, "started")
    assert {line.identifier for line in logged} == {"nethook"}
    assert errors(logged) == []
    texts = [line.text for line in logged]
    assert "+ route 203.0.113.20 → virbr1 (public), /etc/nethook/routed-ips:3 [network public started]" in texts
    assert all(text.endswith(" [network public started]") for text in texts)


def test_lines_come_and_go(world: World) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, A[4], B[4])
    for lines, answers in (
        (["203.0.113.10 public"], {A[4]}),
        (["203.0.113.20 public"], {B[4]}),
        (["203.0.113.10 public", "203.0.113.20 public"], {A[4], B[4]}),
        ([], set()),
    ):
        world.configure(*lines)
        world.event(public, "port-created")
        assert in_force(world) == answers
        for address in (A[4], B[4]):
            if address in answers:
                assert world.exchange(world.outside(4), guest.at(address))
            else:
                assert not world.reaches(world.outside(4), guest.at(address))


def test_the_configuration_file_gone_means_no_addresses(world: World) -> None:
    scenario = Scenario(world)
    scenario.event("started")
    (world.machine.root / "etc/nethook/routed-ips").unlink()
    assert errors(scenario.event("port-created")) == []
    assert in_force(world) == set()


@pytest.mark.parametrize(
    "wrong",
    [
        "203.0.113.10",
        "203.0.113.10 public guest",
        "203.0.113.10 public gest=web1",
        "203.0.113.1O public",  # the letter
        "203.0.113.10/33 public",
        '203.0.113.10 "public',
        "203.0.113.10 pub\xfflic",
    ],
)
def test_what_a_wrong_line_is_about_stays_in_force_and_the_other_lines_are_applied(world: World, wrong: str) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, A[4], B[4])
    world.configure("203.0.113.10 public")
    world.event(public, "started")
    world.machine.write("/etc/nethook/routed-ips", f"\n{wrong}\n203.0.113.20 public\n".encode("latin-1"))
    logged = world.event(public, "port-created")
    assert [text for text in errors(logged) if text.startswith("/etc/nethook/routed-ips:2:")]
    for address in (A[4], B[4]):
        assert world.exchange(world.outside(4), guest.at(address))
        assert world.exchange(guest.at(address), world.outside(4))
    again = world.event(public, "port-created")
    assert [line for line in again if not line.is_error] == []
    assert errors(again) == errors(logged)


def test_a_line_that_is_not_in_doubt_goes_although_another_is_wrong(world: World) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, A[4], B[4])
    world.configure("203.0.113.10 public", "203.0.113.20 public")
    world.event(public, "started")
    world.configure("203.0.113.10 public gest=web1")
    world.event(public, "port-created")
    assert world.exchange(world.outside(4), guest.at(A[4]))
    assert not world.reaches(world.outside(4), guest.at(B[4]))


def test_a_wrong_line_stays_what_it_was_when_its_network_stops_and_starts(world: World) -> None:
    public = world.network("public", 1)
    world.configure("203.0.113.10 public")
    world.event(public, "started")
    world.configure("203.0.113.10 public gest=web1")
    world.event(public, "stopped")
    assert in_force(world) == set()
    assert "virbr1" not in listings.table(world.machine)


@families
def test_a_route_of_somebody_else_is_left_alone_and_reported(world: World, family: int) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, A[family], B[family])
    theirs = f"{A[family]} via {world.outside(family).address}"
    world.host.ip(f"route add {theirs} proto static")
    before = listings.foreign(world.machine)
    world.configure(f"{A[family]} public", f"{B[family]} public")
    logged = world.event(public, "started")
    assert [text for text in errors(logged) if A[family] in text and "not ours" in text and theirs in text]
    assert listings.foreign(world.machine) == before
    assert world.exchange(world.outside(family), guest.at(B[family]))
    for operation in ("port-created", "stopped"):
        world.event(public, operation)
        assert listings.foreign(world.machine) == before


@families
def test_a_route_of_somebody_else_to_the_same_bridge_will_do(world: World, family: int) -> None:
    public = world.network("public", 1)
    guest = world.guest(public, A[family])
    world.host.ip(f"route add {A[family]} dev virbr1 proto static")
    before = listings.foreign(world.machine)
    world.configure(f"{A[family]} public")
    assert errors(world.event(public, "started")) == []
    assert world.exchange(world.outside(family), guest.at(A[family]))
    assert world.event(public, "port-created") == []
    world.event(public, "stopped")
    assert listings.foreign(world.machine) == before


@families
def test_routes_that_only_look_like_ours_stay(world: World, family: int) -> None:
    """Another table, or a gateway: somebody uses our number. Another protocol: somebody else's."""
    public = world.network("public", 1)
    theirs = [
        f"{B[family]} dev {public.bridge} proto 218 table 100",
        f"{B[family]} dev {public.bridge} proto 217",
    ]
    world.host.ip(*(f"route add {route}" for route in theirs))
    before = listings.foreign(world.machine)
    world.configure(f"{A[family]} public")
    for operation in ("started", "port-created", "stopped"):
        world.event(public, operation)
        assert listings.foreign(world.machine) == before
    family_option = "-4" if family == 4 else "-6"
    assert B[family] in world.machine.run("ip", family_option, "route", "show", "table", "100")


NAMES = [
    "my network",
    "two  spaces ",
    'say "hello"',
    "it's",
    "back\\slash",
    "größe ☃ 网络",
    "lan#2",
    "#lan",
    "a.b-c_d+e",
    "guest=web1",
    "-rf",
    "$(reboot)`id`;|&<>",
    "%s%n",
    "x" * 250,
]


def test_network_names(world: World) -> None:
    """All of them in one file."""
    networks = {name: world.network(name, number) for number, name in enumerate(NAMES, 1)}
    guests = {name: world.guest(network, f"203.0.113.{network.number}") for name, network in networks.items()}
    quoted = {name: name.replace("\\", "\\\\").replace('"', '\\"') for name in NAMES}
    world.configure(*(f'203.0.113.{network.number} "{quoted[name]}"' for name, network in networks.items()))
    for name, network in networks.items():
        logged = world.event(network, "started")
        assert errors(logged) == []
        assert f"[network {name} started]" in logged[0].text
        assert world.exchange(world.outside(4), guests[name].at(f"203.0.113.{network.number}"))


@pytest.fixture(scope="module")
def unchanged_world() -> Iterator[World]:
    """One for all names, because none changes anything."""
    made = World(FIREWALLS["libvirt-nftables"])
    made.configure("203.0.113.10 public")
    yield made
    made.close()


@pytest.mark.parametrize(
    "bridge",
    ['virbr"', "virbr*", "virbr 1", "virbr1;", "virbr1\nflush ruleset", "{}", "-4", "ä", "x" * 16, ".", ".."],
)
def test_a_bridge_whose_name_could_mean_something_else_is_refused(unchanged_world: World, bridge: str) -> None:
    class Odd(WorldNetwork):
        @property
        def bridge(self) -> str:
            return bridge

    world = unchanged_world
    before = listings.foreign(world.machine)
    for operation in ("started", "port-created", "stopped"):
        (error,) = errors(world.event(Odd("public", 1, "nat"), operation))
        assert "cannot be used in rules and routes" in error
    assert listings.foreign(world.machine) == before
    assert " . 203.0.113.10" not in listings.table(world.machine)
    assert in_force(world) == set()


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthrough", "hostdev"])
def test_a_network_without_a_bridge_is_worth_one_line(world: World, mode: str) -> None:
    network = WorldNetwork("public", 1, mode)
    xml = f"""<hookData><network connections='1'><name>public</name><forward dev='uplink' mode='{mode}'>
        <interface dev='uplink'/></forward></network></hookData>"""
    world.configure("203.0.113.10 public")
    before = listings.foreign(world.machine)
    (line,) = world.event(network, "started", xml)
    assert "no bridge" in line.text
    assert not line.is_error
    assert world.event(network, "stopped", xml) == []
    assert listings.foreign(world.machine) == before
    assert listings.table(world.machine) == ""


@families
def test_a_bridge_that_the_host_brings(world: World, family: int) -> None:
    """``<forward mode='bridge'/><bridge name='br0'/>``: libvirt writes no rules, and an uplink may be behind it."""
    public = world.network("public", 1, "open")
    guest = world.guest(public, A[family])
    world.machine.run(
        "iptables-nft" if family == 4 else "ip6tables-nft", "-P", "FORWARD", "DROP"
    )  # as Docker and ufw do
    world.configure(f"{A[family]} public")
    assert errors(world.event(public, "started", BRIDGED.format("public"))) == []
    assert world.exchange(world.outside(family), guest.at(A[family]))
    assert world.exchange(guest.at(A[family]), world.outside(family)) == A[family]


@families
def test_what_passes_between_a_bridge_of_the_host_and_one_of_libvirt_is_counted(world: World, family: int) -> None:
    shared, public = world.network("shared", 1, "open"), world.network("public", 2)
    guest, other = world.guest(shared, A[family]), world.guest(public, B[family])
    world.configure(f"{A[family]} shared", f"{B[family]} public")
    world.event(shared, "started", BRIDGED.format("shared"))
    world.event(public, "started")
    assert world.exchange(other.at(B[family]), guest.at(A[family])) == B[family]
    assert world.exchange(guest.at(A[family]), other.at(B[family])) == A[family]
    table = world.machine.run("nft", "list", "table", "inet", "nethook")
    for name in ("to", "from"):
        elements = table.partition(f"set {name}{family} {{")[2].partition("\n\t}")[0]
        counted = dict(re.findall(r'"(virbr\d)" \. \S+ counter packets (\d+)', elements))
        assert counted == {"virbr1": "2", "virbr2": "2"}


BRIDGED = "<hookData><network><name>{0}</name><forward mode='bridge'/><bridge name='virbr1'/></network></hookData>"


def test_networks_that_share_a_bridge_of_the_host_may_have_prefixes_within_each_others(world: World) -> None:
    """What libvirt rejects on it tells what is accepted there."""
    public = world.network("public", 1, "route")
    guest = world.guest(public, "203.0.113.65", "203.0.113.130")
    shared = [WorldNetwork(name, 1, "open") for name in ("lan-a", "lan-b")]
    world.configure("203.0.113.0/24 lan-a", "203.0.113.64/26 lan-b")

    def event(number: int, operation: str) -> list[Logged]:
        logged = world.event(shared[number], operation, BRIDGED.format(shared[number].name))
        assert errors(logged) == []
        return logged

    def reached() -> list[bool]:
        return [world.reaches(world.outside(4), guest.at(address)) for address in ("203.0.113.65", "203.0.113.130")]

    event(0, "started")
    assert reached() == [True, True]
    event(1, "started")
    assert reached() == [True, True]
    event(0, "stopped")
    assert reached() == [True, False]
    event(0, "started")
    assert reached() == [True, True]
    assert event(0, "updated") == event(1, "updated") == []
    event(1, "stopped")
    assert reached()[1]


def test_a_network_without_ipv6_has_its_ipv4_addresses_and_says_what_is_missing(world: World) -> None:
    scenario = Scenario(world)
    world.host.sysctl("ipv6/conf/virbr1/disable_ipv6", 1)
    assert [text for text in errors(scenario.event("started")) if "2001:db8:7::10" in text]
    for address in ADDRESSES[:2]:
        assert world.exchange(world.outside(4), scenario.guest.at(address))
    world.host.sysctl("ipv6/conf/virbr1/disable_ipv6", 0)
    assert errors(scenario.event("port-created")) == []
    assert "2001:db8:7::10" in in_force(world)


def test_the_old_name_of_the_file_is_found(world: World) -> None:
    scenario = Scenario(world)
    (world.machine.root / "etc/nethook/routed-ips").rename(world.machine.root / "etc/nethook/away")
    for folder in ("default", "sysconfig"):
        world.machine.write(f"/etc/{folder}/routed-ips", "\r\n".join(LINES))
    logged = scenario.event("started")
    assert [line.text for line in logged if "/etc/sysconfig/routed-ips:4 " in line.text]
    assert not [line.text for line in logged if "/etc/default" in line.text]
    assert scenario.silent() == []


def test_another_route_protocol(world: World) -> None:
    scenario = Scenario(world)
    world.machine.write(SETTINGS, "route-protocol = 99\n")
    assert errors(scenario.event("started"))
    assert in_force(world) == set()
    world.machine.write(SETTINGS, "route-protocol = 219\n")
    assert errors(scenario.event("started")) == []
    assert "203.0.113.10 dev virbr1 scope link" in world.machine.run("ip", "route", "show", "proto", "219").replace(
        " linkdown", ""
    )
    assert scenario.silent() == []
