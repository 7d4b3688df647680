"""The ways of packets, put together from what the kernel tells, what has become of them, and the text about it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from nethook.doctor.ip_answers import Answer
from nethook.doctor.nft_chains import BaseChain
from nethook.host.packet_choice import Choice
from nethook.host.trace_messages import ACCEPT, BY_POLICY, BY_RULE, CONTINUE, DROP, GOTO, JUMP, QUEUE, Told
from nethook.tracing.fate import ASTRAY, DROPPED, LOST, PASSED, QUEUED, REJECTED, Expected, Fate, Fates
from nethook.tracing.owners import owner, priority_text
from nethook.tracing.rows import Row, rows
from nethook.tracing.session import Found, Session
from nethook.tracing.subject import Subject
from nethook.tracing.text import ending_text, packet_text
from nethook.tracing.tried import IN_THE_GUEST, ONE_WAY, findings
from nethook.tracing.way import Way, Ways

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.tracing.way import Met, Station

OURS = "nethook-trace-1"
ADDRESS = "203.0.113.10"
NETWORK = bytes.fromhex("4500002ba583400040112effc6336401cb00710a")
ELSEWHERE = NETWORK[:16] + bytes([192, 0, 2, 11])
UDP = bytes.fromhex("a0cfb140001766686e6574686f6f6b2074657374")
OTHER = bytes.fromhex("a0cfb141001766686e6574686f6f6b2074657374")
UPLINK, BRIDGE, TAP = 2, 3, 4
DEVICES = {UPLINK: "uplink", BRIDGE: "virbr1", TAP: "vnet1", 9: "wg0"}


class FakeReading:
    """What would be read from the machine."""

    def __init__(self, rule: str = "", legacy: Sequence[str] = (), chain: BaseChain | None = None) -> None:
        self._rule = rule
        self._legacy = legacy
        self._chain = chain

    def rule(self, station: Station, met: Met) -> str:
        del station, met
        return self._rule

    def chain(self, station: Station) -> BaseChain | None:
        del station
        return self._chain

    def device(self, number: int) -> str:
        return DEVICES.get(number, "")

    @staticmethod
    def bridges() -> dict[int, str]:
        return {BRIDGE: "virbr1"}

    def legacy_tables(self) -> Sequence[str]:
        return self._legacy

    def route(self, family: int, question: str) -> Answer:
        del family, question
        return Answer([{"dev": "virbr1"}])

    def neighbour(self, family: int, address: str, device: str) -> str:
        del family, address, device
        return "REACHABLE"

    @staticmethod
    def mtu(device: str) -> int:
        del device
        return 40


def at(
    chain: str,
    *,
    table: str = OURS,
    family: str = "inet",
    kind: int = BY_POLICY,
    verdict: int = ACCEPT,
    handle: int = 0,
    target: str = "",
    network: bytes = NETWORK,
    transport: bytes = UDP,
    came: int = UPLINK,
    goes: int = 0,
    packet: int = 7,
    mark: int = 0,
) -> Told:
    return Told(packet, family, table, chain, kind, verdict, target, handle, network, transport, came, goes, mark)


def chosen(**more: object) -> Told:
    return at("prerouting-begin", kind=BY_RULE, verdict=CONTINUE, handle=3, **more)  # type: ignore[arg-type]


def to(hook: str, *, goes: int = BRIDGE, family: str = "inet", network: bytes = NETWORK) -> list[Told]:
    return [at(f"{hook}-{what}", goes=goes, family=family, network=network) for what in ("begin", "end")]


def put_together(*told: Told) -> list[Way]:
    """All ways in there."""
    ways = Ways(OURS, {ADDRESS})
    for each in told:
        ways.take(each, 1.0)
    return [*ways.ended(9.0)]


def fate(*told: Told, reading: FakeReading | None = None, bridge: str = "virbr1", rewritten: bool = False) -> Fate:
    (way,) = put_together(*told)
    return Fates(reading or FakeReading(), Expected(bridge, is_rewritten=rewritten)).of(way)  # type: ignore[arg-type]


CAME = (chosen(), at("prerouting-end"))


def test_a_packet_that_no_rule_of_ours_chose_is_nobody() -> None:
    assert put_together(at("FORWARD", table="filter", family="ip"), *to("forward")) == []


def test_a_number_that_is_used_again_is_another_packet() -> None:
    first, second = put_together(*CAME, *to("forward"), chosen(), at("prerouting-end"))
    assert [len(first.stations), len(second.stations)] == [4, 2]
    first, second = put_together(*CAME, chosen(transport=OTHER))
    assert (first.packet.destination_port, second.packet.destination_port) == (45376, 45377)


def test_ways_are_told_in_the_order_of_their_packets() -> None:
    """The second packet ends first, as its number is used again."""
    ways = Ways(OURS, {ADDRESS})
    ways.take(chosen(), 5.0)
    ways.take(chosen(packet=8, transport=OTHER), 5.0)
    ways.take(chosen(packet=8), 5.1)
    assert [*ways.ended(5.2)] == []
    assert [way.packet.destination_port for way in ways.ended(9.0)] == [45376, 45377, 45376]


def test_packets_come_mixed() -> None:
    told = [*CAME, *to("forward")]
    other = [each._replace(packet=8, transport=OTHER) for each in told]
    ways = put_together(*(each for pair in zip(told, other) for each in pair))
    assert [(way.packet.destination_port, len(way.stations)) for way in ways] == [(45376, 4), (45377, 4)]


def test_a_frame_of_a_guest_gets_another_number_at_the_router() -> None:
    back = NETWORK[:12] + NETWORK[16:] + NETWORK[12:16]
    frame = [chosen(family="bridge", network=back, came=TAP)]
    frame += [at(f"input-{what}", family="bridge", network=back, came=TAP) for what in ("begin", "end")]
    routed = chosen(network=back, came=BRIDGE, packet=99)
    (way,) = put_together(*frame, routed, at("prerouting-end", network=back, came=BRIDGE, packet=99))
    assert not way.is_to
    found = [(row.kind, row.text) for row in rows(way, FakeReading())]  # type: ignore[arg-type]
    assert found == [("in", "vnet1"), ("in", "virbr1")]


@pytest.mark.parametrize("number", [7, 99])
def test_a_packet_that_is_over_the_limit_at_the_router_goes_on(number: int) -> None:
    """With br_netfilter, it passes prerouting twice; at the second time, no rule of ours matches."""
    frame = [chosen(family="bridge", came=TAP), chosen(came=BRIDGE), at("prerouting-end", came=BRIDGE)]
    frame += [at(f"input-{what}", family="bridge", came=TAP) for what in ("begin", "end")]
    again = at("prerouting-begin", kind=BY_RULE, verdict=CONTINUE, came=BRIDGE, packet=number)
    routed = [each._replace(packet=number) for each in (*to("forward", goes=UPLINK), *to("postrouting", goes=UPLINK))]
    assert fate(*frame, again, *routed, bridge="") == Fate(PASSED, "sent by uplink")


def test_a_number_that_a_packet_of_others_uses_again_ends_the_way() -> None:
    (way,) = put_together(*CAME, at("prerouting-begin", transport=OTHER), *to("forward"))
    assert len(way.stations) == 2


def test_the_trace_of_somebody_else_is_left_out() -> None:
    other = at("prerouting-begin", table="nethook-trace-2", kind=BY_RULE, handle=5)
    (way,) = put_together(chosen(), other, other._replace(network=b""), at("prerouting-end"))
    assert [station.table for station in way.stations] == [OURS, OURS]


def test_ways_end_when_the_kernel_is_quiet() -> None:
    ways = Ways(OURS, {ADDRESS}, {BRIDGE})
    ways.take(chosen(), 5.0)
    assert [*ways.ended(5.3)] == []
    assert len([*ways.ended(5.5)]) == 1
    assert [*ways.ended(9.0)] == []


def test_a_neighbour_has_time_to_answer() -> None:
    ways = Ways(OURS, {ADDRESS}, {BRIDGE})
    for told in SENT:
        ways.take(told, 5.0)
    assert [*ways.ended(6.0)] == []
    assert ways.are_open
    assert len([*ways.ended(7.0)]) == 1


def test_at_the_end_no_way_begins_but_others_go_on() -> None:
    ways = Ways(OURS, {ADDRESS})
    ways.take(chosen(), 5.0)
    ways.close()
    ways.take(chosen(packet=8, transport=OTHER), 5.0)
    for told in to("forward"):
        ways.take(told, 5.0)
    (way,) = ways.ended(9.0)
    assert len(way.stations) == 3
    assert not ways.are_open


def test_what_is_cut_is_forgotten() -> None:
    ways = Ways(OURS, {ADDRESS})
    ways.take(chosen(), 5.0)
    ways.forget()
    assert [*ways.ended(9.0)] == []


JUMPS = (
    at("FORWARD", table="filter", family="ip", kind=BY_RULE, verdict=JUMP, target="LIBVIRT_FWX", handle=1, goes=BRIDGE),
    at("FORWARD", table="filter", family="ip", kind=BY_RULE, verdict=JUMP, target="LIBVIRT_FWI", handle=2, network=b""),
    at("LIBVIRT_FWI", table="filter", family="ip", kind=BY_RULE, verdict=DROP, handle=9, network=b""),
)


def test_the_chains_that_a_packet_jumped_to() -> None:
    (way,) = put_together(*CAME, at("forward-begin", goes=BRIDGE), *JUMPS)
    assert way.stopped is way.stations[-1]
    assert way.stations[-1].path == ["FORWARD", "LIBVIRT_FWI"]
    (way,) = put_together(*CAME, *(each._replace(verdict=GOTO) if each.verdict == JUMP else each for each in JUMPS))
    assert way.stations[-1].path == ["FORWARD", "LIBVIRT_FWI"]


CHAIN = BaseChain("ip", "filter", "FORWARD", "forward", 0, "accept")


def test_a_rule_that_stops() -> None:
    told = (*CAME, at("forward-begin", goes=BRIDGE), *JUMPS)
    where = "chain ip filter FORWARD → LIBVIRT_FWI, of libvirt"
    assert fate(*told) == Fate(DROPPED, f"dropped by a rule in {where}")
    rule = "-A LIBVIRT_FWI -o virbr1 -j REJECT"
    assert fate(*told, reading=FakeReading(rule, chain=CHAIN)) == Fate(
        REJECTED, f"rejected by a rule in {where}, at the hook forward", rule
    )
    queued = told[-1]._replace(verdict=QUEUE)
    assert fate(*told[:-1], queued).kind == QUEUED
    assert fate(*told, reading=FakeReading('drop comment "reject it"')).kind == DROPPED


def test_a_guest_that_answers_by_another_network() -> None:
    """The drop alone does not help: the reader needs the guest's wrong route."""
    told = (chosen(came=BRIDGE), at("prerouting-end", came=BRIDGE), at("forward", came=BRIDGE, verdict=DROP))
    (way,) = put_together(*told)
    way.is_to = False
    source = way.packet.source
    reading: Any = FakeReading()

    def advice(bridge: str, *, is_rewritten: bool = False) -> str:
        return Fates(reading, Expected(bridge, is_rewritten=is_rewritten)).of(way).advice

    why = f"it came by virbr1, but {source} is routed to br-other: correct the default route in the guest"
    assert advice("br-other") == f"{why}; nethook guest-config {source} prints it"
    assert [advice("virbr1"), advice(""), advice("br-other", is_rewritten=True)] == ["", "", ""]
    way.is_to = True
    assert advice("br-other") == ""


