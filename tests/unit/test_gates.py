"""What is listed of foreign chains → what opens the gate."""

from __future__ import annotations

import pytest

from nethook.errors import ReadError
from nethook.gates.gate import Chain, Gate, GateChange
from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.host.fake import FakeHost
from nethook.host.process import Call, Result

HOST = FakeHost()
IPTABLES = IptablesGate("iptables-nft", 0x40)
NFTABLES = LibvirtNftablesGate(4, 0x40)
GATE = "-A FORWARD -m mark --mark 0x40/0x40 -m comment --comment nethook-0x40 -j ACCEPT"
JUMP = "-A FORWARD -j LIBVIRT_FWX"
REJECT = "-A FORWARD -j REJECT --reject-with icmp-port-unreachable"
ADMIN = '-A FORWARD -s 198.51.100.0/24 -m comment --comment "no -j REJECT here" -j DROP'


def opening(gate: Gate, listing: str, status: int = 0, err: str = "") -> GateChange | None:
    chain = gate.read(HOST, [Result(Call(("tool",)), status, listing, err)])
    return gate.opening(chain) if chain else None


def batch(*lines: str, policy: str = "ACCEPT") -> list[str]:
    """What iptables-restore would be given for a chain with these rules."""
    found = opening(IPTABLES, "\n".join([f"-P FORWARD {policy}", *lines]) + "\n")
    if found is None:
        return []
    assert found.call is not None
    return found.call.stdin.splitlines()[1:-1]


def insert(position: int) -> str:
    return f"-I FORWARD {position} {GATE.removeprefix('-A FORWARD ')}"


def delete(rule: str) -> str:
    return f"-D FORWARD {rule.removeprefix('-A FORWARD ')}"


def test_a_chain_that_lets_everything_pass_needs_no_gate() -> None:
    assert batch() == []
    assert batch(ADMIN) == []


def test_an_open_gate_stays() -> None:
    assert batch(GATE, JUMP) == []
    assert batch(ADMIN, GATE, JUMP, REJECT) == []


@pytest.mark.parametrize("blocker", [JUMP, REJECT, "-A FORWARD -j DOCKER-FORWARD", "-A FORWARD -j ufw-reject-forward"])
def test_a_missing_gate_goes_before_what_blocks_and_behind_what_the_admin_has(blocker: str) -> None:
    assert batch(ADMIN, blocker) == [insert(2)]


def test_a_rule_of_the_admins_that_is_only_called_like_ours_is_not_ours() -> None:
    office = "-A FORWARD -s 198.51.100.7/32 -m comment --comment nethook-office -j DROP"
    assert batch(office, GATE, JUMP) == []


def test_the_admins_chain_of_docker_stays_in_force() -> None:
    assert batch("-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-FORWARD") == [insert(2)]


def test_a_policy_that_drops_needs_a_gate() -> None:
    assert batch(policy="DROP") == [insert(1)]
    assert batch(ADMIN, policy="DROP") == [insert(2)]


def test_a_gate_behind_what_blocks_is_moved() -> None:
    assert batch(JUMP, GATE) == [delete(GATE), insert(1)]


def test_a_doubled_gate_becomes_one() -> None:
    assert batch(GATE, JUMP, GATE) == [delete(GATE), delete(GATE), insert(1)]


def test_a_gate_for_another_mark_bit_stays_until_the_new_one_is_open() -> None:
    before = GATE.replace("0x40", "0x80")
    assert batch(before, JUMP) == [insert(2)]
    assert batch(before, GATE, JUMP) == []
    for lines, closed in (([before, GATE, JUMP], [delete(before)]), ([before, JUMP], [delete(before)])):
        chain = IPTABLES.read(HOST, [Result(Call(("tool",)), 0, "\n".join(["-P FORWARD ACCEPT", *lines]), "")])
        assert chain is not None
        assert chain.mark_bits - {0x40} == {0x80}
        closing = IPTABLES.former_closing(chain)
        assert closing is not None
        assert closing.call is not None
        assert closing.call.stdin.splitlines()[1:-1] == closed


def test_what_is_not_one_bit_in_the_comment_of_a_gate_is_no_mark_bit() -> None:
    """Our table would give packets what it says."""
    rules = [GATE.replace("nethook-0x40", f"nethook-0x{bit}") for bit in ("0", "3", "100000000", "40")]
    chain = IPTABLES.read(HOST, [Result(Call(("tool",)), 0, "\n".join(["-P FORWARD ACCEPT", *rules]), "")])
    assert chain is not None
    assert chain.mark_bits == {0x40}


def test_a_failed_listing_is_not_an_empty_one() -> None:
    with pytest.raises(ReadError, match="busy"):
        opening(IPTABLES, "", 1, "busy")


def test_an_admins_own_ruleset_in_a_table_of_that_name_is_left_alone() -> None:
    said = "iptables v1.8.9 (nf_tables): chain `FORWARD' in table `filter' is incompatible, use 'nft' tool.\n"
    assert opening(IPTABLES, "", 1, said) is None


NFT_GATE = 'meta mark & 0x00000040 == 0x00000040 counter accept comment "nethook-0x40"'
NFT_JUMPS = [f"counter jump guest_{way}" for way in ("cross", "input", "output")]


