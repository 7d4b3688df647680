"""The pure parts of the doctor: what rules of others do to a packet, what is looked at, and what is said."""

from __future__ import annotations

import errno
import json
import socket
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import pytest

import nethook.host as edge
from nethook.commands import doctor
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.doctor import configuration as files_station
from nethook.doctor import installation, programs, walk
from nethook.doctor import plugged as plugged_station
from nethook.doctor.configuration import mistakes
from nethook.doctor.facts import Facts, Target, asked_for, set_sysctl, targets
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.firewalls import sees_mark
from nethook.doctor.iptables_judge import Ruling, parse
from nethook.doctor.iptables_judge import judge as judge_iptables
from nethook.doctor.kernel_settings import manages_foreign_routes
from nethook.doctor.libvirts_rules import is_libvirts
from nethook.doctor.nft_chains import BaseChain
from nethook.doctor.nft_judge import Judge, Judgement
from nethook.doctor.nft_match import Packet
from nethook.doctor.plugged import Trouble, plugged
from nethook.doctor.routing import deletion
from nethook.doctor.services import unanswered
from nethook.doctor.way_back import rule_text
from nethook.engine.situation import asked_about
from nethook.errors import NethookError, ReadError
from nethook.gates.gate import Chain, Gate, Rule
from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.install import daemon
from nethook.libvirt import Network, Port, Ports, live
from nethook.libvirt.details import ASLEEP, CRASHED, PAUSED, Details, GuestDetails, Tap
from nethook.libvirt.live import LiveGuest, LiveNetwork
from nethook.prefix import parse_prefix
from tests.unit.lines import configuration, routed

GUEST, OUTSIDE = "203.0.113.10", "8.8.8.8"
THERE = Packet(4, "eth0", "virbr1", OUTSIDE, GUEST, 0x40, 0x40, "new")

BACK = Packet(4, "virbr1", "eth0", GUEST, OUTSIDE, 0x40, 0x40, "established")

ACCEPT: dict[str, Any] = {"accept": None}
DROP: dict[str, Any] = {"drop": None}
REJECT: dict[str, Any] = {"reject": {"type": "icmp"}}
COUNTER: dict[str, Any] = {"counter": {"packets": 0, "bytes": 0}}


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


def field(name: str, protocol: str = "ip") -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": name}}


STATE = {"ct": {"key": "state"}}
MARK = {"&": [meta("mark"), 0x40]}
HTTP = match(field("dport", "tcp"), 80)
TO_GUEST = match(field("daddr"), GUEST)
VMAP_OF_STATES = {"vmap": {"key": STATE, "data": {"set": [["established", ACCEPT], ["new", DROP]]}}}


def judge(*rules: list[dict[str, Any]], policy: str = "accept", packet: Packet = THERE, **others: Any) -> Judgement:
    """What becomes of the packet in a chain with these rules; ``others`` are chains that it leads to."""
    chains = {
        name: [{"handle": number, "expr": expressions} for number, expressions in enumerate(each, 1)]
        for name, each in {"base": rules, **others}.items()
    }
    elements = {("bad", GUEST), ("pairs", f"virbr1 . {GUEST}")}
    return Judge(chains, lambda name, value: (name, value) in elements).judge("base", policy, packet)


@pytest.mark.parametrize(
    "conditions",
    [
        [],
        [TO_GUEST],
        [match(field("daddr"), {"prefix": {"addr": "203.0.113.0", "len": 24}})],
        [match(field("daddr"), {"range": ["203.0.113.1", "203.0.113.20"]})],
        [match(field("daddr"), {"set": ["203.0.113.9", {"prefix": {"addr": "203.0.113.10", "len": 31}}]})],
        [match(field("daddr"), "@bad")],
        [match({"concat": [meta("oifname"), field("daddr")]}, "@pairs")],
        [match({"concat": [meta("oifname"), field("daddr")]}, {"set": [{"concat": ["virbr1", GUEST]}]})],
        [match(field("saddr"), "10.0.0.1", "!=")],
        [match(meta("iifname"), "eth0"), match(meta("oifname"), "virbr*")],
        [match(meta("nfproto"), "ipv4")],
        [match(STATE, ["new", "untracked"], "in")],
        [match(STATE, {"|": ["new", "untracked"]}, "in")],
        [match(MARK, 0x40), COUNTER],
        [match(MARK, 0, "!=")],
    ],
)
def test_what_matches_is_dropped(conditions: list[dict[str, Any]]) -> None:
    for verdict in (DROP, REJECT):
        assert judge([ACCEPT], [*conditions, verdict]).blocked is False
        outcome = judge([*conditions, verdict])
        assert (outcome.blocked, outcome.rule and outcome.rule["handle"]) == (True, 1)