def test_a_policy_that_stops() -> None:
    policy = at("f", table="fw", verdict=DROP, goes=BRIDGE)
    found = fate(*CAME, at("forward-begin", goes=BRIDGE), policy)
    assert found == Fate(DROPPED, "dropped by the policy of chain inet fw f, of an administrator")


def test_packets_that_vanish() -> None:
    begin = at("forward-begin", goes=BRIDGE)
    assert fate(*CAME, begin).text.startswith("lost within the hook forward: no rule of nftables")
    legacy = fate(*CAME, begin, reading=FakeReading(legacy=["iptables-legacy (filter)"]))
    assert "rules of iptables-legacy (filter), which are not traced" in legacy.text
    assert fate(*CAME, *to("forward")).text.startswith("lost between the hooks forward and postrouting")
    assert fate(chosen()).text.startswith("lost within the hook prerouting")
    assert fate(*CAME, at("input-begin")).text.startswith("lost within the hook input")
    assert fate(chosen(family="bridge", came=TAP)).text.startswith("lost on the bridge: it came in by vnet1")
    ended = NETWORK[:8] + b"\1" + NETWORK[9:]
    assert fate(chosen(network=ended), at("prerouting-end", network=ended)).text.endswith("its TTL has ended here")
    assert fate(*CAME).kind == LOST


