"""The station of NAT: foreign rules that rewrite the destination or the source of a routed address.

The first rule that decides wins for a connection, in whatever chain. Rules of libvirt and firewalld, whose tables
nobody else may write into, are named without a command.
"""

from __future__ import annotations

import re
from functools import partial
from shlex import join
from typing import TYPE_CHECKING, NamedTuple

from nethook.doctor import packets
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.iptables_judge import judge, parse
from nethook.doctor.iptables_match import conditions_of, words_of
from nethook.doctor.nft_judge import Judge
from nethook.errors import ReadError
from nethook.gates.gate import NFT_FAMILIES
from nethook.gates.iptables import LEGACY_TABLES, WAIT_SECONDS
from nethook.host.files import read
from nethook.host.layout import NAME
from nethook.host.process import Call, ToolMissingError
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import Facts, Target
    from nethook.doctor.iptables_judge import Listing
    from nethook.doctor.nft_chains import BaseChain
    from nethook.doctor.nft_match import Packet

STATION = "nat"
TO_NFT = {"prerouting": frozenset({"dnat", "redirect"}), "postrouting": frozenset({"masquerade", "snat"})}
"""The statements of nft that rewrite an address, by the hook."""
TO_IPTABLES = {
    "prerouting": frozenset({"DNAT", "REDIRECT", "NETMAP"}),
    "postrouting": frozenset({"MASQUERADE", "SNAT", "NETMAP"}),
}
PORTS = re.compile(r"(?P<protocol>tcp|udp)\b.*?(--dports?|dport) (?P<ports>{[^}]*}|\S+)")
FIREWALLD, LIBVIRT = "firewalld", "libvirt_network"
IN_FIREWALLD = (
    "firewalld masquerades all that leaves by this zone: take masquerade from the zone (firewall-cmd --permanent "
    "--zone=ZONE --remove-masquerade), and add a rich rule that masquerades your private addresses alone "
    "(--add-rich-rule='rule family=ipv4 source address=10.0.0.0/8 masquerade'), then firewall-cmd --reload"
)


class Rewriting(NamedTuple):
    """A rule that rewrites packets of a target: ``what`` of them, ``by`` whom, and the repair.

    ``is_meant``: it names the address itself, so it is probably what an admin wants.
    """

    what: str
    by: str
    is_meant: bool
    command: str
    advice: str = "and write it into the configuration that this rule comes from"


class Rules:
    """The rules of NAT on this host: chains of nftables with judges, and tables of iptables by IP family and tool."""

    def __init__(self, facts: Facts) -> None:
        """Read them, or raise ReadError."""
        every = facts.nft.base_chains("nat")
        foreign = [chain for chain in every if chain.table not in {NAME, LIBVIRT} and not _is_of_iptables(chain)]
        self.judges = [
            (chain, Judge(facts.nft.rules(chain), partial(facts.nft.has_element, chain.family, chain.table), seeks))
            for chain in foreign
            if (seeks := TO_NFT.get(chain.hook))
        ]
        of_iptables = {chain.family for chain in every if _is_of_iptables(chain)}
        self.tables = {
            family: dict(_tables(facts, family, has_nft=NFT_FAMILIES[family] in of_iptables)) for family in (4, 6)
        }


def _is_of_iptables(chain: BaseChain) -> bool:
    return chain.family in {"ip", "ip6"} and chain.table == "nat" and chain.name.isupper()


class Way(NamedTuple):
    """Packets that NAT must leave alone: the hook, the packet, and the option that selects the target."""

    hook: str
    packet: Packet
    option: str
    field: str
    what: str