@pytest.mark.parametrize(
    "conditions",
    [
        [match(field("daddr"), "203.0.113.11")],
        [match(field("daddr", "ip6"), "2001:db8::1")],
        [match(field("daddr", "ip6"), "2001:db8::1", "!=")],
        [match(field("daddr"), "@other")],
        [match(meta("iifname"), "virbr*")],
        [match(STATE, "established")],
        [match({"ct": {"key": "status"}}, "dnat", "in")],
        [match(MARK, 0x40, "!=")],
    ],
)
def test_what_does_not_match_goes_on(conditions: list[dict[str, Any]]) -> None:
    assert judge([*conditions, DROP]) == Judgement(False)
    assert judge([*conditions, ACCEPT], policy="drop") == Judgement(True)


A_PART = [
    HTTP,
    match(meta("l4proto"), "udp"),
    match(field("protocol"), "tcp"),
    match({"payload": {"base": "th", "offset": 16, "len": 16}}, 80),
    match(field("dport", "tcp"), 1024, "<"),
    match({"concat": [field("daddr"), field("dport", "tcp")]}, {"set": [{"concat": [GUEST, 80]}]}),
]
UNKNOWN = [
    {"limit": {"rate": 5}},
    {"xt": None},
    match(meta("mark"), 0x41),
    match({"&": [meta("mark"), 0xFF]}, 0x41),
    match({"fib": {"result": "oif", "flags": ["saddr", "mark", "iif"]}}, True),
    match({"socket": {"key": "transparent"}}, 1),
    match({"ct": {"key": "mark"}}, 1),
    match(field("flags", "tcp"), "syn"),
    match({"&": [field("flags", "tcp"), ["syn", "rst"]]}, "syn"),
    match(field("saddr", "ether"), "52:54:00:00:00:01"),
]


@pytest.mark.parametrize("condition", A_PART)
def test_what_is_about_a_part_is_no_failure(condition: dict[str, Any]) -> None:
    outcome = judge([condition, DROP])
    assert (outcome.blocked, outcome.may_block and outcome.may_block["handle"]) == (False, 1)
    assert judge([condition, ACCEPT], policy="drop").blocked, "the others are dropped"
    assert judge([condition, {"return": None}], [DROP]).may_block is not None


@pytest.mark.parametrize("condition", UNKNOWN)
def test_what_is_not_understood_is_said_neither_to_drop_nor_to_let_pass(condition: dict[str, Any]) -> None:
    assert judge([condition, DROP]) == Judgement(False)
    assert judge([condition, ACCEPT], policy="drop") == Judgement(False)
    assert judge([condition, ACCEPT], [DROP]) == Judgement(False)
    assert judge([HTTP, condition, ACCEPT], policy="drop").blocked, "that is about a part"
    assert judge([condition, {"jump": {"target": "sub"}}], policy="drop", sub=[[ACCEPT]]) == Judgement(False)
    assert judge([{"jump": {"target": "sub"}}], [DROP], sub=[[condition, {"return": None}], [ACCEPT]]) == Judgement(
        False
    )
    assert judge([TO_GUEST, condition, DROP]).may_block, "it names the guest"


def test_a_firewall_by_reverse_path_drops_nothing() -> None:
    """As NixOS writes it."""
    dhcp = {"concat": [field("sport", "udp"), field("dport", "udp")]}
    reverse_path = {"fib": {"result": "oif", "flags": ["saddr", "mark", "iif"]}}
    rules = [
        [match(dhcp, {"set": [{"concat": [67, 68]}, {"concat": [68, 67]}]}), ACCEPT],
        [match(reverse_path, True), ACCEPT],
    ]
    assert judge(*rules, policy="drop") == Judgement(False)
    assert judge(rules[0], policy="drop").blocked


def test_a_mark_that_is_compared_as_a_whole_is_never_that_of_a_routed_address() -> None:
    whole = [match(meta("mark"), 1), ACCEPT]
    assert judge(whole, policy="drop").blocked
    assert not judge(whole, policy="drop", packet=THERE._replace(mark=0)).blocked


