"""The pure parts of the doctor: what rules of others do to a packet, what is looked at, and what is said."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import pytest

import nethook.host as edge
from nethook.commands import doctor
from nethook.commands.doctor import doctor_text
from nethook.doctor import configuration as files_station
from nethook.doctor import installation, programs, walk
from nethook.doctor.configuration import mistakes
from nethook.doctor.facts import Facts, Target, set_sysctl, targets
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding, merged
from nethook.doctor.firewalls import sees_mark
from nethook.doctor.iptables_judge import Ruling, parse
from nethook.doctor.iptables_judge import judge as judge_iptables
from nethook.doctor.kernel_settings import manages_foreign_routes
from nethook.doctor.networks import is_libvirts, ports
from nethook.doctor.nft_chains import BaseChain
from nethook.doctor.nft_judge import Judge, Judgement, Packet
from nethook.doctor.routing import deletion, rule_text
from nethook.doctor.walk import Diagnosis
from nethook.errors import NethookError, ReadError
from nethook.gates.gate import Chain, Gate, Rule
from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.libvirt import Network, Port, Ports, live
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


@pytest.mark.parametrize(
    "condition",
    [HTTP, {"limit": {"rate": 5}}, {"xt": None}, match(meta("mark"), 0x40), match(field("daddr"), "x", "<")],
)
def test_what_nobody_can_tell_is_no_failure(condition: dict[str, Any]) -> None:
    outcome = judge([condition, DROP])
    assert (outcome.blocked, outcome.may_block and outcome.may_block["handle"]) == (False, 1)


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
        ("-m set --match-set bad src -j DROP", None),
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
            Ruling(None, "-d 203.0.113.10/32 -j DROP"),
        ),
        ("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-P FORWARD DROP", Ruling(True)),
        ("-A FORWARD -m conntrack --ctstate NEW -j ACCEPT\n-P FORWARD DROP", Ruling(False)),
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


def diagnosis(*findings: Finding) -> Diagnosis:
    found = Diagnosis()
    found.addresses = ["203.0.113.10", "203.0.113.11"]
    found.findings = merged(findings)
    return found


def text(found: Diagnosis, *, verbose: bool = False) -> list[str]:
    return doctor_text(found, io.StringIO(), verbose=verbose).splitlines()


def test_failures_come_first_and_the_same_of_several_addresses_once() -> None:
    found = diagnosis(
        Finding(OK, "tools", "nft"),
        Finding(WARNING, "boot", "not at boot", command="enable it"),
        *(Finding(FAILURE, "route", "gone", command="c", addresses=[address]) for address in ("203.0.113.10", "x")),
    )
    assert text(found) == [
        "failure: 203.0.113.10, x: route: gone",
        "    # c",
        "warning: boot: not at boot",
        "    # enable it",
        "",
        "1 of 2 addresses healthy; 1 failure, 1 warning",
    ]
    assert "ok: tools: nft" in text(found, verbose=True)


def test_a_failure_of_the_host_leaves_nothing_healthy() -> None:
    assert text(diagnosis())[-1] == "2 addresses healthy; 0 warnings"
    assert text(diagnosis(Finding(FAILURE, "gate", "missing")))[-1] == "0 of 2 addresses healthy; 1 failure, 0 warnings"
    stopped = diagnosis()
    stopped.stopped_by = "nft does not answer"
    assert stopped.healthy == []


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
    assert doctor.run(Namespace(addresses=["203.0.113.10"], json=True, verbose=False)) == status
    printed = capsys.readouterr()
    assert [each["verdict"] for each in json.loads(printed.out)["findings"]] == [each.verdict for each in findings]
    assert ("the rest was not examined: nft does not answer" in printed.err) == fails


def test_what_is_no_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "require_root", lambda _: None)
    with pytest.raises(NethookError, match="not an IP address: web1"):
        doctor.run(Namespace(addresses=["web1"], json=False, verbose=False))
    with pytest.raises(NethookError, match=r"boundary: write 203.0.113.8/29 for the block, 203.0.113.10 for"):
        doctor.run(Namespace(addresses=["203.0.113.10/29"], json=False, verbose=False))


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
    ],
)
def test_a_wrong_line_is_the_cause_only_of_what_may_be_meant_by_it(
    lines: str, wanted: list[str], said: list[tuple[str, list[str]]]
) -> None:
    files = configuration(lines)
    prefixes = [parse_prefix(text) for text in wanted]
    _, lost = targets(files.routed_ips, prefixes)
    found = mistakes(files.problems, prefixes, lost)
    assert [(finding.verdict, finding.addresses) for finding in found] == said


def test_a_line_that_names_no_address_makes_none_ill() -> None:
    found = diagnosis(Finding(FAILURE, "configuration", "routed-ips:2:1: 203.0.113.300 is not an IPv4 address"))
    assert found.healthy == found.addresses
    assert text(found)[-1] == "2 of 2 addresses healthy; 1 failure, 0 warnings"


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
            "start it; if it is running: systemctl restart libvirtd",
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
def test_why_a_bound_guest_is_not_there(guests: dict[str, LiveGuest] | None, text: str, mends: str) -> None:
    (line,) = routed(f"{GUEST} public guest=web1")
    host = Facts(configuration(""), {"public": LiveNetwork(PUBLIC, is_active=True)}, edge.Host(1))
    vars(host).update(guests=guests)
    target = Target(line, GUEST, is_exact=True)
    (found,) = ports(host, target)
    assert (found.verdict, found.addresses) == (FAILURE, [GUEST])
    assert text in found.text
    assert mends in (found.command or found.advice)


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