def nat(facts: Facts, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield the rules that rewrite packets of these targets."""
    try:
        rules = Rules(facts)
        found = [(target, rewriting) for target in targets for rewriting in _rewritings(facts, rules, target)]
    except ReadError as error:
        yield Finding(WARNING, STATION, f"foreign rules of NAT cannot be read: {error}")
        return
    for target, each in found:
        text = f"{each.what} by {each.by}"
        advice = "nothing to do if that is what you want" if each.is_meant else each.advice
        verdict, command = (WARNING, "") if each.is_meant else (FAILURE, each.command)
        yield Finding(verdict, STATION, text, command=command, advice=advice, addresses=[target.name])
    free = [target.name for target in targets if all(target is not other for other, _ in found)]
    if free:
        yield Finding(OK, STATION, "no foreign rule rewrites their packets", addresses=free)


def _rewritings(facts: Facts, rules: Rules, target: Target) -> Iterator[Rewriting]:
    there = next(iter(packets.routed(facts, target, "prerouting")))[1]
    own = packets.own(facts, target, "postrouting")
    ways = (
        Way("prerouting", there, "-d", "daddr", "packets to the guest are sent elsewhere"),
        Way("postrouting", own, "-s", "saddr", "the source of connections that the guest opens is rewritten"),
    )
    for way in ways:
        for chain, judge_of_it in rules.judges:
            if chain.hook == way.hook and chain.family in {"inet", NFT_FAMILIES[target.family]}:
                yield from _in_nft(facts, target, way, chain, judge_of_it)
        for tool, listing in rules.tables[target.family].items():
            yield from _in_iptables(target, way, tool, listing)


def _in_nft(facts: Facts, target: Target, way: Way, chain: BaseChain, judge_of_it: Judge) -> Iterator[Rewriting]:
    verdict = judge_of_it.judge(chain.name, "accept", way.packet)
    rule = verdict.rule if verdict.blocked else verdict.may_block
    if rule is None or verdict.is_meant:
        return
    text = facts.nft.text(chain, rule["handle"])
    is_meant = f"{way.field} {target.line.prefix}" in text
    if chain.table == FIREWALLD:
        by = f"firewalld, which masquerades what leaves by {way.packet.device_out or 'this zone'}"
        yield Rewriting(way.what, by, False, "", IN_FIREWALLD)
        return
    ip = "ip6" if target.family == 6 else "ip"
    place = f"insert rule {chain.where} position {rule['handle']} {ip} {way.field} {target.block} accept"
    what = _what(way, text, is_whole=verdict.blocked)
    command = f"nft {word(place)}" if chain.is_readable else ""
    yield Rewriting(what, f"a rule in chain {chain.where}: {text}", is_meant, command)


def _in_iptables(target: Target, way: Way, tool: str, listing: Listing) -> Iterator[Rewriting]:
    chain = way.hook.upper()
    verdict = judge(listing, chain, way.packet, TO_IPTABLES[way.hook])
    if verdict.stops is False or verdict.is_meant:
        return
    words = words_of(verdict.rule)
    is_meant = f" {way.option} {target.block}" in f" {verdict.rule} ".replace("/32 ", " ").replace("/128 ", " ")
    kept = conditions_of(words, without=("-d", "-s"))
    command = join([tool, "-w", "-t", "nat", "-I", chain, way.option, target.block, *kept, "-j", "ACCEPT"])
    what = _what(way, verdict.rule, is_whole=verdict.stops is True)
    by = f"a rule in chain {chain} of {tool}'s table nat: {verdict.rule}"
    yield Rewriting(what, by, is_meant, command)


def _what(way: Way, rule: str, *, is_whole: bool) -> str:
    """Return what of the target's packets is rewritten, and how."""
    of = PORTS.search(rule)
    if is_whole or not of:
        return way.what if is_whole else f"{way.what} in part"
    where = f"{of['protocol'].upper()} port {of['ports'].strip('{ }')}"
    if way.hook == "prerouting":
        return f"{where} of the guest is sent elsewhere"
    return f"{way.what} to {where}"


def _tables(facts: Facts, family: int, *, has_nft: bool) -> Iterator[tuple[str, Listing]]:
    """Yield the tables nat of iptables, by the name of their tool; ``has_nft`` if there is one of the nft variant."""
    name = "ip6tables" if family == 6 else "iptables"
    tools = [f"{name}-nft"] if has_nft else []
    tools += [f"{name}-legacy"] if "nat" in (read(LEGACY_TABLES[name]) or "").split() else []
    for tool in tools:
        try:
            result = facts.tools.run(Call((tool, "-w", WAIT_SECONDS, "-t", "nat", "-S")))
        except ToolMissingError:
            continue
        if result.status != 0:
            raise ReadError(result.failure)
        yield tool, parse(result.out)
