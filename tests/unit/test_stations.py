"""Stations of the doctor that need no kernel: what each finds in what libvirt and the tools tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import nethook.host as edge
from nethook.config import Configuration
from nethook.config.settings import Settings
from nethook.doctor import (
    boot,
    bridge_addresses,
    capacity,
    configuration,
    guest_marks,
    kernel_settings,
    nat,
    networks,
    next_hop,
    one_way,
    ours,
    refusals,
    uplink_subnets,
    way_back,
)
from nethook.doctor.facts import Facts, ForwardTarget, Target
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import OwnAddress
from nethook.doctor.ip_answers import Answer
from nethook.doctor.iptables_judge import parse
from nethook.doctor.iptables_match import conditions_of
from nethook.doctor.nft_chains import BaseChain
from nethook.engine.situation import asked_about
from nethook.host import links
from nethook.host.traffic import Traffic
from nethook.install import daemon, systemd
from nethook.libvirt import Network, details
from nethook.libvirt.details import ASLEEP, CRASHED, PAUSED, Details, GuestDetails, Tap, taps_of
from nethook.libvirt.live import LiveNetwork
from nethook.parts import counters
from nethook.placement import BROKEN, ROUTED, WAITING, Lack
from nethook.placement.forwarded import FORWARDED, Forwarding
from nethook.prefix import parse_prefix
from tests.unit.lines import configuration as configuration_of
from tests.unit.lines import forwarded, routed

ADDRESS, SIX = "203.0.113.10", "2001:db8:7::10"
MAIN = {"dst": "default", "gateway": "198.51.100.1", "dev": "eth0"}
IN_TUNNEL = {"dst": "default", "dev": "wg0", "table": "52"}
GUEST = GuestDetails("", is_libvirts_pause=False, starts_at_boot=True, taps=())


def target_of(text: str, bridge: str = "virbr1") -> Target:
    (line,) = routed(text)
    target = Target(line, line.prefix.text, is_exact=True)
    target.bridge = bridge
    return target


def facts_of(network: Network | None = None, *, is_active: bool = True, addresses: Any = (), **known: Any) -> Any:
    network = network or Network("public", "virbr1", "nat", subnets=[parse_prefix("192.168.50.0/24")])
    live = {network.name: LiveNetwork(network, is_active=is_active, addresses=addresses)}
    facts = Facts(configuration_of(""), live, edge.Host(1))
    vars(facts).update({"details": Details(), "guests": {}, "devices": {}, "own_addresses": [], **known})
    return facts


def answers(facts: Any, by_question: dict[str, list[dict[str, Any]]]) -> Any:
    """The facts with these answers of ``ip``."""
    facts.ask = lambda _, questions: [Answer(by_question.get(question, [])) for question in questions]
    return facts


def brief(findings: Any) -> list[tuple[str, str]]:
    return [(finding.verdict, finding.command) for finding in findings]


class _Told:
    """A network or guest of libvirt, as its binding has them."""

    def __init__(self, name: str, xml: str = "<network/>", state: tuple[int, int] = (1, 1), **is_: bool) -> None:
        self.name = lambda: name
        self.XMLDesc = lambda: xml
        self.state = lambda: state
        self.isActive = lambda: state[0] != 5
        self.isPersistent = lambda: is_.get("persistent", True)
        self.autostart = lambda: is_.get("autostart", True)


CODES = [
    *("MIGRATION", "SAVE", "DUMP", "FROM_SNAPSHOT", "SNAPSHOT", "SHUTTING_DOWN", "STARTING_UP", "POSTCOPY"),
    *("POSTCOPY_FAILED", "CRASHED"),
]
XML = """<domain><devices>
  <interface type='network'><mac address='52:54:00:AA:00:01'/><source network='public' bridge='virbr1'/>
    <target dev='vnet0'/><link state='down'/><port isolated='yes'/></interface>
  <interface type='bridge'><source bridge='br0'/><target dev='vnet1'/></interface>
  <interface type='hostdev'><mac address='52:54:00:aa:00:03'/></interface>