SENT = (*CAME, *to("forward"), *to("postrouting"))


def test_packets_that_get_there() -> None:
    assert fate(*SENT) == Fate(PASSED, "sent by virbr1")
    bridged = [*to("output", family="bridge", goes=TAP), *to("postrouting", family="bridge", goes=TAP)]
    assert fate(*SENT, *bridged) == Fate(PASSED, "sent by virbr1 to the port vnet1")
    assert fate(*SENT, *bridged[:-1]).text.startswith("lost on the bridge, on its way to vnet1")


def test_packets_that_get_somewhere_else() -> None:
    astray = fate(*CAME, *to("forward", goes=9), *to("postrouting", goes=9))
    assert (astray.kind, astray.text) == (ASTRAY, "sent by wg0, and not by virbr1, where the guest is")
    assert fate(*CAME, *to("forward", goes=9), *to("postrouting", goes=9), bridge="").kind == PASSED
    nat = at("PREROUTING", table="nat", family="ip", kind=BY_RULE, verdict=ACCEPT, handle=4)
    told = (chosen(), nat, *to("forward", network=ELSEWHERE), *to("postrouting", network=ELSEWHERE))
    rewritten = fate(*told, reading=FakeReading("-j DNAT"))
    where = "NAT has rewritten 203.0.113.10 in chain ip nat PREROUTING, of iptables"
    assert rewritten == Fate(ASTRAY, f"sent by virbr1, but to 192.0.2.11: {where}", "-j DNAT")
    assert fate(*told, rewritten=True).kind == PASSED
    host = fate(*CAME, at("input-begin"), at("input-end"))
    assert (host.kind, host.text) == (ASTRAY, f"delivered to this host itself, as if {ADDRESS} were its own")


