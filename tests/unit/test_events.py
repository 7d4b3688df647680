"""Whole events on a fake host: what is there after each; a second run changes nothing; ``clear`` leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.world.network import ISOLATED, WorldNetwork, WorldPort
from nethook.host.fake import FakeHost
from nethook.host.sockets import Socket
from nethook.libvirt import record
from tests.unit.machine import UPLINK, World, connection
from tests.unit.scenarios import DB, LONELY, NAT, PUBLIC, ROUTED, SCENARIOS, WEB, WEB_TOO, Scenario, steps_of, world_of
from tests.unit.state import foreign, ours

if TYPE_CHECKING:
    from nethook.host.lock import Locked


def changes(world: World) -> list[str]:
    """What the last run has changed."""
    return [touch.what for touch in world.host.touched if touch.changes]


def started(name: str, until: str = "port-deleted") -> World:
    """The world of this scenario, right before this step."""
    world = world_of(SCENARIOS[name])
    for step in steps_of(SCENARIOS[name]):
        if step.name.startswith(until):
            break
        step.before(world)
        assert step.act(world) == []
    return world


def routes(world: World) -> set[tuple[str, str, str]]:
    """Our routes that lead somewhere: prefix, device, next hop."""
    found = world.host.kernel.routes
    return {
        (each.prefix, each.device, each.via)
        for each in found
        if each.protocol == 218 and each.device.startswith("virbr")
    }


def elements(world: World, family: str = "inet") -> dict[str, set[Any]]:
    """The elements of the sets of this table that are not empty; single ones and prefixes together."""
    found: dict[str, set[Any]] = {}
    for name, each in world.host.nftables.tables[family, "nethook"].sets.items():
        if each.elements:
            found.setdefault(name.replace("_prefixes", ""), set()).update(each.elements)
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_life(name: str) -> None:
    world = world_of(SCENARIOS[name])
    for step in steps_of(SCENARIOS[name]):
        step.before(world)
        before = foreign(world.host)
        assert (step.name, step.act(world)) == (step.name, [])
        world.known = {each.network.bridge for each in world.up.values()}
        assert foreign(world.host) == before
        state = ours(world.host)
        assert step.act(world) == []
        assert (step.name, changes(world)) == (step.name, []), "a second run"
        assert ours(world.host) == state
    assert world.broken == set()
    assert not {device for _, device, _ in routes(world)}
    assert not elements(world).keys() & {"to4", "to6", "from4", "from6", "bridges", "isolated"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_apply_agrees_with_the_events(name: str) -> None:
    world = started(name)
    state = ours(world.host)
    assert world.apply() == []
    assert ours(world.host) == state


@pytest.mark.parametrize("name", SCENARIOS)
def test_clear_leaves_nothing_and_apply_brings_it_back(name: str) -> None:
    world, untouched = started(name), world_of(SCENARIOS[name])
    state, of_others = ours(world.host), foreign(world.host)
    assert world.clear() == []
    left = ours(world.host)
    for key in ("routes", "rules", "gateways", "neighbours", "proxies", "tables", "gates", "deaf", "files"):
        assert (key, left[key]) == (key, ours(untouched.host)[key])
    assert foreign(world.host) == of_others
    assert world.clear() == []
    assert changes(world) == []
    assert world.apply() == []
    assert ours(world.host) == state


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_table_that_somebody_deletes_comes_back(name: str) -> None:
    world = started(name)
    state = ours(world.host)
    first = SCENARIOS[name].networks[0]
    for family in ("inet", "bridge", "arp", "ip", "ip6"):
        if (family, "nethook") in world.host.nftables.tables:
            damaged = world.copy()
            damaged.host.by_others("nft", "-f", "-", stdin=f"delete table {family} nethook")
            repaired = damaged.copy()
            assert damaged.event(first, "updated", has_ipv6=SCENARIOS[name].has_ipv6) == []
            assert repaired.apply() == []
            if world.up.keys() == {PUBLIC.name}:
                assert ours(damaged.host) == state
            assert ours(repaired.host) == state


def test_plain_addresses_and_prefixes() -> None:
    world = started("plain")
    prefixes = {"203.0.113.10", "203.0.113.16/29", "2001:db8:7::10", "2001:db8:7:1::/64"}
    assert routes(world) == {(prefix, "virbr1", "") for prefix in prefixes}
    found = elements(world)
    for direction in ("to", "from"):
        assert found[f"{direction}4"] == {("virbr1", "203.0.113.10"), ("virbr1", "203.0.113.16/29")}
        assert found[f"{direction}6"] == {("virbr1", "2001:db8:7::10"), ("virbr1", "2001:db8:7:1::/64")}
    assert ours(world.host)["gateways"] == [("169.254.0.1", "virbr1"), ("fe80::1", "virbr1")]
    assert ("bridge", "nethook") not in world.host.nftables.tables


@pytest.mark.parametrize("name", ["plain", "iptables-nft", "iptables-legacy"])
def test_the_gate_is_in_front_of_what_libvirt_blocks(name: str) -> None:
    gates = ours(started(name).host)["gates"]
    assert [chain for chain, _ in gates] == {
        "plain": ["ip libvirt_network forward", "ip6 libvirt_network forward"],
        "iptables-nft": ["ip6tables-nft filter FORWARD", "iptables-nft filter FORWARD"],
        "iptables-legacy": ["ip6tables-legacy filter FORWARD", "iptables-legacy filter FORWARD"],
    }[name]
    for _, rules in gates:
        first = next(number for number, rule in enumerate(rules) if "jump" in rule or "LIBVIRT_" in rule)
        assert "nethook-0x10000000" in rules[first - 1]


def test_a_next_hop() -> None:
    assert routes(started("via")) == {
        ("203.0.113.64/28", "virbr1", "192.0.2.10"),
        ("2001:db8:7:8::/64", "virbr1", "2001:db8:101::2"),
    }


def test_a_proxy_entry_is_announced_once() -> None:
    world = started("proxy")
    entries = [("203.0.113.30", UPLINK), ("2001:db8:7::30", UPLINK)]
    assert sorted(world.host.announced) == sorted(entries) == sorted(ours(world.host)["proxies"])
    settings = [f"/proc/sys/net/ipv6/conf/{device}/proxy_ndp" for device in (UPLINK, "all")]
    assert [world.host.kernel.settings[each] for each in settings] == ["1", "1"]
    world.take_down(PUBLIC)
    assert world.event(PUBLIC, "stopped") == []
    assert ours(world.host)["proxies"] == []
    assert [world.host.kernel.settings[each] for each in settings] == ["0", "0"]


def test_addresses_are_kept_to_their_guests() -> None:
    world = started("guests")
    found = elements(world, "bridge")
    assert found["holders4"] == {
        (WEB.mac, "203.0.113.10"),
        (WEB.mac, "203.0.113.16/29"),
        (DB.mac, "203.0.113.17"),
    }
    assert found["nic_taps"] == {
        (str(world.host.kernel.links[world.taps[port.mac]].number), port.mac) for port in (WEB, DB)
    }
    assert ("203.0.113.10", "virbr1", WEB.mac) in ours(world.host)["neighbours"]


def test_an_address_waits_for_its_guest() -> None:
    world = started("guests", until="port-created")
    assert routes(world) == {("203.0.113.40", "virbr1", "")}
    assert ("203.0.113.10",) in elements(world, "bridge")["bound4"], "reserved"
    world.announce(PUBLIC, WEB)
    assert world.event(PUBLIC, "port-created", WEB) == []
    assert ("203.0.113.10", "virbr1", "") in routes(world)
    world.pull(PUBLIC, WEB)
    assert world.event(PUBLIC, "port-deleted", WEB) == []
    assert routes(world) == {("203.0.113.40", "virbr1", "")}


def test_the_nic_that_a_line_names() -> None:
    pins = ours(started("guest with two NICs").host)["neighbours"]
    assert pins == [("2001:db8:7::11", "virbr1", WEB.mac), ("203.0.113.10", "virbr1", WEB_TOO.mac)]


@pytest.mark.parametrize("name", ["isolated", "isolated first", "no lines"])
def test_an_isolated_network_is_known_as_such(name: str) -> None:
    found = elements(started(name))
    assert found["bridges"] == {("virbr1",), ("virbr3",)}
    assert found["isolated"] == {("virbr3",)}


def test_ipv6_is_turned_on_and_off_again() -> None:
    world = started("IPv6 is off")
    setting = "/proc/sys/net/ipv6/conf/virbr1/disable_ipv6"
    assert world.host.kernel.settings[setting] == "0"
    world.configure("203.0.113.10 public")
    assert world.event(PUBLIC, "updated", has_ipv6=False) == []
    assert world.host.kernel.settings[setting] == "1"


def test_connections_of_an_address_that_moves_are_deleted() -> None:
    world = started("guests")
    moves, stays = connection("192.0.2.1", "203.0.113.10"), connection("192.0.2.1", "203.0.113.40")
    world.host.connections = [moves, stays, connection("203.0.113.10", "192.0.2.1")]
    world.configure("203.0.113.10 public guest=db", "203.0.113.40 public")
    assert world.event(PUBLIC, "updated") == []
    assert world.host.connections == [stays]
    assert [path for path in world.host.files.texts if "owed" in path] == []


def test_an_address_moves_to_another_network() -> None:
    world = world_of(Scenario(("203.0.113.10 public",), networks=(PUBLIC, ROUTED)))
    for network in (PUBLIC, ROUTED):
        _start(world, network)
    world.configure("203.0.113.10 routed")
    assert world.event(ROUTED, "updated") == []
    assert routes(world) == {("203.0.113.10", ROUTED.bridge, "")}
    assert elements(world)["to4"] == {(ROUTED.bridge, "203.0.113.10")}


def test_an_event_that_was_lost_does_no_harm() -> None:
    """The hook of an isolated network never came: its bridge has guests, so it is taken for an isolated one."""
    world = world_of(Scenario(("203.0.113.10 public",)))
    world.bring_up(LONELY)
    port = WorldPort("hidden", "52:54:00:00:03:02")
    world.announce(LONELY, port)
    world.put_in(LONELY, port)
    _start(world, PUBLIC)
    assert elements(world)["isolated"] == {(LONELY.bridge,)}


def test_the_lock_of_another_run_that_takes_too_long() -> None:
    world = started("plain", until="started")
    world.bring_up(PUBLIC)
    world.host.files.is_locked = True
    (error,) = world.event(PUBLIC, "started")
    assert "nothing was changed" in error
    assert record.read(world.host).knows(PUBLIC.name), "recorded all the same"
    assert world.host.take_missed()


@pytest.mark.parametrize("mode", [ISOLATED, "nat"])
@pytest.mark.parametrize("failing", ["start", "updated"])
def test_a_network_that_has_failed_to_start_leaves_its_bridge_to_the_next(failing: str, mode: str) -> None:
    """No event tells of the failure. libvirt then gives the bridge's name to another network."""
    world = World()
    world.configure("203.0.113.10 public", forwards=["198.51.100.2:80 public guest=web1"])
    wide = Wide("test", 0, mode, device=PUBLIC.bridge)
    assert world.event(wide, failing) == []
    _start(world, NAT)
    world.announce(NAT, WEB)
    assert world.event(NAT, "port-created", WEB) == []
    found = elements(world)
    assert (found["bridges"], found.get("isolated")) == ({(NAT.bridge,)}, None)
    assert elements(world, "ip")["on_link"] == {(NAT.bridge, NAT.ipv4)}
    assert elements(world, "ip")["ports"] == {("198.51.100.2", "tcp", "80", NAT.address(4, 2), "80")}
    assert list(record.read(world.host).up) == [NAT.name]
    before = ours(world.host)
    assert world.apply() == []
    assert ours(world.host) == before, "apply agrees with the events"


