"""``nethook trace`` with real packets, on each of libvirt's firewalls: where they end, and by which rule."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from lab.waiting import wait_for
from lab.world.world import OUTSIDE, UPLINK
from tests.kernel.traced import (
    ADDRESS,
    ELSEWHERE,
    LISTENING,
    LISTENING_PORT,
    PORT,
    SECOND_PORT,
    Trace,
    Traced,
    chains,
    rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.world import World

ONLY_TO = "--to-guest"


@pytest.fixture
def traced(world: World) -> Iterator[Traced]:
    made = Traced(world)
    yield made
    made.close()


@pytest.fixture
def plain(nftables_world: World) -> Iterator[Traced]:
    made = Traced(nftables_world)
    yield made
    made.close()


@pytest.mark.parametrize("family", [4, 6])
def test_an_accepted_connection_in_both_directions(traced: Traced, family: int) -> None:
    address = ADDRESS[family]
    status, (there, back) = traced.trace(address, traffic=lambda: traced.ask(address), count=2)
    assert status == 0
    assert (there["direction"], there["packet"], there["fate"]) == ("to guest", "TCP SYN", "passed")
    assert there["text"] == f"sent by virbr1 to the port {traced.guest.tap}"
    assert rows(there, "in") == [UPLINK]
    assert rows(there, "route") == ["to virbr1"]
    assert rows(there, "out") == [traced.guest.tap]
    assert "inet nethook forward" in chains(there)
    assert (back["direction"], back["packet"], back["fate"]) == ("from guest", "TCP SYN-ACK", "passed")
    assert back["text"] == f"sent by {UPLINK}"
    assert rows(back, "in") == [traced.guest.tap, "virbr1"]
    assert traced.tables() == []


def test_what_the_gate_lets_pass_is_said_to_be_ours(traced: Traced) -> None:
    _, (packet,) = traced.trace(ADDRESS[4], ONLY_TO, traffic=lambda: traced.ask(ADDRESS[4]))
    gates = [row for row in packet["way"] if row["rule"] and "nethook-0x" in row["rule"]]
    is_traced = traced.sh("cat /proc/net/ip_tables_names 2>/dev/null || :") == ""
    assert [gate["owner"] for gate in gates] == ["nethook"] * is_traced
    assert all(gate["verdict"] == "accept" and gate["hook"] == "forward" for gate in gates)


def test_rejected_by_libvirt_when_the_gate_is_closed(traced: Traced) -> None:
    """Our table is gone, so that no packet has the mark."""
    traced.sh("nft delete table inet nethook")
    status, (packet,) = traced.trace(ADDRESS[4], ONLY_TO, traffic=lambda: traced.ask(ADDRESS[4]))
    assert status == 1
    if "ip_tables" in packet["text"] or "iptables-legacy" in packet["text"]:
        assert packet["fate"] == "lost"
        assert "are not traced" in packet["text"]
        return
    assert packet["fate"] == "rejected"
    assert "of libvirt, at the hook forward" in packet["text"]
    assert packet["way"][-1]["owner"] == "libvirt"
    assert packet["way"][-1]["rule"] == packet["rule"]
    assert "virbr1" in packet["rule"]
    assert "guest_input" in packet["text"] or "LIBVIRT_FWI" in packet["text"]


def test_rejected_by_a_chain_of_an_administrator(traced: Traced) -> None:
    traced.world.machine.nft(
        "add table inet fw",
        "add chain inet fw forward { type filter hook forward priority filter - 5; }",
        "add chain inet fw web",
        f"add rule inet fw forward ip daddr {ADDRESS[4]} jump web",
        f"add rule inet fw web tcp dport {PORT} reject with tcp reset",
    )
    status, (packet,) = traced.trace(ADDRESS[4], ONLY_TO, traffic=lambda: traced.send(ADDRESS[4]))
    assert (status, packet["fate"]) == (1, "rejected")
    where = "chain inet fw forward → web, of an administrator, at the hook forward"
    assert packet["text"] == f"rejected by a rule in {where}"
    assert packet["rule"] == f"tcp dport {PORT} reject with tcp reset"
    assert packet["way"][-1]["priority"] == "filter - 5"


def test_dropped_by_a_policy(plain: Traced) -> None:
    plain.world.machine.nft(
        "add table ip6 fw",
        "add chain ip6 fw f { type filter hook forward priority 3; policy drop; }",
        f"add rule ip6 fw f tcp dport {PORT} accept",
    )
    status, found = plain.trace(
        ADDRESS[6], ONLY_TO, traffic=lambda: plain.send_to_ports(ADDRESS[6], PORT, SECOND_PORT), count=2
    )
    assert status == 1
    assert [packet["fate"] for packet in found] == ["passed", "dropped"]
    assert found[1]["text"] == "dropped by the policy of chain ip6 fw f, of an administrator, at the hook forward"
    assert found[1]["rule"] is None


def test_a_forwarded_port_is_rewritten(traced: Traced) -> None:
    listening = f"{LISTENING}:{LISTENING_PORT}"
    target = f"{traced.db.private(4).address}:{SECOND_PORT}"
    status, (there, back) = traced.trace(listening, traffic=lambda: traced.ask(LISTENING, LISTENING_PORT), count=2)
    assert (status, there["fate"], back["fate"]) == (0, "passed", "passed")
    assert rows(there, "rewritten") == [f"destination {listening} → {target}"]
    assert (there["destination"], there["destination_port"]) == (LISTENING, LISTENING_PORT)
    assert rows(there, "out") == [traced.db.tap]
    assert f"{back['source']}:{back['source_port']}" == target
    assert back["direction"] == "from guest"


def test_nat_of_others_leads_astray(traced: Traced) -> None:
    tool = "iptables-nft"
    traced.sh(
        f"{tool} -t nat -I PREROUTING -i {UPLINK} -p tcp -d {ADDRESS[4]} -j DNAT --to {traced.db.private(4).address}"
    )
    status, (packet,) = traced.trace(ADDRESS[4], ONLY_TO, traffic=lambda: traced.send(ADDRESS[4]))
    assert (status, packet["fate"]) in {(1, "astray"), (1, "rejected"), (1, "lost")}
    assert rows(packet, "rewritten") == [f"destination {ADDRESS[4]}:{PORT} → {traced.db.private(4).address}:{PORT}"]
    (rewriting,) = [row for row in packet["way"] if row["chain"] == "ip nat PREROUTING"]
    assert rewriting["owner"] == "iptables"
    assert rewriting["rule"].startswith("-A PREROUTING -d 203.0.113.10/32 -i uplink -p tcp -j DNAT")


def test_a_source_that_nat_rewrites(plain: Traced) -> None:
    """The guest's own connections leave with the address of the host."""
    plain.sh(f"iptables-nft -t nat -A POSTROUTING -o {UPLINK} -j MASQUERADE")
    outside = OUTSIDE[4]
    namespace = plain.guest.namespace
    status, (packet,) = plain.trace(
        ADDRESS[4],
        "--from-guest",
        traffic=lambda: plain.ask_from(namespace, outside, 9, protocol="udp", source=ADDRESS[4]),
    )
    assert (status, packet["fate"]) == (1, "astray")
    what = (
        "sent by uplink, but as 198.51.100.2: NAT has rewritten 203.0.113.10 in chain ip nat POSTROUTING, of iptables"
    )
    assert packet["text"].startswith(what)
    assert packet["rule"] == f"-A POSTROUTING -o {UPLINK} -j MASQUERADE"