def test_a_program_or_an_unknown_map_may_accept() -> None:
    assert judge([{"queue": {"num": 1}}], policy="drop") == Judgement(False)
    assert judge([HTTP, {"queue": {"num": 1}}], policy="drop").blocked
    assert judge([{"vmap": {"key": meta("iifname"), "data": "@zones"}}], policy="drop") == Judgement(False)
    assert judge([{"vmap": {"key": field("dport", "tcp"), "data": "@ports"}}], policy="drop").blocked


def test_a_policy_drops_what_no_rule_accepts() -> None:
    ssh = [match(field("dport", "tcp"), 22), ACCEPT]
    established = [match(STATE, "established"), ACCEPT]
    assert judge(established, ssh, policy="drop") == Judgement(True)
    assert not judge(established, ssh, policy="drop", packet=THERE._replace(state="established")).blocked
    assert not judge(established, [match(MARK, 0x40), ACCEPT], policy="drop").blocked
    assert judge([match(MARK, 0x40), ACCEPT], policy="drop", packet=THERE._replace(mark=0)).blocked


def test_a_filter_for_a_guest_is_meant() -> None:
    assert judge([TO_GUEST, HTTP, ACCEPT], [TO_GUEST, DROP]).is_meant
    assert judge([TO_GUEST, {"jump": {"target": "web"}}], policy="drop", web=[[HTTP, ACCEPT]]).blocked
    assert not judge([HTTP, ACCEPT], policy="drop").is_meant


def test_jumps() -> None:
    jump: list[dict[str, Any]] = [COUNTER, {"jump": {"target": "sub"}}]
    goto: list[dict[str, Any]] = [{"goto": {"target": "sub"}}]
    back: dict[str, Any] = {"return": None}
    assert judge(jump, sub=[[TO_GUEST, DROP]]) == Judgement(True, {"handle": 1, "expr": jump})
    assert judge(jump, [DROP], sub=[[TO_GUEST, back], [DROP]]).rule == {"handle": 2, "expr": [DROP]}
    assert judge(jump, sub=[[TO_GUEST, back], [DROP]]) == Judgement(False)
    assert not judge(jump, sub=[[HTTP, back], [DROP]]).blocked
    assert judge(goto, [ACCEPT], policy="drop", sub=[[COUNTER]]) == Judgement(True)
    assert judge(goto, [DROP], sub=[[COUNTER]]) == Judgement(False)
    assert judge([{"jump": {"target": "base"}}]) == Judgement(False)  # the kernel refuses such a loop


@pytest.mark.parametrize(("is_forwarded", "blocked"), [(True, False), (False, True)])
def test_forwarded_packets_have_the_status_of_dnat(is_forwarded: bool, blocked: bool) -> None:
    packet = THERE._replace(is_forwarded=is_forwarded)
    let_pass = {"expr": [match({"ct": {"key": "status"}}, "dnat", "in"), ACCEPT], "handle": 1}
    judge = Judge({"f": [let_pass]}, lambda *_: None)
    assert judge.judge("f", "drop", packet).blocked is blocked
    listing = parse("-P FORWARD DROP\n-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n")
    assert judge_iptables(listing, "FORWARD", packet).stops is blocked


def test_a_port_at_which_nothing_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ends = [listening.getsockname(), closed.getsockname()]
        assert unanswered(ends) == {ends[1]: errno.ECONNREFUSED}


def test_verdict_maps() -> None:
    assert judge([VMAP_OF_STATES]).blocked
    assert not judge([VMAP_OF_STATES], policy="drop", packet=THERE._replace(state="established")).blocked
    assert judge([{"vmap": {"key": STATE, "data": "@states"}}]) == Judgement(False)
    ports = {"vmap": {"key": field("dport", "tcp"), "data": {"set": [[80, ACCEPT], [25, DROP]]}}}
    assert not judge([ports]).blocked
    assert judge([ports]).may_block is not None


@pytest.mark.parametrize(
    ("hook", "priority", "sees"),
    [
        ("forward", 0, True),
        ("forward", 10, True),
        ("forward", -10, False),
        ("forward", 20, False),
        ("prerouting", 0, False),
        ("postrouting", 0, False),
    ],
)
def test_only_forward_chains_behind_ours_see_the_mark(hook: str, priority: int, sees: bool) -> None:
    assert sees_mark(BaseChain("inet", "admin", "c", hook, priority, "drop")) == sees