</devices></domain>"""


def test_taps() -> None:
    public, plain = taps_of(XML)
    assert public == Tap(
        "vnet0", "public", "virbr1", "52:54:00:aa:00:01", is_linked=False, is_isolated=True, is_plain=False
    )
    assert plain == Tap("vnet1", "", "br0", "", is_linked=True, is_isolated=False, is_plain=True)


def test_what_libvirt_tells_of_guests_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {f"VIR_DOMAIN_PAUSED_{name}": 20 + number for number, name in enumerate(CODES)}
    guests = [
        _Told("runs", XML),
        _Told("off", state=(5, 1), autostart=False),
        _Told("transient", XML, persistent=False, autostart=False),
        _Told("paused", XML, (3, 1)),
        _Told("moving", XML, (3, 20)),
        _Told("asleep", XML, (7, 1)),
        _Told("crashed", XML, (6, 1)),
        _Told("panicked", XML, (3, reasons["VIR_DOMAIN_PAUSED_CRASHED"])),
    ]
    networks_told = [
        _Told("public"),
        _Told("quiet", autostart=False),
        _Told("transient", persistent=False, autostart=False),
        _Told("macs", "<network><bridge name='virbr1' macTableManager='libvirt'/></network>"),
        _Told("vlan", "<network><portgroup name='a'><vlan><tag id='7'/></vlan></portgroup></network>"),
        _Told("apart", "<network><port isolated='yes'/></network>"),
    ]
    connection = SimpleNamespace(
        listAllDomains=lambda: guests, listAllNetworks=lambda: networks_told, close=lambda: None
    )
    libvirt = SimpleNamespace(
        openReadOnly=lambda _: connection,
        libvirtError=OSError,
        VIR_DOMAIN_PAUSED=3,
        VIR_DOMAIN_PMSUSPENDED=7,
        VIR_DOMAIN_CRASHED=6,
        **reasons,
    )
    monkeypatch.setattr(details, "binding", lambda: libvirt)
    found = details.details()
    assert {name: each.state for name, each in found.guests.items() if each.state} == {
        "paused": PAUSED,
        "moving": PAUSED,
        "asleep": ASLEEP,
        "crashed": CRASHED,
        "panicked": CRASHED,
    }
    assert [name for name, each in found.guests.items() if each.is_libvirts_pause] == ["moving"]
    assert [name for name, each in found.guests.items() if not each.starts_at_boot] == ["off"]
    assert [name for name, each in found.guests.items() if not each.taps] == ["off"]
    assert (set(found.off_at_boot), set(found.particular)) == ({"quiet"}, {"macs", "vlan", "apart"})

    def refused(_: str) -> None:
        raise OSError

    libvirt.openReadOnly = refused
    assert details.details() == Details()


def test_what_does_not_start_at_boot() -> None:
    facts = facts_of(
        details=Details({"web 1": GUEST._replace(starts_at_boot=False)}, off_at_boot=frozenset({"public"}))
    )
    bound = target_of(f"{ADDRESS} public guest=web1")
    bound.line.guest = "web 1"
    assert brief(boot.boot(facts, [(ADDRESS, bound.line)])) == [
        (WARNING, "virsh net-autostart public"),
        (WARNING, "virsh autostart 'web 1'"),
    ]
    assert brief(boot.boot(facts, [(ADDRESS, target_of(f"{ADDRESS} other").line)])) == []


@pytest.mark.parametrize(
    ("rules", "way", "verdict"),
    [
        ([{"priority": 5270, "src": "all", "table": "52"}], {"dev": "wg0", "table": "52"}, FAILURE),
        (
            [{"priority": 9, "src": "all", "fwmark": "0xca6c", "not": None, "table": "52"}],
            {"dev": "wg0", "table": "52"},
            FAILURE,
        ),
        ([{"priority": 5270, "src": "all", "table": "52"}], {"dev": "eth1", "table": "52", "gateway": "x"}, WARNING),
        ([{"priority": 5270, "src": ADDRESS, "table": "52"}], {"dev": "wg0", "table": "52"}, ""),
        ([{"priority": 5270, "src": "all", "iif": "virbr1", "table": "52"}], {"dev": "wg0", "table": "52"}, ""),
        ([{"priority": 5270, "src": "all", "table": "52"}], {"dev": "eth0", "table": "52"}, ""),
        ([], {"dev": "eth0"}, ""),
        ([], {"dev": "wg0"}, ""),
    ],
)
def test_answers_that_leave_by_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, rules: list[dict[str, Any]], way: dict[str, Any], verdict: str
) -> None:
    monkeypatch.setattr(way_back, "mark_of", lambda *_: 0)
    facts = answers(facts_of(_default_routes={4: [MAIN, IN_TUNNEL], 6: []}), {"rule": rules})
    found = list(way_back.other_way(facts, target_of(f"{ADDRESS} public"), Answer([way])))
    assert [finding.verdict for finding in found] == ([verdict] if verdict else [])
    if found:
        before = rules[0]["priority"] - 1
        assert found[0].command == f"ip -4 rule add from {ADDRESS} lookup main priority {before}"
        assert ("not fwmark" in found[0].text) == ("not" in rules[0])


def test_the_mark_of_a_guest_may_keep_its_answers_out_of_the_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "mark_of", lambda *_: 51820)
    question = f"route get 8.8.8.8 from {ADDRESS} iif virbr1 mark 0xca6c"
    facts = answers(facts_of(_default_routes={4: [MAIN, IN_TUNNEL], 6: []}), {question: [{"dev": "eth0"}]})
    way = Answer([{"dev": "wg0", "table": "52"}])
    assert list(way_back.other_way(facts, target_of(f"{ADDRESS} public"), way)) == []


def test_without_a_default_route_in_the_main_table_no_way_is_the_other_one() -> None:
    facts = answers(facts_of(_default_routes={4: [IN_TUNNEL], 6: []}), {})
    way = Answer([{"dev": "wg0", "table": "52"}])
    assert list(way_back.other_way(facts, target_of(f"{ADDRESS} public"), way)) == []
    missing = facts_of(_default_routes={4: [], 6: []})
    (found,) = way_back.back(missing, target_of(f"{ADDRESS} public"), Answer([], "Network is unreachable"))
    assert (found.verdict, found.addresses) == (FAILURE, [ADDRESS]), "the other family may have one"


@pytest.mark.parametrize(
    ("states", "is_lost"),
    [
        (["REACHABLE"], False),
        (["STALE"], False),
        (["FAILED"], True),
        (["INCOMPLETE"], True),
        ([], False),
    ],
)
def test_a_router_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, states: list[str], is_lost: bool) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    question = "neigh show to 198.51.100.1 dev eth0"
    facts = answers(facts_of(_default_routes={4: [MAIN], 6: []}), {question: [{"state": states}]})
    found = list(next_hop.next_hop(facts, [target_of(f"{ADDRESS} public"), target_of(f"{SIX} public")]))
    assert [(finding.verdict, finding.addresses) for finding in found] == ([(FAILURE, [ADDRESS])] if is_lost else [])


@pytest.mark.parametrize(
    ("count", "entries", "found"),
    [
        (10, "0000000a", [OK]),
        (95, "0000000a", [WARNING]),
        (100, "0000000a", [FAILURE]),
        (10, "000003f0", [OK, WARNING]),
    ],
)
def test_tables_of_the_kernel(monkeypatch: pytest.MonkeyPatch, count: int, entries: str, found: list[str]) -> None:
    values = {capacity.COUNT: count, capacity.MOST: 100}
    monkeypatch.setattr(capacity, "sysctl", values.get)
    monkeypatch.setattr(capacity, "read", lambda _: f"entries  allocs\n{entries}  00000001\n")
    assert [finding.verdict for finding in capacity.tables([4])] == found
    monkeypatch.setattr(capacity, "sysctl", lambda _: None)
    monkeypatch.setattr(capacity, "read", lambda _: None)
    assert list(capacity.tables([4, 6])) == []


@pytest.mark.parametrize(("status", "number"), [(WAITING, 0), (ROUTED, 1)])
def test_ipv6_is_off_until_a_line_needs_it(monkeypatch: pytest.MonkeyPatch, status: str, number: int) -> None:
    """An apply would not turn it on for a line whose guest is away."""
    monkeypatch.setattr(links, "has_ipv6", lambda _: True)
    monkeypatch.setattr(kernel_settings, "sysctl", lambda _: 1)
    facts = facts_of(addresses=[("192.168.50.1", 24)])
    facts.placement = lambda _: SimpleNamespace(status=status)
    found = list(kernel_settings.devices(facts, target_of(f"{SIX} public guest=web1")))
    assert brief(found) == [(FAILURE, "nethook apply")] * number


def test_a_bridge_whose_mtu_is_too_small_for_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "has_ipv6", lambda _: False)
    facts = facts_of(addresses=[("fd00:50::1", 64)], devices={"virbr1": {"mtu": 1200}})
    (found,) = kernel_settings.devices(facts, target_of(f"{SIX} public"))
    repair = "ip link set virbr1 mtu 1500 && ip address add fd00:50::1/64 dev virbr1 && nethook apply"
    assert (found.command, "1200" in found.text) == (repair, True)


GATEWAY = ("192.168.50.1", 24)
MEND = "ip address add 192.168.50.1/24 dev virbr1"


@pytest.mark.parametrize(
    ("mode", "addresses", "held", "found"),
    [
        ("nat", [GATEWAY], [], [(WARNING, MEND)]),
        ("route", [GATEWAY, ("10.0.0.1", 8)], [("10.0.0.1", 8, "virbr1")], [(WARNING, MEND)]),
        ("nat", [GATEWAY], [(*GATEWAY, "eth0")], [(WARNING, MEND)]),
        ("nat", [GATEWAY], [(*GATEWAY, "virbr1")], []),
        ("nat", [("fd00:50::1", 64)], [], []),  # IPv4 is not concerned
        ("nat", [], [], []),
        ("", [GATEWAY], [], []),  # an isolated network
    ],
)
def test_a_bridge_that_has_lost_its_address(mode: str, addresses: Any, held: Any, found: Any) -> None:
    own = [OwnAddress(parse_prefix(address), length, device) for address, length, device in held]
    facts = facts_of(Network("public", "virbr1", mode), addresses=addresses, own_addresses=own)
    findings = list(bridge_addresses.bridge_addresses(facts, [target_of(f"{ADDRESS} public")]))
    assert brief(findings) == found
    assert all("unlike those with the gateway 169.254.0.1" in finding.text for finding in findings)


@pytest.mark.parametrize(
    ("to", "device", "verdict"),
    [
        ("192.168.50.2", "eth0", FAILURE),
        ("192.168.50.2", "virbr1", WARNING),  # somebody else has made a route there
        ("10.0.0.2", "eth0", WARNING),  # in another subnet, which the bridge has still
    ],
)
def test_a_forward_to_a_bridge_that_has_lost_its_address(
    monkeypatch: pytest.MonkeyPatch, to: str, device: str, verdict: str
) -> None:
    monkeypatch.setattr(bridge_addresses, "ask", lambda *_: [Answer([{"dev": device}])])
    (line,) = forwarded(f"198.51.100.2:80 public to={to}")
    target = ForwardTarget(Forwarding(line, FORWARDED, bridge="virbr1", target=to))
    (found,) = bridge_addresses.bridge_addresses(facts_of(addresses=[GATEWAY]), [target])
    assert (found.verdict, found.command, found.is_silence) == (verdict, MEND, True)


def test_ipv6_is_turned_on_before_its_address_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_addresses, "sysctl", lambda _: 1)
    facts = facts_of(addresses=[("fd00:50::1", 64)])
    (found,) = bridge_addresses.bridge_addresses(facts, [target_of(f"{SIX} public")])
    assert found.command == ("sysctl -w net.ipv6.conf.virbr1.disable_ipv6=0 && ip address add fd00:50::1/64 dev virbr1")


ON_LINK, FORWARDED_PORT = "198.51.100.50", "198.51.100.50:8080 public to=192.168.50.2"
PROXY_ARP = {"/proc/sys/net/ipv4/conf/eth0/proxy_arp": "1\n"}


@pytest.mark.parametrize(
    ("routed_ips", "forwards", "files", "devices"),
    [
        (f"{ON_LINK} public", "", {}, ["eth0"]),
        ("", FORWARDED_PORT, {}, ["eth0"]),
        ("", f"{FORWARDED_PORT} proxy=eth0\n198.51.100.50:81 public to=192.168.50.2", {}, ["", ""]),
        (f"{ON_LINK} public proxy=eth0", FORWARDED_PORT, {}, ["", ""]),
        ("", "198.51.100.11:80 public to=192.168.50.2\n0.0.0.0:81 public to=192.168.50.2", {}, ["", ""]),
        ("", "203.0.113.1:80 public to=192.168.50.2", {}, [""]),
        (f"{ON_LINK} public", FORWARDED_PORT, PROXY_ARP, ["", ""]),
        ("", FORWARDED_PORT, PROXY_ARP, ["eth0"]),  # the kernel's route to it leads to the uplink
        ("", FORWARDED_PORT, {"/sys/class/net/eth0/flags": "0x1091\n"}, [""]),  # a tunnel
        (f"{ON_LINK} outside", "", {}, [""]),  # on the link itself
        ("2001:db8:ffff::50 public", "[2001:db8:ffff::51]:80 public to=fd00::2", {}, ["eth0", "eth0"]),
    ],
)
def test_who_answers_for_an_address_of_the_uplinks_subnet(
    routed_ips: str, forwards: str, files: dict[str, str], devices: list[str]
) -> None:
    configured = configuration_of(routed_ips)
    configured.forwards = forwarded(forwards)
    networks = [Network("public", "virbr1", "nat"), Network("outside", "eth0", "bridge")]
    held = [
        (parse_prefix("198.51.100.11"), 24, "eth0"),
        (parse_prefix("2001:db8:ffff::11"), 64, "eth0"),
        (parse_prefix("192.168.50.1"), 24, "virbr1"),
    ]
    host: Any = SimpleNamespace(read=files.get)
    subnets = uplink_subnets.UplinkSubnets(configured, networks, held, host)
    assert [subnets.unanswered(line) for line in (*configured.routed_ips, *configured.forwards)] == devices


@pytest.mark.parametrize(
    ("mode", "is_active", "starts"), [("nat", False, True), ("open", False, False), ("nat", True, False)]
)
def test_who_turns_forwarding_on(mode: str, is_active: bool, starts: bool) -> None:
    network = Network("public", "virbr1", mode, subnets=[parse_prefix("192.168.50.0/24")])
    facts = facts_of(network, is_active=is_active)
    assert networks.starts_forwarding(facts, target_of(f"{ADDRESS} public")) is starts
    assert not networks.starts_forwarding(facts, target_of(f"{SIX} public"))
    assert not networks.starts_forwarding(facts, target_of(f"{ADDRESS} other"))


def test_a_gate_is_about_the_addresses_of_its_family() -> None:
    lack = Lack("gate", "our gate is missing", BROKEN)
    four = SimpleNamespace(family=4, where="FORWARD", lacks=lambda _: [lack], setting="iptables")
    six = SimpleNamespace(family=6, where="FORWARD", lacks=lambda _: [], state=lambda _: "open", setting="iptables")
    facts: Any = SimpleNamespace(plan=SimpleNamespace(openings=[four, six], case=None, failures=()))
    found = list(ours.opened_in_chains(facts, [target_of(f"{ADDRESS} public"), target_of(f"{SIX} public")]))
    assert [(each.verdict, each.addresses) for each in found] == [(FAILURE, [ADDRESS]), (OK, [])]


@pytest.mark.parametrize(
    ("routes", "has_bridge", "why"),
    [
        ([], False, ""),
        ([{"dst": "192.168.50.0/24", "dev": "eth1", "protocol": "kernel"}], False, "has a route already"),
        ([{"dst": "192.168.50.0/24", "type": "unreachable", "protocol": "218"}], False, ""),
        ([], True, "a device virbr1 exists already"),
    ],
)
def test_why_libvirt_refuses_a_network(
    monkeypatch: pytest.MonkeyPatch, routes: list[dict[str, Any]], has_bridge: bool, why: str
) -> None:
    monkeypatch.setattr(links, "exists", lambda _: has_bridge)
    monkeypatch.setattr(refusals, "lost_by", lambda *_: [])
    facts = answers(facts_of(is_active=False), {"route show exact 192.168.50.0/24": routes})
    found = refusals.why_refused(facts, target_of(f"{ADDRESS} public"), facts.live["public"])
    assert bool(found) == bool(why)
    if found:
        assert why in found.why
        assert (found.command, bool(found.advice)) == ("", True)


def test_libvirt_starts_nothing_without_its_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "exists", lambda _: False)
    monkeypatch.setattr(refusals, "lost_by", lambda *_: ["second"])
    monkeypatch.setattr(daemon, "restart", lambda _: "systemctl restart libvirtd.service")
    facts = answers(facts_of(is_active=False), {})
    (found,) = networks.network(facts, target_of(f"{ADDRESS} public"))
    assert found.command == "systemctl restart libvirtd.service && virsh net-start public"


@pytest.mark.parametrize(("accept_ra", "refuses"), [(1, True), (2, False), (0, False)])
def test_router_advertisements_may_keep_a_network_from_starting(
    monkeypatch: pytest.MonkeyPatch, accept_ra: int, refuses: bool
) -> None:
    monkeypatch.setattr(links, "exists", lambda _: False)
    monkeypatch.setattr(refusals, "needs_accept_ra", lambda _: accept_ra == 1)
    network = Network("public", "virbr1", "nat", subnets=[parse_prefix("fd00:50::/64")])
    learnt = {"dst": "default", "dev": "eth0", "protocol": "ra"}
    facts = facts_of(network, is_active=False, _default_routes={4: [], 6: [learnt]})
    monkeypatch.setattr(refusals, "lost_by", lambda *_: [])
    found = refusals.why_refused(facts, target_of(f"{SIX} public"), facts.live["public"])
    assert (found and found.command) == (refusals.ENABLE if refuses else None)


@pytest.mark.parametrize(
    ("values", "believes"),
    [
        ({"accept_ra": 2, "forwarding": 1, "disable_ipv6": 0}, True),
        ({"accept_ra": 1, "forwarding": 0, "disable_ipv6": 0}, True),
        ({"accept_ra": 1, "forwarding": 1, "disable_ipv6": 0}, False),
        ({"accept_ra": 2, "forwarding": 1, "disable_ipv6": 1}, False),
        ({"accept_ra": 0, "forwarding": 0, "disable_ipv6": 0}, False),
    ],
)
def test_router_advertisements_of_guests(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, int], believes: bool
) -> None:
    monkeypatch.setattr(kernel_settings, "sysctl", lambda name: values[name.rpartition("/")[2]])
    facts = facts_of(devices={"vnet0": {"master": "virbr1"}, "eth0": {"master": "virbr1"}})
    facts.uplinks = lambda _: ["eth0"]
    found = brief(kernel_settings.advertisements_of_guests(facts, ["virbr1"]))
    settings = " ".join(f"net.ipv6.conf.{device}.accept_ra=0" for device in ("virbr1", "vnet0"))
    assert found == ([(WARNING, f"sysctl -w {settings}")] if believes else [])


@pytest.mark.parametrize(
    ("text", "linked", "said"),
    [
        ("# x\nnet.ipv4.ip_forward=1\n", False, "/etc/sysctl.conf:2 turns it on"),
        ("-net/ipv4/ip_forward = 1\n", False, "/etc/sysctl.conf:1"),
        ("#net.ipv4.ip_forward=1\nnet.ipv4.ip_forward=0\n", False, ""),
        ("net.ipv4.ip_forward=1\n", True, ""),
    ],
)
def test_a_setting_in_a_file_that_is_not_read(
    monkeypatch: pytest.MonkeyPatch, text: str, linked: bool, said: str
) -> None:
    monkeypatch.setattr(systemd, "runs", lambda: True)
    monkeypatch.setattr("glob.glob", lambda _: ["/etc/sysctl.d/99-sysctl.conf"] if linked else [])
    monkeypatch.setattr("os.path.realpath", lambda _: "/etc/sysctl.conf")
    monkeypatch.setattr(refusals, "read", lambda _: text)
    assert said in refusals.where_it_is_set("net/ipv4/ip_forward")
    assert bool(refusals.where_it_is_set("net/ipv4/ip_forward")) == bool(said)


def test_lines_of_a_file_that_is_ignored() -> None:
    hidden = {line.prefix.text: line for line in routed("".join(f"203.0.113.{n} public\n" for n in range(5)))}
    files = Configuration(Settings(), [], [], hidden=hidden)
    (warned,) = configuration.hidden(files, [], "/etc/nethook/routed-ips")
    assert (warned.verdict, "203.0.113.2 and 2 more" in warned.text, warned.addresses) == (WARNING, True, [])
    (failed,) = configuration.hidden(files, asked_about(["203.0.113.4"]), "/etc/nethook/routed-ips")
    assert (failed.verdict, failed.addresses) == (FAILURE, ["203.0.113.4"])
    assert list(configuration.hidden(files, asked_about(["198.51.100.9"]), "f")) == []


IPTABLES_NAT = "-P POSTROUTING ACCEPT\n-A POSTROUTING "


@pytest.mark.parametrize(
    ("rule", "verdict", "what"),
    [
        ("-o eth0 -j MASQUERADE", FAILURE, "the source of connections that the guest opens is rewritten by"),
        ("-o eth0 -p tcp -m tcp --dport 25 -j SNAT --to-source 198.51.100.9", FAILURE, "to TCP port 25 by"),
        (f"-s {ADDRESS}/32 -o eth0 -j SNAT --to-source 198.51.100.9", WARNING, "is rewritten by"),
        ("-s 10.0.0.0/8 -o eth0 -j MASQUERADE", "", ""),
        ("-m mark --mark 0x4000/0x4000 -j MASQUERADE", "", ""),
    ],
)
def test_rules_that_rewrite_an_address(monkeypatch: pytest.MonkeyPatch, rule: str, verdict: str, what: str) -> None:
    tables = {4: {"iptables-nft": parse(IPTABLES_NAT + rule)}, 6: {}}
    monkeypatch.setattr(nat, "Rules", lambda _: SimpleNamespace(judges=[], tables=tables))
    facts = facts_of()
    facts.uplinks = lambda _: ["eth0"]
    found: list[Finding] = list(nat.nat(facts, [target_of(f"{ADDRESS} public")]))
    assert [finding.verdict for finding in found] == [verdict or OK]
    assert what in found[0].text
    if verdict == FAILURE:
        kept = rule.partition(" -j")[0]
        assert found[0].command == f"iptables-nft -w -t nat -I POSTROUTING -s {ADDRESS} {kept} -j ACCEPT"
        tables[4]["iptables-nft"] = parse(f"{IPTABLES_NAT}-s {ADDRESS}/32 {kept} -j ACCEPT\n-A POSTROUTING {rule}")
        assert [each.verdict for each in nat.nat(facts, [target_of(f"{ADDRESS} public")])] == [OK]


def test_conditions_without_some() -> None:
    conditions = "-p tcp -m tcp --tcp-flags SYN,RST SYN --syn"
    words = f"! -i eth0 -s 10.0.0.0/8 {conditions} -j DNAT --to 10.0.0.1".split()
    assert conditions_of(words, without=("-s", "-d")) == ["!", "-i", "eth0", *conditions.split()]


SET_MARK: dict[str, Any] = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 51820}}
FROM_BRIDGE: dict[str, Any] = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "virbr1"}}
FROM_OTHERS: dict[str, Any] = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "docker0"}}


@pytest.mark.parametrize(
    ("rules", "mangle", "mark"),
    [
        ([], "", 0),
        ([FROM_BRIDGE, SET_MARK], "", 51820),
        ([FROM_OTHERS, SET_MARK], "", 0),
        ([{"limit": {"rate": 5}}, SET_MARK], "", 0),
        ([], "-A PREROUTING -i virbr1 -j MARK --set-xmark 0xca6c/0xffffffff", 51820),
        ([], "-A PREROUTING -i virbr1 -p tcp -j MARK --set-xmark 0xca6c/0xffffffff", 0),
    ],
)
def test_the_mark_that_packets_of_a_guest_get(
    monkeypatch: pytest.MonkeyPatch, rules: list[dict[str, Any]], mangle: str, mark: int
) -> None:
    monkeypatch.setattr(guest_marks, "listing", lambda *_: parse(mangle))
    monkeypatch.setattr(guest_marks, "read", lambda _: "mangle\n" if mangle else None)
    chain = BaseChain("inet", "admin", "pre", "prerouting", -150, "accept")
    others = [chain._replace(table="nethook"), chain._replace(hook="forward"), chain._replace(family="ip6")]
    nft = SimpleNamespace(
        filter_chains=lambda: [*others, chain],
        rules=lambda each: {"pre": [{"handle": 1, "expr": rules}]} if each == chain else pytest.fail(each.where),
        has_element=lambda *_: None,
    )
    facts = facts_of(nft=nft)
    facts.uplinks = lambda _: ["eth0"]
    assert guest_marks.mark_of(facts, target_of(f"{ADDRESS} public")) == mark


@pytest.mark.parametrize(("spoofed", "more"), [({}, ""), ({ADDRESS: 3}, "; 3 packets from there came by another NIC")])
def test_answers_that_leave_by_another_nic(monkeypatch: pytest.MonkeyPatch, spoofed: dict[str, int], more: str) -> None:
    place = (ADDRESS, "virbr1")
    monkeypatch.setattr(counters, "received", lambda _: {place: Traffic(one_way.MANY, 840)})
    monkeypatch.setattr(counters, "sent", lambda _: {place: Traffic(0, 0)})
    monkeypatch.setattr(counters, "spoofed", lambda _: spoofed)
    target = target_of(f"{ADDRESS} public guest=web1")
    (found,) = one_way.one_way(facts_of(), [target])
    assert found.text.startswith(f"packets come, and nothing from there has come back to virbr1{more}")
    assert ("another NIC" in found.text) == bool(more)
    assert (found.verdict, found.addresses, found.is_silence) == (WARNING, [ADDRESS], True)