def test_routed_away_by_a_policy_rule(traced: Traced) -> None:
    traced.add_uplink("wg0")
    traced.sh(f"ip rule add to {ADDRESS[4]} lookup 77 priority 100; ip route add default dev wg0 table 77")
    status, (packet,) = traced.trace(ADDRESS[4], ONLY_TO, traffic=lambda: traced.send(ADDRESS[4], protocol="udp"))
    assert (status, packet["fate"]) == (1, "astray")
    assert packet["text"] == "sent by wg0, and not by virbr1, where the guest is"
    assert rows(packet, "route") == ["to wg0"]


def test_answers_that_leave_by_another_device(plain: Traced) -> None:
    """A tunnel for all that the host sends, as wg-quick makes it: case C4."""
    plain.add_uplink("wg0")
    plain.sh(f"ip rule add from {ADDRESS[4]} lookup 77 priority 100; ip route add default dev wg0 table 77")
    status, (there, back) = plain.trace(ADDRESS[4], traffic=lambda: plain.send(ADDRESS[4]), count=2)
    assert (status, there["fate"], back["text"]) == (0, "passed", "sent by wg0")
    assert back["advice"] == (f"what it answers came in by {UPLINK}: many providers drop answers that leave by wg0")


@pytest.mark.parametrize("family", [4, 6])
def test_lost_in_routing(plain: Traced, family: int) -> None:
    """A fallback of somebody, and forwarding that is off."""
    address = ADDRESS[family]
    text = "lost in routing: seen in prerouting, never in forward or input: "
    plain.sh(
        f"ip route add unreachable {address} table 77; ip rule add to {address} lookup 77 priority 100".replace(
            "ip ", f"ip -{family} "
        )
    )
    status, (packet,) = plain.trace(address, ONLY_TO, traffic=lambda: plain.send(address))
    assert (status, packet["fate"]) == (1, "lost")
    assert packet["text"] == f"{text}unreachable"
    assert packet["advice"].startswith(f"see: ip route get {address} from {OUTSIDE[family]} iif {UPLINK}")
    plain.sh(f"ip -{family} rule delete priority 100")
    for scope in ("all", UPLINK):
        plain.world.host.sysctl(f"ipv{family}/conf/{scope}/forwarding", 0)
    status, (packet,) = plain.trace(address, ONLY_TO, traffic=lambda: plain.send(address))
    assert (status, packet["text"]) == (1, f"{text}this host does not forward IPv{family}")


