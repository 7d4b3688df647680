"""A chain of another program as it is read over netlink, beside what nft lists of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.namespace import UnnamedNamespace
from lab.processes import run
from nethook.host.nftables import has_chain, read_chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    Listed = tuple[int, str, str]

OBJECTS = (
    "add counter {table} seen",
    "add quota {table} much {{ over 25 mbytes; }}",
    "add limit {table} slow {{ rate 5/second; }}",
    "add set {table} guests {{ type mark; flags dynamic; }}",
    "add chain {table} guest_input",
    "add chain {table} forward {{ type filter hook forward priority 0; policy {policy}; }}",
)
BLOCKING = (
    *("jump guest_input", "goto guest_input", "drop", "reject"),
    *("counter jump guest_input", "counter goto guest_input", "counter drop", "counter reject"),
    "counter packets 7 bytes 900 counter drop",
    "reject with {icmp} port-unreachable",
    "counter reject with {icmp} admin-prohibited",
    'counter drop comment "an admin\'s"',
    'drop comment "jump drop bytes 3 accept"',
)
PASSING = (
    *("accept", "counter", "counter accept", "return", "continue", "counter return", "counter counter", "notrack"),
    'meta mark & 0x10000000 == 0x10000000 counter accept comment "nethook-0x10000000"',
    "meta mark & 0x10000000 == 0x10000000 counter accept",
    'counter accept comment "nethook-0x40"',
    *('iifname "x" drop', 'iifname "x" counter jump guest_input', 'counter iifname "x" drop'),
    *("ct state vmap { invalid : drop, established : accept }", "ct state invalid counter drop"),
    *("meta mark vmap { 0x1 : jump guest_input }", "ct mark 0x3 reject"),
    *("log drop", 'log prefix "reject " drop', "counter log drop", 'counter log prefix "jump bytes 7 drop" accept'),
    *("limit rate 10/second drop", "limit rate over 10 mbytes/second burst 5 mbytes drop", "limit name slow drop"),
    *("quota over 25 mbytes drop", "counter quota 25 mbytes drop", 'quota name "much" drop'),
    *("meta mark set 0x1 counter drop", "ct mark set 0x1 drop", "meta l4proto tcp counter reject with tcp reset"),
    *("add @guests { meta mark } drop", "meta pkttype multicast drop", "ct bytes > 100 accept", "notrack drop"),
    *('counter name "seen" accept', 'counter name "seen" drop', "tcp dport 22 drop"),
)
NFT_IS_WRONG = {
    "counter ct mark 7 counter drop": "a condition between two counters: only what is behind the last was looked at",
    "counter ct bytes 5 drop": "the condition was taken for the end of the counter",
    'counter log prefix "bytes 3 drop " accept': "the text that is logged was taken for the end of the counter",
    "reject with tcp reset": "nft leaves out that this is for TCP alone",
}
"""Rules that do not stop all packets, and that a reading of nft's text took for ones that do."""
FAMILIES = ("ip", "ip6")


@pytest.fixture
def namespace() -> Iterator[UnnamedNamespace]:
    made = UnnamedNamespace()
    yield made
    made.close()


def nft(*commands: str) -> None:
    run(["nft", "-f", "-"], stdin="\n".join(commands))


def make(family: str, policy: str, *rules: str) -> None:
    table, icmp = f"{family} libvirt_network", "icmp" if family == "ip" else "icmpv6"
    nft(f"add table {table}", *(each.format(table=table, policy=policy) for each in OBJECTS))
    for rule in rules:
        nft(f"add rule {table} forward {rule.replace('{icmp}', icmp)}")


def listed(family: str) -> list[Listed]:
    """Handle, comment and text of each rule as nft lists them."""
    text = run(["nft", "--handle", "list", "chain", family, "libvirt_network", "forward"]).stdout
    lines = re.findall(r"(?m)^\t\t(?!type )(.*?)(?: comment \"([^\"]*)\")? # handle (\d+)$", text)
    return [(int(handle), comment, rule) for rule, comment, handle in lines]


def seems_to_stop(text: str) -> bool:
    """What a reading of nft's text takes for a rule that stops all packets: counters, and one of these words."""
    verdict = text.rpartition("bytes ")[2].partition(" ")[2] if text.startswith("counter ") else text
    return verdict.partition(" ")[0] in {"jump", "goto", "reject", "drop"}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_rule_does_is_read_as_nft_lists_it(namespace: UnnamedNamespace, family: str) -> None:
    rules = [*BLOCKING, *PASSING, *NFT_IS_WRONG]
    with namespace.entered():
        make(family, "accept", *rules)
        nft(f"insert rule {family} libvirt_network forward counter drop")  # handles in another order than rules
        beside = listed(family)
        found = read_chain(family, "libvirt_network", "forward")
    assert found is not None
    assert not found.drops
    assert [(rule.handle, rule.comment) for rule in found.rules] == [each[:2] for each in beside]
    stops = {text: rule.stops for text, rule in zip(["first", *rules], found.rules)}
    assert stops == {
        "first": True,
        **dict.fromkeys(BLOCKING, True),
        **dict.fromkeys(PASSING, False),
        **dict.fromkeys(NFT_IS_WRONG, False),
    }
    seeming = {text: seems_to_stop(as_listed) for text, (_, _, as_listed) in zip(["first", *rules], beside)}
    differing = {text for text in stops if stops[text] != seeming[text]}
    assert differing == set(NFT_IS_WRONG)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_policy_that_drops(namespace: UnnamedNamespace, family: str) -> None:
    with namespace.entered():
        make(family, "drop")
        found = read_chain(family, "libvirt_network", "forward")
        beside = read_chain(family, "libvirt_network", "guest_input")
    assert found is not None
    assert found.drops
    assert not found.rules
    assert beside is not None
    assert not beside.drops


@pytest.mark.parametrize(("family", "tool"), [("ip", "iptables-nft"), ("ip6", "ip6tables-nft")])
def test_a_chain_that_is_not_there_is_one_of_iptables_that_accepts(
    namespace: UnnamedNamespace, family: str, tool: str
) -> None:
    with namespace.entered():
        assert not has_chain(family, "filter", "FORWARD")
        assert run([tool, "-w", "3", "-S", "FORWARD"]).stdout == "-P FORWARD ACCEPT\n"
        assert not has_chain(family, "filter", "FORWARD"), "nothing is made by looking at it"
        run([tool, "-A", "FORWARD", "-j", "DROP"])
        assert has_chain(family, "filter", "FORWARD")


def test_what_is_not_there_is_no_chain(namespace: UnnamedNamespace) -> None:
    with namespace.entered():
        assert read_chain("ip", "libvirt_network", "forward") is None
        nft("add table ip libvirt_network", "add chain ip libvirt_network backward")
        nft("add table ip6 libvirt_network", "add chain ip6 libvirt_network forward")
        assert read_chain("ip", "libvirt_network", "forward") is None
        assert read_chain("ip6", "libvirt_network", "forward") is not None
        nft("add chain ip libvirt_network forward", "add rule ip libvirt_network backward drop")
        found = read_chain("ip", "libvirt_network", "forward")
    assert found is not None
    assert not found.rules