@pytest.mark.parametrize(
    ("family", "table", "path", "rule", "who"),
    [
        ("inet", "nethook", ["forward"], "", "nethook"),
        ("ip", "libvirt_network", ["forward", "guest_input"], "", "libvirt"),
        ("ip", "libvirt_network", ["forward"], 'accept comment "nethook-0x10000000"', "nethook"),
        ("ip", "filter", ["FORWARD"], "-A FORWARD -m comment --comment nethook-0x1 -j ACCEPT", "nethook"),
        ("ip", "filter", ["FORWARD", "LIBVIRT_FWI"], "", "libvirt"),
        ("ip6", "filter", ["FORWARD", "DOCKER-USER"], "", "administrator"),
        ("ip", "filter", ["FORWARD", "DOCKER-FORWARD", "DOCKER"], "", "Docker"),
        ("ip", "filter", ["FORWARD", "ufw-before-forward", "mine"], "", "ufw"),
        ("ip", "nat", ["POSTROUTING"], "", "iptables"),
        ("inet", "filter", ["forward"], "", "administrator"),
        ("ip", "filter", ["forward"], "", "administrator"),
        ("inet", "firewalld", ["filter_FORWARD", "filter_FWD_public"], "", "firewalld"),
        ("inet", "nethooks", ["forward"], "", "administrator"),
    ],
)
def test_whose_a_chain_is(family: str, table: str, path: list[str], rule: str, who: str) -> None:
    assert owner(family, table, path, rule) == who