def test_dropped_by_the_reverse_path_filter(plain: Traced) -> None:
    plain.add_uplink("wg0")
    outside = plain.world.outside(4).namespace
    outside.ip(f"address add {ELSEWHERE}/32 dev eth0")
    plain.ask(ADDRESS[4])  # the other side knows the host's MAC address from now on
    plain.sh(f"ip route add {ELSEWHERE} dev wg0; sysctl -qw net.ipv4.conf.{UPLINK}.rp_filter=1")
    status, (packet,) = plain.trace(
        ADDRESS[4], ONLY_TO, traffic=lambda: plain.send(ADDRESS[4], protocol="udp", source=ELSEWHERE)
    )
    assert (status, packet["fate"]) == (1, "lost")
    assert f"dropped by the reverse path filter of {UPLINK}, as the way back to {ELSEWHERE} is wg0" in packet["text"]


def test_nobody_has_the_address(plain: Traced) -> None:
    plain.guest.namespace.ip(f"address delete {ADDRESS[4]}/32 dev eth0")
    plain.sh("ip neigh flush dev virbr1")
    status, (packet,) = plain.trace(ADDRESS[4], ONLY_TO, traffic=lambda: plain.send(ADDRESS[4], protocol="udp"))
    assert (status, packet["fate"]) == (1, "unanswered")
    assert packet["text"] == f"not delivered: nobody on virbr1 answers ARP for {ADDRESS[4]}"


def test_a_guest_that_forges_is_stopped_on_its_bridge(plain: Traced) -> None:
    """A chain for bridges is traced as well."""
    plain.world.machine.nft(
        "add table bridge fw",
        "add chain bridge fw p { type filter hook prerouting priority 0; }",
        f'add rule bridge fw p iifname "{plain.guest.tap}" ip saddr {ADDRESS[4]} drop',
    )
    status, (packet,) = plain.trace(ADDRESS[4], "--from-guest", traffic=lambda: plain.ask(ADDRESS[4]))
    assert (status, packet["fate"]) == (1, "dropped")
    assert packet["text"] == "dropped by a rule in chain bridge fw p, of an administrator, at the hook prerouting"


def test_a_probe_goes_to_the_guest_and_ends_by_itself(plain: Traced) -> None:
    for word, kind in ((ADDRESS[4], "ICMP echo request"), (ADDRESS[6], "ICMPv6 echo request")):
        status, (there, back) = plain.trace(word, "--probe", traffic=list, count=2)
        assert (status, there["packet"], there["fate"]) == (0, kind, "passed")
        assert rows(there, "in") == ["this host"]
        assert rows(there, "out") == [plain.guest.tap]
        assert back["text"].startswith("delivered to this host itself")
    listening = f"{LISTENING}:{LISTENING_PORT}"
    status, (there, *_) = plain.trace(listening, "--probe", traffic=list, count=1)
    assert (status, there["fate"], there["destination_port"]) == (0, "passed", SECOND_PORT)
    status, (there, *_) = plain.trace(f"{LISTENING}:53", "--probe", traffic=list, count=1)
    assert (status, there["packet"], there["destination"]) == (0, "UDP", plain.db.private(4).address)