class Wide(WorldNetwork):
    """A network with all of 192.0.2.0/24, in which the subnets of all others lie."""

    def event_xml(self, port: WorldPort | None = None) -> str:
        """What libvirt writes to a hook's standard input."""
        return super().event_xml(port).replace("255.255.255.248", "255.255.255.0")


def test_a_start_that_must_fail_opens_no_network() -> None:
    """Two networks have the same bridge, because somebody has written libvirt's files by hand."""
    world = World()
    world.configure("203.0.113.10 routed")
    _start(world, LONELY)
    _start(world, ROUTED)
    assert world.event(WorldNetwork("other", 5, "nat", device=LONELY.bridge), "start") == []
    assert world.event(ROUTED, "updated") == []
    assert elements(world)["isolated"] == {(LONELY.bridge,)}


def test_an_update_of_a_network_that_is_down_leaves_it_down() -> None:
    """As ``virsh net-update --config`` does."""
    world = World()
    world.configure("203.0.113.10 public", forwards=["198.51.100.2:80 public guest=web1"])
    for operation in ("updated", "stopped", "updated"):
        assert world.event(PUBLIC, operation) == []
        told = record.read(world.host)
        assert (list(told.up), list(told.down)) == ([], [PUBLIC.name])
    world.bring_up(PUBLIC)  # unseen
    assert world.event(PUBLIC, "updated") == []
    assert list(record.read(world.host).up) == [PUBLIC.name]
    assert elements(world)["to4"] == {(PUBLIC.bridge, "203.0.113.10")}