@pytest.mark.parametrize(
    ("rule", "stops"),
    [
        ("-j DROP", True),
        ("-d 203.0.113.10/32 -j DROP", True),
        ("-d 203.0.113.0/24 -i eth0 -o virbr1 -j REJECT --reject-with icmp-port-unreachable", True),
        ('-s 203.0.113.10/32 -m comment --comment "no -d 10.0.0.1/32" -j DROP', True),
        ("! -i virbr1 -j DROP", True),
        ("-i virbr+ -j DROP", True),
        ("-d 203.0.113.11/32 -j DROP", False),
        ("-s 10.0.0.0/8 -j DROP", False),
        ("-i docker0 -j DROP", False),
        ("-d 203.0.113.10/32 -j ACCEPT", False),
        ("-d 203.0.113.10/32 -j DOCKER-USER", False),
        ("-d 203.0.113.10/32 -p tcp -m tcp --dport 25 -j DROP", None),
        ("-m conntrack --ctstate INVALID -j DROP", False),
        ("-m set --match-set bad src -j DROP", False),
        ("-d 203.0.113.10/32 -m set --match-set bad src -j DROP", None),
        ("-m rpfilter --validmark --invert -j DROP", False),
        ("-m addrtype --dst-type LOCAL -j DROP", False),
        ("-m mark --mark 0x40/0x40 -j DROP", True),
        ("-m mark ! --mark 0x40/0x40 -j DROP", False),
        ("-m mark --mark 1 -j DROP", False),
        ("-m mark --mark 0x41 -j DROP", False),
    ],
)
def test_rules_of_iptables(rule: str, stops: bool | None) -> None:
    table = parse(f"-A FORWARD {rule}")
    found = [judge_iptables(table, "FORWARD", packet).stops for packet in (THERE, BACK)]
    assert (True if True in found else None if None in found else False) is stops


@pytest.mark.parametrize(
    ("listing", "ruling"),
    [
        ("-P FORWARD DROP", Ruling(True)),
        ("-P FORWARD DROP\n-A FORWARD -j ACCEPT", Ruling(False)),
        ("-P FORWARD ACCEPT\n-A FORWARD -j mine\n-A mine -d 203.0.113.10/32 -j DROP", Ruling(True, "-j mine")),
        ("-A FORWARD -j mine\n-A mine -i eth0 -j RETURN\n-A mine -j DROP", Ruling(False)),
        ("-A FORWARD -j mine\n-A mine -p tcp -j RETURN\n-A mine -j DROP", Ruling(None, "-j mine")),
        ("-A FORWARD -g mine\n-A FORWARD -j DROP\n-A mine -s 10.0.0.0/8 -j DROP", Ruling(False)),
        ("-A FORWARD -j a\n-A a -j a", Ruling(False)),
        ("-A FORWARD -j absent\n-A FORWARD -d 203.0.113.0/24 -j DROP", Ruling(True, "-d 203.0.113.0/24 -j DROP")),
        (
            "-A FORWARD -d 203.0.113.10/32 -p tcp -j ACCEPT\n-A FORWARD -d 203.0.113.10/32 -j DROP",
            Ruling(None, "-d 203.0.113.10/32 -j DROP", is_meant=True),
        ),
        ("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-P FORWARD DROP", Ruling(True)),
        ("-A FORWARD -m conntrack --ctstate NEW -j ACCEPT\n-P FORWARD DROP", Ruling(False)),
        ("-A FORWARD -m set --match-set good src -j ACCEPT\n-P FORWARD DROP", Ruling(False)),
        ("-A FORWARD -p tcp -m set --match-set good src -j ACCEPT\n-P FORWARD DROP", Ruling(True)),
        ("-A FORWARD -j NFQUEUE --queue-num 1\n-P FORWARD DROP", Ruling(False)),
        ("-A FORWARD -j TTL --ttl-set 64\n-P FORWARD DROP", Ruling(True)),
        ("-N EMPTY\n-A FORWARD -j EMPTY\n-P FORWARD DROP", Ruling(True)),
        ("-A FORWARD -m owner -j mine\n-A mine -j ACCEPT\n-P FORWARD DROP", Ruling(False)),
    ],
)
def test_chains_of_iptables(listing: str, ruling: Ruling) -> None:
    assert judge_iptables(parse(listing), "FORWARD", THERE) == ruling