def test_a_probe_that_the_host_does_not_let_out(plain: Traced) -> None:
    plain.world.machine.nft(
        "add table inet fw",
        "add chain inet fw out { type filter hook output priority 0; }",
        "add rule inet fw out icmp type echo-request drop",
    )
    status, out, said = Trace(plain.world, ADDRESS[4], "--probe", "--count", "1").end()
    assert status == 1
    assert f"no packet could be sent to {ADDRESS[4]} on virbr1: Operation not permitted" in said
    assert "dropped by a rule in chain inet fw out, of an administrator, at the hook output" in out


def test_a_flood_hides_nothing_and_is_not_traced_whole(plain: Traced) -> None:
    """The kernel chooses few packets of each kind, so that the host has little to do, and a new connection is seen."""
    sent = 20_000
    status, found = plain.trace(ADDRESS[4], ONLY_TO, traffic=lambda: plain.flood(ADDRESS[4], sent), count=2)
    assert (status, [packet["packet"] for packet in found]) == (0, ["UDP", "TCP SYN"])
    assert found[0]["alike"] < sent / 10


def test_only_the_port_and_the_direction_that_are_asked_for(plain: Traced) -> None:
    status, found = plain.trace(
        ADDRESS[4],
        "--port",
        str(SECOND_PORT),
        ONLY_TO,
        traffic=lambda: [plain.ask(ADDRESS[4]), plain.ask(ADDRESS[4], SECOND_PORT)],
    )
    assert (status, [packet["destination_port"] for packet in found]) == (0, [SECOND_PORT])


def test_only_the_peer_that_is_asked_for(traced: Traced) -> None:
    """Packets of others are not shown, nor answers to them; of forwarded ports as well."""
    outside = traced.world.outside(4).namespace
    outside.ip(f"address add {ELSEWHERE}/32 dev eth0")
    listening = f"{LISTENING}:{LISTENING_PORT}"
    for word, address, port in ((ADDRESS[4], ADDRESS[4], PORT), (listening, LISTENING, LISTENING_PORT)):
        trace = Trace(traced.world, word, "--peer", ELSEWHERE, "--count", "2")
        traced.ask(address, port)
        assert traced.ask(address, port, source=ELSEWHERE) != "silent"
        status, out, _ = trace.end()
        assert status == 0
        assert out.count(ELSEWHERE) >= 2
        assert OUTSIDE[4] not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_nothing_is_left(plain: Traced, number: int) -> None:
    trace = Trace(plain.world, ADDRESS[4])
    assert len(plain.tables()) == 2
    plain.ask(ADDRESS[4])
    wait_for(lambda: True, "it ends")
    assert trace.stop(number) in {0, 1}
    assert plain.tables() == []


def test_kill_leaves_nothing(plain: Traced) -> None:
    trace = Trace(plain.world, ADDRESS[4])
    assert len(plain.tables()) == 2
    trace.stop(signal.SIGKILL)
    wait_for(lambda: not plain.tables(), "the kernel has deleted the tables")


def test_two_traces_at_once_do_not_touch_each_other(plain: Traced) -> None:
    first = Trace(plain.world, ADDRESS[4], ONLY_TO)
    second = Trace(plain.world, ADDRESS[4], "--count", "1", ONLY_TO)
    plain.ask(ADDRESS[4])
    status, out, _ = second.end()
    assert (status, out.count("to the guest: TCP SYN")) == (0, 1)
    assert "another trace" not in out
    assert len(plain.tables()) == 2, "the first one goes on"
    plain.world.nethook("clear", "--yes")
    assert len(plain.tables()) == 2, "clear leaves the trace of somebody alone"
    assert first.stop(signal.SIGINT) == 0
    assert plain.tables() == []