def _start(world: World, network: WorldNetwork) -> None:
    assert world.event(network, "start") == []
    world.bring_up(network)
    assert world.event(network, "started") == []


@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8:7::10"])
def test_a_foreign_route_in_the_way_stays_and_is_named(address: str) -> None:
    world = world_of(SCENARIOS["plain"])
    assert world.event(PUBLIC, "start") == []
    world.bring_up(PUBLIC)
    world.host.by_others("ip", "route", "add", address, "dev", UPLINK, "proto", "static")
    of_others = foreign(world.host)
    errors = world.event(PUBLIC, "started")
    assert [text for text in errors if address in text and "not ours" in text and UPLINK in text]
    assert foreign(world.host) == of_others
    assert len(routes(world)) == len(SCENARIOS["plain"].lines) - 1
    assert [text for text in world.apply() if address in text]
    world.take_down(PUBLIC)
    assert world.event(PUBLIC, "stopped") == []
    assert f"prefix='{address}', device='{UPLINK}'" in "".join(foreign(world.host)["routes"])


@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8:7::10"])
def test_a_foreign_route_to_the_same_bridge_will_do(address: str) -> None:
    world = world_of(SCENARIOS["plain"])
    assert world.event(PUBLIC, "start") == []
    world.bring_up(PUBLIC)
    world.host.by_others("ip", "route", "add", address, "dev", PUBLIC.bridge, "proto", "static")
    of_others = foreign(world.host)
    assert world.event(PUBLIC, "started") == []
    assert world.apply() == []
    assert foreign(world.host) == of_others