LINES = f"{GUEST} public\n203.0.113.16/29 public\n203.0.113.17 public\n2001:db8:7::/64 public"


def names(*wanted: str) -> list[tuple[str, str]]:
    found, _ = targets(routed(LINES), [parse_prefix(text) for text in wanted])
    return [(target.name, target.address) for target in found]


def test_each_line_has_an_address_that_stands_for_it() -> None:
    assert names() == [
        (GUEST, GUEST),
        ("203.0.113.16/29", "203.0.113.20"),  # .17 has a line of its own
        ("203.0.113.17", "203.0.113.17"),
        ("2001:db8:7::/64", "2001:db8:7::1"),
    ]


def test_the_line_of_an_address_is_the_longest_prefix_around_it() -> None:
    assert names("203.0.113.17", "203.0.113.18", "2001:db8:7::5") == [
        ("203.0.113.17", "203.0.113.17"),
        ("203.0.113.18", "203.0.113.18"),
        ("2001:db8:7::5", "2001:db8:7::5"),
    ]
    assert targets(routed(LINES), [parse_prefix("192.0.2.1")]) == ([], [parse_prefix("192.0.2.1")])


@pytest.mark.parametrize(
    ("wanted", "forwards", "lost"),
    [
        ([], ["203.0.113.1:22/tcp", "203.0.113.1:443/tcp", "203.0.113.5"], []),
        (["203.0.113.1"], ["203.0.113.1:22/tcp", "203.0.113.1:443/tcp"], []),
        (["203.0.113.1:443"], ["203.0.113.1:443/tcp"], []),
        (["203.0.113.1:443/tcp"], ["203.0.113.1:443/tcp"], []),
        (["203.0.113.1:443/udp"], [], ["203.0.113.1:443/udp"]),
        (["203.0.113.1:81", "203.0.113.5:81"], ["203.0.113.5"], ["203.0.113.1:81"]),
        (["203.0.113.0/29"], ["203.0.113.1:22/tcp", "203.0.113.1:443/tcp", "203.0.113.5"], []),
        ([f"{GUEST}:81", "203.0.113.11"], [], ["203.0.113.11"]),
    ],
)
def test_of_an_address_only_the_ports_are_examined_that_are_asked_for(
    wanted: list[str], forwards: list[str], lost: list[str]
) -> None:
    data = b"203.0.113.1:22 public guest=a\n203.0.113.1:443 public guest=b\n203.0.113.5 public guest=c"
    lines, _ = parse_forwarded_ports([("forwarded-ports", data)])
    _, found, without = asked_for(routed(f"{GUEST} public"), lines, asked_about(wanted))
    assert ([line.text for line in found], [each.text for each in without]) == (forwards, lost)


def test_a_port_without_a_line_is_told_as_a_port() -> None:
    (found,) = files_station.lines_lacking(asked_about(["203.0.113.1:81"]), "routed-ips")
    assert (found.text, found.addresses) == ("no line of the files names 203.0.113.1:81", ["203.0.113.1:81"])
    assert "`203.0.113.1:81  NETWORK guest=GUEST` to forwarded-ports(5)" in found.advice


def test_the_last_word_about_foreign_routes_counts() -> None:
    off, on = "[Network]\nManageForeignRoutes = no\n", "[Network]\nManageForeignRoutes=yes"
    assert manages_foreign_routes(iter([]))
    assert manages_foreign_routes(iter(["[Network]\n#ManageForeignRoutes=no"]))
    assert manages_foreign_routes(iter(["[DHCPv4]\nManageForeignRoutes=no"]))
    assert not manages_foreign_routes(iter([on, off]))
    assert manages_foreign_routes(iter([off, on]))


def test_commands() -> None:
    route = {"dst": "203.0.113.10", "gateway": "198.51.100.1", "dev": "eth0", "protocol": "bird", "metric": 5}
    assert deletion(4, route) == "ip -4 route del 203.0.113.10 via 198.51.100.1 dev eth0 proto bird metric 5"
    assert (
        deletion(6, {"type": "blackhole", "dst": "2001:db8::1", "dev": "lo"}) == "ip -6 route del blackhole 2001:db8::1"
    )
    assert set_sysctl("net/ipv4/ip_forward", 1) == "sysctl -w net.ipv4.ip_forward=1"
    assert set_sysctl("net/ipv4/conf/eth0.7/rp_filter", 2) == "sysctl -w net/ipv4/conf/eth0.7/rp_filter=2"
    rule = {"priority": 100, "src": "all", "dst": "203.0.113.0", "dstlen": 24, "table": "7"}
    assert rule_text(rule) == "100: from all to 203.0.113.0/24 lookup 7"


