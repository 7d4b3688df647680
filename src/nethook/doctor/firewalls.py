"""The firewalls on the way that get no gate of ours: an admin's nftables chains, rules in front of a gate, firewalld.

A packet from outside to the guest, and the answer to it, are judged by the rules of each chain. What blocks is named,
with the one line that lets routed addresses through; nothing is changed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nethook.doctor import iptables, packets
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.nft import Nft
from nethook.doctor.ours import chains, firewalld
from nethook.doctor.verdict import Judge
from nethook.errors import ReadError
from nethook.gates.gate import NFT_FAMILIES
from nethook.gates.iptables import IptablesGate
from nethook.host.layout import NAME
from nethook.terminal.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.host import Host, Target
    from nethook.doctor.nft import BaseChain
    from nethook.doctor.verdict import Outcome, Packet

ADMINS, FIREWALLD = "admin's nftables", "firewalld"
ROUTER = frozenset({"prerouting", "forward", "postrouting"})
HOOKS = {
    **dict.fromkeys(("ip", "ip6", "inet"), ROUTER),
    "bridge": frozenset({"prerouting", "input", "output", "postrouting"}),
    "netdev": frozenset({"ingress", "egress"}),
}
"""Where what is routed to and from guests comes by, in each family."""
MARK_FROM, MARK_UNTIL = -10, 20
"""The priorities of our chains in the forward hook: between them, packets carry the mark."""


def firewalls(host: Host, targets: Sequence[Target]) -> Iterator[Finding]:
    """What blocks each of these targets, whose networks are up."""
    families = {target.family for target in targets}
    yield from iptables.in_front_of_gates(host, targets)
    yield from iptables.legacy_tables(host, targets)
    nft = Nft(host.tools)
    try:
        every = nft.base_chains()
    except ReadError as error:
        yield Finding(WARNING, ADMINS, f"others' chains in nftables cannot be read: {error}")
        return
    gates = {
        f"{NFT_FAMILIES[gate.family]} filter FORWARD"
        for gate, chain in chains(host, families)
        if isinstance(gate, IptablesGate) and not iptables.is_known_to_nft_alone(chain)
    }
    blocked: set[str] = set()
    for chain in every:
        if chain.hook not in HOOKS.get(chain.family, ()) or chain.where in gates or _is_of_others(chain):
            continue
        concerned = [target for target in targets if chain.family not in {"ip", "ip6"} - {NFT_FAMILIES[target.family]}]
        if not concerned:
            continue
        try:
            rules = nft.rules(chain)
        except ReadError as error:
            yield Finding(WARNING, ADMINS, f"chain {chain.where} cannot be read: {error}")
            continue
        judge = Judge(rules, partial(nft.has_element, chain.family, chain.table))
        rejected = []
        for target in concerned:
            found = list(_judged(host, judge, chain, target))
            rejected += [target for finding in found if finding.station == FIREWALLD]
            blocked.update(target.name for finding in found if finding.verdict == FAILURE)
            yield from (finding for finding in found if finding.station != FIREWALLD)
        if rejected and not _is_closed(host):
            yield _firewalld(host, chain, rejected)
    free = [target.name for target in targets if target.name not in blocked]
    if free:
        yield Finding(OK, ADMINS, "no chain of an admin or of firewalld is in the way", addresses=free)


def _is_of_others(chain: BaseChain) -> bool:
    """Whether it is ours, or one that a gate is for."""
    return (chain.family, chain.table) == ("inet", NAME) or chain.table == "libvirt_network"


def _judged(host: Host, judge: Judge, chain: BaseChain, target: Target) -> Iterator[Finding]:
    for what, packet in _packets(host, chain, target):
        finding = _finding(host, chain, target, what, judge.judge(chain.name, chain.policy, packet))
        if finding:
            yield finding
            return


def _packets(host: Host, chain: BaseChain, target: Target) -> Iterator[tuple[str, Packet]]:
    """Those of the target that come to this chain."""
    if chain.family == "bridge":
        return packets.bridged(host, target, chain.hook)
    if chain.family == "netdev":
        return (each for device in chain.devices for each in packets.at_device(host, target, chain.hook, device))
    return packets.routed(host, target, chain.hook, is_marked=sees_mark(chain))


def _finding(host: Host, chain: BaseChain, target: Target, what: str, outcome: Outcome) -> Finding | None:
    is_firewalld = chain.table == FIREWALLD
    station = iptables.STATION if is_of_iptables(chain) else ADMINS
    if outcome.blocked and not outcome.is_meant:
        how = f"the rule with handle {outcome.rule['handle']}" if outcome.rule else "its policy"
        if is_firewalld:
            return _firewalld(host, chain, [target])
        return Finding(
            FAILURE,
            station,
            f"chain {chain.where} drops {what}: {how}",
            command=_opening(host, chain, target, outcome.rule["handle"] if outcome.rule else None),
            advice=_advice(chain),
            addresses=[target.name],
        )
    rule = outcome.rule if outcome.blocked else outcome.may_block
    if is_firewalld or (rule is None and not outcome.blocked) or chain.family in {"bridge", "netdev"}:
        return None  # in those, most chains are about what some guest may send
    how = f"the rule with handle {rule['handle']}" if rule else "its policy"
    text = f"chain {chain.where} drops a part of {what}: {how}"
    advice = "nothing to do if that is how you filter this guest"
    return Finding(WARNING, station, text, advice=advice, addresses=[target.name])


def sees_mark(chain: BaseChain) -> bool:
    """Whether packets carry our mark in this chain."""
    return chain.hook == "forward" and MARK_FROM < chain.priority < MARK_UNTIL


def _opening(host: Host, chain: BaseChain, target: Target, handle: int | None) -> str:
    """The command that lets routed packets through, in front of what blocks; by address where there is no mark."""
    if is_of_iptables(chain):
        tool = "ip6tables-nft" if chain.family == "ip6" else "iptables-nft"
        return iptables.by_address(tool, chain.table, chain.name, target)
    verb = "add" if handle is None else "insert"
    place = f"{verb} rule {chain.where}" + (f" position {handle}" if handle is not None else "")
    if sees_mark(chain):
        bit = f"{host.settings.mark_bit:#x}"
        matches = [f"meta mark & {bit} == {bit}"]
    else:
        ip = "ip6" if target.family == 6 else "ip"
        block = target.line.prefix.text
        matches = [f"{ip} daddr {block}", f"{ip} saddr {block}"]
    return " && ".join(f"nft {word(f'{place} {match} accept')}" for match in matches)


def is_of_iptables(chain: BaseChain) -> bool:
    """Whether it is one of those that iptables-nft makes, into which nothing but iptables must write."""
    return chain.family in {"ip", "ip6"} and chain.table in iptables.TABLES and chain.name in iptables.CHAINS


def _advice(chain: BaseChain) -> str:
    if is_of_iptables(chain):
        return "and leave out these addresses where the rule comes from"
    written = "and write it at that place into the file that makes this chain, such as /etc/nftables.conf"
    if sees_mark(chain):
        return written
    return (
        f"{written}; by address, because packets carry our mark only in forward chains between filter-10 and filter+20"
    )


def _is_closed(host: Host) -> bool:
    """Whether our gate in firewalld is not open, which is a finding at another station."""
    gate = firewalld(host.plan)
    return gate is not None and bool(gate.hindrance or gate.lacking)


def _firewalld(host: Host, chain: BaseChain, targets: Sequence[Target]) -> Finding:
    """firewalld rejects although our gate is open, or has none by the settings."""
    if FIREWALLD not in host.settings.gates:
        advice = f"add {FIREWALLD} to the setting gates in nethook.conf, and run nethook install"
    else:
        # It asks no policy about packets between two interfaces of which neither is in a zone.
        uplink = next(iter(host.uplinks(targets[0].family)), "UPLINK")
        advice = (
            "put the uplink into a zone by name: firewall-cmd --permanent --zone=public --add-interface="
            f"{uplink} && firewall-cmd --reload"
        )
    return Finding(
        FAILURE,
        FIREWALLD,
        f"firewalld rejects what is sent to the guest, or what it answers (chain {chain.where})",
        advice=advice,
        addresses=[target.name for target in targets],
    )