@pytest.mark.parametrize("path", ["/etc/nethook/routed-ips", "/etc/nethook/routed-ips.d/a.conf"])
def test_files_that_change_while_it_waits_for_the_lock_are_read_once_more(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.configure("203.0.113.10 public")
    world.bring_up(PUBLIC)
    locked = FakeHost.locked

    def late(host: FakeHost, as_of: int | None = None) -> Locked:
        host.files.texts[path] = "203.0.113.11 public\n"
        return locked(host, as_of)

    monkeypatch.setattr(FakeHost, "locked", late)
    assert world.event(PUBLIC, "started") == []
    first = set() if path.endswith("routed-ips") else {("203.0.113.10", PUBLIC.bridge, "")}
    assert routes(world) == {("203.0.113.11", PUBLIC.bridge, ""), *first}


def test_ignored_files_keep_what_is_in_force() -> None:
    world = World()
    world.configure("203.0.113.10 public", "203.0.113.11 public")
    world.bring_up(PUBLIC)
    assert world.event(PUBLIC, "started") == []
    world.configure("203.0.113.10 public")
    world.host.files.texts["/etc/default/routed-ips"] = "203.0.113.11 public\n"
    assert world.event(PUBLIC, "updated") == []
    assert routes(world) == {("203.0.113.10", PUBLIC.bridge, ""), ("203.0.113.11", PUBLIC.bridge, "")}
    del world.host.files.texts["/etc/default/routed-ips"]
    assert world.event(PUBLIC, "updated") == []
    assert routes(world) == {("203.0.113.10", PUBLIC.bridge, "")}


def test_lines_with_ipv6_cost_a_host_without_it_nothing_else() -> None:
    world = World()
    world.host.has_ipv6_at_all = False
    world.configure(forwards=["[2001:db8:ffff::2]:80 public guest=web1", "198.51.100.2:80 public guest=web1"])
    world.bring_up(NAT, has_ipv6=False)
    assert world.event(NAT, "started", has_ipv6=False) == []
    world.announce(NAT, WEB)
    assert world.event(NAT, "port-created", WEB, has_ipv6=False) == []
    assert elements(world, "ip")["ports"] == {("198.51.100.2", "tcp", "80", NAT.address(4, 2), "80")}
    assert ("ip6", "nethook") not in world.host.nftables.tables
    assert world.apply() == []


def ssh_from(peer: str) -> Socket:
    session = Socket("tcp", "198.51.100.2", 22, peer, "1", is_listening=False)
    session.program = "sshd"
    return session


def routed(world: World) -> set[str]:
    return {route.prefix for route in world.host.kernel.routes if route.protocol == 218 and route.device == NAT.bridge}


def test_a_line_around_an_administrators_address_waits_at_events_too() -> None:
    """The hook has no session of its own, unlike `apply`."""
    world = World()
    world.host.opened = [ssh_from("203.0.113.99")]
    world.configure("203.0.113.0/24 public", "203.0.112.0/24 public")
    world.bring_up(NAT)
    for operation in ("started", "updated"):
        (said,) = world.event(NAT, operation)
        assert "somebody is connected by SSH from 203.0.113.99: with this line, the host would not reach it" in said
        assert routed(world) == {"203.0.112.0/24"}
    world.host.opened = []
    assert world.event(NAT, "updated") == []
    assert routed(world) == {"203.0.112.0/24", "203.0.113.0/24"}


def test_who_has_a_session_decides_for_the_others() -> None:
    """A guest may be connected from its address when everything was removed, and `apply` is to bring it back."""
    world = World()
    world.host.opened = [ssh_from("203.0.113.99")]
    world.host.files.texts["/proc/self/environ"] = "SSH_CONNECTION=198.51.100.9 5000 198.51.100.2 22\0"
    world.host.files.texts["/proc/self/stat"] = "1 (x) S 1"
    world.configure("203.0.113.0/24 public", "198.51.100.9 public")
    world.bring_up(NAT)
    world.apply()
    assert routed(world) == {"203.0.113.0/24"}


def test_an_administrator_behind_a_guest_does_not_keep_its_address_away() -> None:
    """The session is there still when the network has stopped and starts again."""
    world = World()
    world.configure("203.0.113.0/24 public")
    world.bring_up(NAT)
    assert world.event(NAT, "started") == []
    world.host.opened = [ssh_from("203.0.113.99")]
    world.take_down(NAT)
    assert world.event(NAT, "stopped") == []
    world.bring_up(NAT)
    assert world.event(NAT, "started") == []
    assert routed(world) == {"203.0.113.0/24"}


@pytest.mark.parametrize("around", ["198.51.100.2 public guest=web1", "0.0.0.0:22 public guest=web1"])
def test_a_port_stays_with_the_host_while_somebody_is_connected_to_it(around: str) -> None:
    """Also if its line has gone, and whichever network has an event."""
    world, kept = World(), {("198.51.100.2", "tcp", "22")}
    world.host.opened = [ssh_from("198.51.100.1")]
    world.configure(forwards=[around, "198.51.100.2:22 -"])
    for network in (NAT, LONELY):
        world.bring_up(network)
        assert world.event(network, "started") == []
    assert elements(world, "ip")["kept"] == kept
    world.configure(forwards=[around])
    for network in (LONELY, NAT):
        world.event(network, "updated")
        assert elements(world, "ip")["kept"] == kept
    world.apply()
    assert elements(world, "ip")["kept"] == kept
    world.host.kernel.add_address("198.51.100.3/24", UPLINK)
    world.host.opened = []
    assert world.apply() == []
    assert "kept" not in elements(world, "ip")


@pytest.mark.parametrize("line", ["198.51.100.2 public guest=web1", "198.51.100.2:22 public guest=web1"])
def test_a_lockout_is_refused_whichever_network_has_an_event(line: str) -> None:
    """A table that is made anew has the lines of all networks."""
    world = World()
    world.host.opened = [ssh_from("198.51.100.1")]
    world.configure(forwards=[line, "198.51.100.3:80 public guest=web1"])
    for network in (LONELY, NAT):
        world.bring_up(network)
        world.event(network, "started")
        assert "taken_addresses" not in elements(world, "ip")
        assert elements(world, "ip")["taken"] == {("198.51.100.3", "tcp", "80")}
    world.apply()
    assert "taken_addresses" not in elements(world, "ip")


TAKEN = "203.0.113.11"
TO_GUEST = f"{TAKEN}:22 public to={NAT.address(4, 2)} proxy={UPLINK}"


def accepted(world: World) -> set[str]:
    """The bridges whose guests may use the address."""
    return {bridge for bridge, address in elements(world, "inet").get("to4", set()) if address == TAKEN}


@pytest.mark.parametrize(
    ("lines", "forwards"),
    [
        ((f"{TAKEN} routed",), (TO_GUEST,)),
        ((f"{TAKEN} custmer",), (TO_GUEST,)),
        ((), (TO_GUEST, f"{TAKEN} nowhere to={NAT.address(4, 2)} proxy={UPLINK}")),
    ],
    ids=["of a network that was not told of", "of an unknown network", "of a forward as a whole"],
)
def test_no_guest_may_use_an_address_of_which_ports_are_forwarded(
    lines: tuple[str, ...], forwards: tuple[str, ...]
) -> None:
    """Whatever line is beside the forward, whose route is for the host alone."""
    world = World()
    world.configure(*lines, forwards=forwards)
    world.bring_up(NAT)
    for _ in range(3):
        world.event(NAT, "started")
        assert accepted(world) == set()
    world.apply()
    world.event(NAT, "updated")
    assert accepted(world) == set()


def test_no_guest_may_use_it_when_our_table_was_deleted() -> None:
    world = World()
    world.configure(forwards=[TO_GUEST])
    for network in (NAT, LONELY):
        world.bring_up(network)
        world.event(network, "started")
    del world.host.nftables.tables["inet", "nethook"]
    world.event(LONELY, "updated")
    assert accepted(world) == set()


def test_a_line_beside_it_that_waits_leaves_nothing_to_do() -> None:
    world = World()
    world.configure(f"{TAKEN} public guest=web2", forwards=[TO_GUEST])
    world.bring_up(NAT)
    world.event(NAT, "started")
    for _ in range(2):
        world.apply()
        assert accepted(world) == set()
        world.event(NAT, "updated")
        assert accepted(world) == set()


@pytest.mark.parametrize(("operation", "is_seen"), [("start", True), ("updated", True), ("start", False)])
def test_a_network_that_is_down_takes_no_bridge_of_one_that_runs(operation: str, *, is_seen: bool) -> None:
    """Both have the same bridge name, and the isolated network has the bridge, whether or not its start was seen."""
    twin = NAT._replace(name="twin", number=LONELY.number)
    world = World()
    world.configure("203.0.113.10 twin", "203.0.113.11 lonely")
    world.bring_up(LONELY)
    if is_seen:
        world.event(LONELY, "started")
    world.announce(LONELY, DB)
    world.put_in(LONELY, DB)
    world.event(twin, operation)
    assert (LONELY.bridge,) in elements(world)["isolated"]
    there = {route.prefix for route in world.host.kernel.routes if route.device == LONELY.bridge}
    assert there & {"203.0.113.10", "203.0.113.11"} == ({"203.0.113.11"} if is_seen else set())