def test_names_and_comments_of_others_are_only_shown(plain: Traced) -> None:
    comment = "$(touch /run/pwned) \x1b]0;title\x07"
    plain.world.machine.nft(
        "add table inet fw",
        "add chain inet fw f { type filter hook forward priority 1; }",
        f'add rule inet fw f tcp dport {PORT} counter drop comment "{comment}"',
    )
    status, out, _ = plain.text(ADDRESS[4], ONLY_TO, traffic=lambda: plain.send(ADDRESS[4]))
    assert status == 1
    assert "dropped by a rule in chain inet fw f, of an administrator" in out
    assert f"tcp dport {PORT} counter drop comment" in out
    assert not {"\x1b", "\x07"} & {*out}
    plain.drop_in("x; delete table inet fw\x1b[2J", "{ flush\nruleset }")
    plain.sh("nft delete table inet fw; nft add table inet fw")
    status, out, _ = plain.text(ADDRESS[4], ONLY_TO, traffic=lambda: plain.send(ADDRESS[4]))
    assert status == 1
    assert "dropped by the policy of chain inet x; delete table inet fw\\x1b[2J { flush\\nruleset }" in out
    assert "\x1b" not in out
    assert "table inet fw" in plain.sh("nft list tables")
    assert not (plain.world.machine.root / "run/pwned").exists()


def test_the_doctor_tries_it_with_real_packets(plain: Traced) -> None:
    """A chain that drops only a part of packets may be meant so; a packet that it drops decides."""
    plain.world.machine.nft(
        "add table inet fw",
        "add chain inet fw f { type filter hook forward priority 0; }",
        f"add rule inet fw f tcp dport {PORT} drop",
    )
    arguments = ("--probe", "--json", ADDRESS[4])
    doctor = Trace(plain.world, *arguments, verb="doctor", begin=f"trying it for 10 s: ping {ADDRESS[4]} from outside")
    plain.send(ADDRESS[4])
    status, out, _ = doctor.end()
    found = [each for each in json.loads(out)["findings"] if each["station"] == "trace"]
    where = "chain inet fw f, of an administrator, at the hook forward"
    assert {(each["verdict"], each["text"].partition(" was ")[2]) for each in found} == {
        ("ok", f"sent by virbr1 to the port {plain.guest.tap}"),
        ("ok", f"delivered to this host itself, at {plain.network.address(4, 1)}"),
        ("failure", f"dropped by a rule in {where}: tcp dport {PORT} drop"),
    }
    assert (status, json.loads(out)["healthy"]) == (1, [])
    assert plain.tables() == []


def test_words_that_are_no_address_of_a_line(plain: Traced) -> None:
    for word, said in (
        ("203.0.113.99", "no line of the files names 203.0.113.99"),
        ("203.0.113.0/24", "write one address of 203.0.113.0/24, such as 203.0.113.1"),
        (LISTENING, f"only ports of {LISTENING} are forwarded: write one that is, such as {LISTENING}:443"),
        (f"{LISTENING}:80", f"no line forwards port 80 of {LISTENING}: write one that is, such as {LISTENING}:443"),
        ("public", "write an address, or ADDRESS:PORT"),
    ):
        trace = Trace(plain.world, word, begin=said)
        assert trace.end()[0] == 2


@pytest.mark.parametrize("family", [4, 6])
def test_nothing_comes(plain: Traced, family: int) -> None:
    address = ADDRESS[family]
    status, out, said = Trace(plain.world, address, "--seconds", "0.5").end()
    assert (status, out) == (1, f"no packet of {address} was seen by this host\n")
    assert f"tcpdump -ni any host {address}" in said


def test_what_drops_packets_before_they_can_be_traced(plain: Traced) -> None:
    plain.world.machine.nft(
        "add table netdev early",
        f'add chain netdev early in {{ type filter hook ingress device "{UPLINK}" priority 0; policy drop; }}',
    )
    trace = Trace(plain.world, ADDRESS[4], "--seconds", "1")
    plain.send(ADDRESS[4])
    status, _, said = trace.end()
    assert status == 1
    assert "a chain at a device drops them before (netdev early in)" in said


def test_a_guest_that_sends_nothing_back(plain: Traced) -> None:
    """As one whose firewall drops all."""
    trace = Trace(plain.world, ADDRESS[4], "--seconds", "2")
    plain.ask(ADDRESS[4], protocol="udp")  # its servers answer with another source
    status, out, _ = trace.end()
    assert status == 0
    assert "the guest got packets, and has sent none from this address meanwhile; look inside the guest" in out