@pytest.mark.parametrize(
    ("family", "priority", "text"),
    [
        ("inet", 0, "filter"),
        ("inet", -10, "filter - 10"),
        ("ip", 20, "filter + 20"),
        ("ip", -110, "dstnat - 10"),
        ("ip", 21, "21"),
        ("bridge", -200, "filter"),
        ("inet", -1000, "-1000"),
    ],
)
def test_priorities(family: str, priority: int, text: str) -> None:
    assert priority_text(family, priority) == text


class Ended:
    """A trace that has ended with these packets."""

    is_good = Session.is_good
    is_one_way = Session.is_one_way
    is_full = False

    def __init__(self, *found: Found) -> None:
        self.found = [*found]
        self.packets = len(found)


def ended(*kinds: tuple[str, bool, int]) -> Ended:
    """A trace with a packet for each of these: its fate, whether it is to the guest, and the device it came from."""
    found = []
    for kind, is_to, device in kinds:
        (way,) = put_together(chosen(came=device))
        way.is_to = is_to
        found.append(Found(way, Fate(kind, f"{kind} by x", "a rule" * (kind == DROPPED), "look"), []))
    return Ended(*found)


ABOUT = Subject(
    ADDRESS, [Choice(4, 1, True), Choice(4, 1, False)], {ADDRESS}, Expected("", is_rewritten=False), ADDRESS, [ADDRESS]
)


@pytest.mark.parametrize(
    ("found", "verdicts", "text"),
    [
        ([(PASSED, True, UPLINK), (PASSED, False, TAP)], ["ok", "ok"], "2 packets seen: nothing was lost"),
        ([(PASSED, True, UPLINK)], ["ok", "warning"], f"1 packet seen: {ONE_WAY}; {IN_THE_GUEST}"),
        ([(PASSED, True, 0), (PASSED, False, TAP)], ["ok", "ok", "warning"], "2 packets seen: nothing was lost"),
        ([(DROPPED, True, UPLINK)], ["failure"], "1 packet seen: 1 did not get where it should"),
        ([], ["warning"], f"no packet of {ADDRESS} was seen by this host"),
    ],
)
def test_what_was_tried(found: list[tuple[str, bool, int]], verdicts: list[str], text: str) -> None:
    session: Any = ended(*found)
    made = [*findings(session, [ADDRESS])]
    assert [finding.verdict for finding in made] == verdicts
    assert all(finding.addresses == [ADDRESS] and finding.station == "trace" for finding in made)
    assert ending_text(session, ABOUT) == text
    if "failure" in verdicts:
        assert made[0].text == "UDP 198.51.100.1:41167 → 203.0.113.10:45376 was dropped by x: a rule"
        assert made[0].advice == "look"


def test_a_packet_that_was_not_sent_was_not_tried() -> None:
    session: Any = ended()
    (sent,) = findings(session, [ADDRESS])
    (not_sent,) = findings(session, [ADDRESS], "nothing was sent to the guest of x, because nobody knows where it is")
    assert sent.text.endswith(", so only a packet of this host to the guest was tried")
    assert not_sent.text.endswith(", and nothing was sent to the guest of x, because nobody knows where it is")


def test_packets_with_the_same_fate_are_one_finding() -> None:
    session: Any = ended(
        (DROPPED, True, UPLINK), (DROPPED, True, UPLINK), (PASSED, True, UPLINK), (DROPPED, True, UPLINK)
    )
    lost, passed, *_ = findings(session, [ADDRESS])
    assert " (and 2 more of this kind) was dropped by x" in lost.text
    assert "more" not in passed.text


def test_the_text_fits_a_terminal() -> None:
    (way,) = put_together(*CAME)
    chain = Row("chain", "by rule", "drop", "forward", "filter", "inet fw f", "administrator", "tcp dport 8080 " * 8)
    found = Found(way, Fate(DROPPED, "dropped " * 20, "tcp dport 8080 " * 8), [Row("in", "uplink"), chain])
    lines = packet_text(1, found, 80).split("\n")
    assert max(map(len, lines)) <= 80
    assert lines[-1].endswith("…")
    assert packet_text(1, found, None).count("…") == 0
    assert "\033[31m" in packet_text(1, found, 80, coloured=True)
    assert io.StringIO(packet_text(1, found, None)).readline().startswith("1. to the guest: UDP 198.51.100.1:41167")