@pytest.mark.parametrize(
    ("findings", "fails", "status"),
    [
        ([Finding(OK, "tools", "nft")], False, 0),
        ([Finding(WARNING, "boot", "not at boot")], False, 0),
        ([Finding(FAILURE, "gate", "missing")], False, 1),
        ([Finding(OK, "tools", "nft")], True, 2),
        ([Finding(FAILURE, "gate", "missing")], True, 1),
    ],
)
def test_the_exit_status(
    findings: list[Finding],
    fails: bool,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def walk_until_it_fails(*_: object) -> Iterator[Finding]:
        yield from findings
        if fails:
            raise ReadError("nft does not answer")

    monkeypatch.setattr(walk, "_walk", walk_until_it_fails)
    monkeypatch.setattr(doctor, "require_root", lambda _: None)
    assert doctor.run(Namespace(addresses=["203.0.113.10"], json=True, verbose=False, probe=False)) == status
    printed = capsys.readouterr()
    assert [each["verdict"] for each in json.loads(printed.out)["findings"]] == [each.verdict for each in findings]
    assert ("the rest was not examined: nft does not answer" in printed.err) == fails


@pytest.mark.parametrize("as_json", [False, True])
def test_json_at_a_terminal_is_json_alone(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in `ssh -t host nethook doctor --json ADDRESS | jq`."""
    monkeypatch.setattr(walk, "_walk", lambda *_: iter([Finding(OK, "tools", "nft")]))
    monkeypatch.setattr(doctor, "require_root", lambda _: None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    doctor.run(Namespace(addresses=["203.0.113.10"], json=as_json, verbose=False, probe=False))
    printed = capsys.readouterr().out
    assert printed.endswith("nethook doctor --probe 203.0.113.10\n") != as_json
    assert not as_json or json.loads(printed)


@pytest.mark.parametrize("addresses", [[], ["203.0.113.10", "203.0.113.11"]])
def test_one_address_is_tried(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "require_root", lambda _: None)
    with pytest.raises(NethookError, match="--probe tries one address"):
        doctor.run(Namespace(addresses=addresses, json=False, verbose=False, probe=True))


def test_what_is_no_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "require_root", lambda _: None)
    with pytest.raises(NethookError, match="not an IP address: web1; write an address"):
        doctor.run(Namespace(addresses=["web1"], json=False, verbose=False, probe=False))
    with pytest.raises(NethookError, match=r"boundary: write 203.0.113.8/29 for the block, 203.0.113.10 for"):
        doctor.run(Namespace(addresses=["203.0.113.10/29"], json=False, verbose=False, probe=False))


TYPO = "203.0.113.300 public"


@pytest.mark.parametrize(
    ("lines", "wanted", "said"),
    [
        (f"{GUEST} public\n{TYPO}", [GUEST], [(WARNING, [])]),
        (f"{GUEST} public\n{TYPO}", [], [(FAILURE, [])]),
        (TYPO, ["203.0.113.30"], [(FAILURE, ["203.0.113.30"])]),
        (f"{GUEST} public\n{TYPO}", [GUEST, "203.0.113.30"], [(FAILURE, ["203.0.113.30"])]),
        (f"{GUEST} public x\n203.0.113.11 public", ["203.0.113.11"], []),
        (f"{GUEST} public x\n203.0.113.11 public", [], [(FAILURE, [GUEST])]),
        (f"{GUEST} public x\n{TYPO}", [GUEST], [(FAILURE, [GUEST]), (WARNING, [])]),
        ("203.0.113.16/29 public x", ["203.0.113.17"], [(FAILURE, ["203.0.113.17"])]),
        (f"{GUEST} public x", [f"{GUEST}:443"], [(WARNING, [GUEST])]),
        (f"{GUEST} public x", [f"{GUEST}:443", GUEST], [(FAILURE, [GUEST])]),
        (f"{GUEST} public x", [f"{GUEST}:80"], [(FAILURE, [f"{GUEST}:80"])]),
    ],
)
def test_a_wrong_line_is_the_cause_only_of_what_may_be_meant_by_it(
    lines: str, wanted: list[str], said: list[tuple[str, list[str]]]
) -> None:
    files = configuration(lines)
    forwards, _ = parse_forwarded_ports([("forwarded-ports", f"{GUEST}:443 public guest=web1".encode())])
    asked = asked_about(wanted)
    _, _, lost = asked_for(files.routed_ips, forwards, asked)
    found = mistakes(files.problems, asked, lost)
    assert [(finding.verdict, finding.addresses) for finding in found] == said


def test_without_its_binding_libvirt_is_not_to_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(live, "import_module", missing)
    monkeypatch.setattr(live, "_installation", lambda: "apt install python3-libvirt")
    monkeypatch.setattr(files_station, "files", lambda _: (configuration(f"{GUEST} public"), []))
    monkeypatch.setattr(programs, "tools", lambda _: iter(()))
    monkeypatch.setattr(installation, "hook", lambda _: iter(()))
    (failure,) = walk.diagnose([], "routed-ips").failures
    assert failure.command == "apt install python3-libvirt"
    assert failure.text.endswith("install it with `apt install python3-libvirt`")


PUBLIC = Network("public", "lo", "nat", Ports([Port("", "52:54:00:00:00:09", "other")], all_known=True))
NIC = ("public", "52:54:00:00:00:01")
OFF, ON = LiveGuest([NIC], is_running=False), LiveGuest([NIC], is_running=True)


@pytest.mark.parametrize(
    ("guests", "text", "mends"),
    [
        ({"web1": OFF}, "guest web1, to which it is bound, is not plugged into network public", "virsh start web1"),
        (
            {"web1": LiveGuest([NIC, NIC], is_running=False)},
            "guest web1, to which it is bound, is not plugged",
            "virsh start web1",
        ),
        (
            {"web1": ON},
            "guest web1, to which it is bound, is not plugged",
            "systemctl restart virtqemud.service",
        ),
        (
            {"web1": LiveGuest([("inner", "x")], is_running=True)},
            ":1:21: guest web1 has no NIC on network public",
            "it has NICs on: inner",
        ),
        ({"wbe1": ON}, ":1:21: libvirt has no guest web1", "did you mean wbe1?"),
        ({"mail": ON}, ":1:21: libvirt has no guest web1", "choose from: mail"),
        (None, "guest web1, to which it is bound, is not plugged", "or write another guest at "),
    ],
)
def test_why_a_bound_guest_is_not_there(
    monkeypatch: pytest.MonkeyPatch, guests: dict[str, LiveGuest] | None, text: str, mends: str
) -> None:
    monkeypatch.setattr(daemon, "of_guests", lambda _: "virtqemud.service")
    (line,) = routed(f"{GUEST} public guest=web1")
    (found,) = plugged(host_with(guests=guests), Target(line, GUEST, is_exact=True))
    assert (found.verdict, found.addresses) == (FAILURE, [GUEST])
    assert text in found.text
    assert mends in (found.command or found.advice)


def host_with(network: Network = PUBLIC, **facts: Any) -> Facts:
    """Facts about a host with this network and without devices, but for what is given."""
    host = Facts(configuration(""), {network.name: LiveNetwork(network, is_active=True)}, edge.Host(1))
    vars(host).update({"guests": {}, "details": Details(), "devices": {}, **facts})
    return host


TAP = Tap("vnet0", "public", "virbr1", "52:54:00:00:00:01", is_linked=True, is_isolated=False, is_plain=True)
UNKNOWN_TAP = TAP._replace(mac="52:54:00:00:00:07")
MEMBER = {"master": "virbr1", "flags": ["UP"]}
OUTSIDE_OF_IT = {"flags": ["UP"]}
RUNNING = GuestDetails("", is_libvirts_pause=False, starts_at_boot=True, taps=[TAP])
RESTART = "systemctl restart libvirtd.service"


@pytest.mark.parametrize(
    "case",
    [
        (RUNNING, OUTSIDE_OF_IT, {}, "NIC vnet0 of web 1 is not in bridge virbr1", "ip link set vnet0 master virbr1"),
        (RUNNING._replace(taps=[UNKNOWN_TAP]), OUTSIDE_OF_IT, {}, "not in bridge", RESTART),
        (RUNNING._replace(taps=[TAP._replace(is_plain=False)]), OUTSIDE_OF_IT, {}, "not in bridge", RESTART),
        (RUNNING, OUTSIDE_OF_IT, {"particular": frozenset({"public"})}, "not in bridge", RESTART),
        (RUNNING, {"master": "virbr1", "flags": []}, {}, "NIC vnet0 of web 1 is down", "ip link set vnet0 up"),
        (
            RUNNING._replace(taps=[TAP._replace(is_linked=False)]),
            MEMBER,
            {},
            "has no link",
            "virsh domif-setlink 'web 1' vnet0 up",
        ),
        (RUNNING._replace(state=PAUSED), MEMBER, {}, "guest web 1 is paused", "virsh resume 'web 1'"),
        (RUNNING._replace(state=ASLEEP), MEMBER, {}, "guest web 1 is asleep", ""),
        (RUNNING._replace(state=CRASHED), MEMBER, {}, "guest web 1 has crashed", ""),
        (RUNNING._replace(state=PAUSED, is_libvirts_pause=True), MEMBER, {}, "is paused while libvirt saves", ""),
        (RUNNING, MEMBER, {}, "", ""),
    ],
)
@pytest.mark.parametrize("is_bound", [False, True])
def test_why_a_running_guest_cannot_answer(monkeypatch: pytest.MonkeyPatch, case: Any, is_bound: bool) -> None:
    guest, device, details, text, repair = case
    monkeypatch.setattr(daemon, "of_guests", lambda _: "libvirtd.service")
    (line,) = routed(f"{GUEST} public")
    line.guest = "web 1" if is_bound else None
    ports = Ports([Port("", TAP.mac, "web 1")], all_known=True)
    host = host_with(
        Network("public", "virbr1", "nat", ports),
        details=Details({"web 1": guest}, **details),
        devices={"vnet0": device},
    )
    target = Target(line, GUEST, is_exact=True)
    target.bridge = "virbr1"
    found = [finding for finding in plugged(host, target) if finding.verdict != OK]
    assert [(finding.verdict, finding.command) for finding in found] == ([(FAILURE, repair)] if text else [])
    assert all(text in finding.text for finding in found)


def test_who_cannot_answer_is_said_once_for_all() -> None:
    troubles = [Trouble(f"vnet{number} of web{number}", "is down", "repair") for number in (1, 2, 3, 4, 5, 5)]
    (one,) = plugged_station.findings(troubles[:1], FAILURE, [GUEST])
    (all_of_them,) = plugged_station.findings(troubles, FAILURE, [GUEST], "; really")
    assert one.text == "NIC vnet1 of web1 is down"
    assert all_of_them.text.endswith("vnet3 of web3, vnet4 of web4 and 1 more: each is down; really")


@pytest.mark.parametrize(
    ("off", "command", "advice"),
    [
        ([], "", "start the guest that has the address"),
        (["web1"], "virsh start web1", ""),
        (["web1", "web2"], "", "start the guest that has the address: web1, web2"),
    ],
)
def test_a_network_without_guests(off: list[str], command: str, advice: str) -> None:
    (line,) = routed(f"{GUEST} public")
    target = Target(line, GUEST, is_exact=True)
    target.bridge = "virbr1"
    (found,) = plugged(host_with(guests=dict.fromkeys(off, OFF)), target)
    assert (found.verdict, found.command, found.advice) == (FAILURE, command, advice)


NFTABLES, IPTABLES = LibvirtNftablesGate(4, 0x40), IptablesGate("iptables-nft", 0x40)
OURS, THEIRS = Rule("1", "nethook-0x40", blocks=False), Rule("2", "", blocks=True)


@pytest.mark.parametrize(
    ("gate", "rules", "theirs"),
    [
        (NFTABLES, [OURS, THEIRS], True),
        (NFTABLES, [OURS], False),
        (NFTABLES, [], False),
        (IPTABLES, [Rule("-j LIBVIRT_FWX", "", blocks=True)], True),
        (IPTABLES, [OURS, Rule("-j DOCKER-USER", "", blocks=False)], False),
    ],
)
def test_whose_rules_are_libvirts(gate: Gate, rules: list[Rule], theirs: bool) -> None:
    assert is_libvirts(gate, Chain(rules, policy_blocks=False)) == theirs