def in_libvirts_table(*rules: str, policy: str = "accept") -> Chain:
    """What the gate reads where libvirt's chain has these rules."""
    host = FakeHost()
    chain = f"add chain ip libvirt_network forward {{ type filter hook forward priority 0; policy {policy}; }}"
    others = [f"add chain ip libvirt_network guest_{way}" for way in ("cross", "input", "output")]
    added = [f"add rule ip libvirt_network forward {rule}" for rule in rules]
    host.by_others("nft", "-f", "-", stdin="\n".join(["add table ip libvirt_network", chain, *others, *added]))
    found = NFTABLES.read(host, [])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rules", "commands"),
    [
        ([], []),
        (NFT_JUMPS, ["insert 1"]),
        ([NFT_GATE, *NFT_JUMPS], []),
        ([*NFT_JUMPS, NFT_GATE], ["insert 1", "delete 4"]),
        ([NFT_GATE, *NFT_JUMPS, NFT_GATE], ["insert 2", "delete 1", "delete 5"]),
        (["ip saddr 198.51.100.7 drop", "counter drop"], ["insert 2"]),
        (["ip saddr 198.51.100.7 drop", NFT_GATE, "reject"], []),
    ],
)
def test_the_gate_in_libvirts_own_table(rules: list[str], commands: list[str]) -> None:
    """Handles are counted from 1."""
    found = NFTABLES.opening(in_libvirts_table(*rules))
    verbs = {
        "insert": f"insert rule ip libvirt_network forward handle {{}} {NFT_GATE}",
        "delete": "delete rule ip libvirt_network forward handle {}",
    }
    wanted = [verbs[verb].format(handle) for verb, handle in map(str.split, commands)]
    assert list(found.nft if found else []) == wanted


def test_a_policy_of_libvirts_own_table_that_drops_needs_a_gate() -> None:
    found = NFTABLES.opening(in_libvirts_table(policy="drop"))
    assert found is not None
    assert list(found.nft) == [f"add rule ip libvirt_network forward {NFT_GATE}"]


def test_without_libvirts_table_there_is_nothing_to_open() -> None:
    assert NFTABLES.read(FakeHost(), []) is None


def test_closing_deletes_our_rules_of_every_mark_bit_and_no_other() -> None:
    old = GATE.replace("0x40", "0x80")
    listing = "\n".join(["-P FORWARD DROP", ADMIN, GATE, old, JUMP])
    chain = IPTABLES.read(HOST, [Result(Call(("tool",)), 0, listing, "")])
    assert chain is not None
    closing = IPTABLES.closing(chain)
    assert closing is not None
    assert closing.call is not None
    assert closing.call.stdin.splitlines()[1:-1] == [delete(GATE), delete(old)]
    chain = in_libvirts_table(NFT_GATE, *NFT_JUMPS)
    closing = NFTABLES.closing(chain)
    assert closing is not None
    assert list(closing.nft) == ["delete rule ip libvirt_network forward handle 1"]


def test_where_there_is_no_gate_nothing_is_closed() -> None:
    chain = IPTABLES.read(HOST, [Result(Call(("tool",)), 0, f"-P FORWARD DROP\n{JUMP}\n", "")])
    assert chain is not None
    assert IPTABLES.closing(chain) is None


def test_a_doubled_gate_blocks_nothing_unless_both_are_behind() -> None:
    def misfit(*lines: str) -> str:
        listing = "\n".join(["-P FORWARD ACCEPT", *lines])
        chain = IPTABLES.read(HOST, [Result(Call(("tool",)), 0, listing, "")])
        assert chain is not None
        return IPTABLES.misfit(chain)

    assert misfit(GATE, JUMP, GATE) == "doubled"
    assert misfit(GATE, GATE.replace("0x40", "0x80"), JUMP) == "open, and so is one for another mark bit"
    assert misfit(JUMP, GATE, GATE) == "behind what blocks"
    assert misfit("-A FORWARD -j DOCKER-FORWARD", GATE) == "behind what may block"
    assert misfit("-A FORWARD -j DOCKER-FORWARD", JUMP, GATE) == "behind what blocks"
    assert misfit(GATE.replace("0x40", "0x80"), JUMP, GATE) == "behind what blocks"
    other_bit = GATE.replace("--comment nethook-0x40", "--comment nethook-0x80")
    assert misfit(other_bit, JUMP) == "for another mark bit"


WITH_A_SET = """table ip filter {
\tchain FORWARD {
\t\ttype filter hook forward priority filter; policy accept;
\t\tip daddr { 203.0.113.66, 203.0.113.67 } counter packets 0 bytes 0 drop
\t\t counter packets 0 bytes 0 reject
\t}
}
"""


def test_conditions_that_iptables_does_not_show() -> None:
    listed = Result(Call(("iptables-nft",)), 0, f"-P FORWARD ACCEPT\n-A FORWARD -j DROP\n{REJECT}\n", "")
    chain = IPTABLES.read(HOST, [listed])
    assert chain is not None
    doubt = IPTABLES.doubt(chain)
    assert doubt is not None
    settled = IPTABLES.settle(chain, Result(doubt, 0, WITH_A_SET, ""))
    found = IPTABLES.opening(settled)
    assert found is not None
    assert found.call is not None
    assert found.call.stdin.splitlines()[1:-1] == [insert(2)]
    for said in (Result(doubt, 1, "", "no"), Result(doubt, 0, WITH_A_SET.replace("reject", "reject\n\t\tdrop"), "")):
        with pytest.raises(ReadError):
            IPTABLES.settle(chain, said)


def test_where_nothing_is_in_doubt_nothing_more_is_read() -> None:
    for lines in ([GATE, JUMP, REJECT], [JUMP], [ADMIN]):
        listing = "\n".join(["-P FORWARD ACCEPT", *lines]) + "\n"
        chain = IPTABLES.read(HOST, [Result(Call(("iptables-nft",)), 0, listing, "")])
        assert chain is not None
        assert IPTABLES.doubt(chain) is None
