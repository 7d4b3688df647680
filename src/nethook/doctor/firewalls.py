"""The station of firewalls without a gate of ours: an admin's nftables chains, rules in front of a gate, firewalld.

The rules of each chain judge a packet from outside to the guest, and the answer to it. A rule that blocks is named,
with the command that lets routed addresses through. Nothing is changed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nethook.doctor import admin_iptables, packets
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.nft_judge import Judge
from nethook.doctor.ours import chains, firewalld
from nethook.errors import ReadError
from nethook.gates.gate import NFT_FAMILIES
from nethook.gates.iptables import IptablesGate
from nethook.host.layout import NAME
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import AnyTarget, Facts
    from nethook.doctor.nft_chains import BaseChain
    from nethook.doctor.nft_judge import Judgement
    from nethook.doctor.nft_match import Packet

ADMINS, FIREWALLD = "admin's nftables", "firewalld"
ROUTER = frozenset({"prerouting", "forward", "postrouting"})
HOOKS = {
    **dict.fromkeys(("ip", "ip6", "inet"), ROUTER),
    "bridge": frozenset({"prerouting", "input", "output", "postrouting"}),
    "netdev": frozenset({"ingress", "egress"}),
}
"""The hooks that packets to and from guests pass, by the family of the table."""
TRACKED_FROM = -200
"""The priority at which the kernel begins to know connections."""
MARK_FROM, MARK_UNTIL = -10, 20
"""The priorities of our chains in the forward hook: between them, packets carry the mark."""


def firewalls(facts: Facts, targets: Sequence[AnyTarget]) -> Iterator[Finding]:
    """Yield the rules that block these targets, whose networks are up."""
    families = {target.family for target in targets}
    yield from admin_iptables.in_front_of_gates(facts, targets)
    yield from admin_iptables.legacy_tables(facts, targets)
    nft = facts.nft
    try:
        every = nft.filter_chains()
    except ReadError as error:
        yield Finding(WARNING, ADMINS, f"foreign chains of nftables cannot be read: {error}")
        return
    gates = {
        f"{NFT_FAMILIES[gate.family]} filter FORWARD"
        for gate, chain in chains(facts, families)
        if isinstance(gate, IptablesGate) and not admin_iptables.is_known_to_nft_alone(chain)
    }
    blocked: set[str] = set()
    for chain in every:
        if chain.hook not in HOOKS.get(chain.family, ()) or chain.where in gates or _is_of_others(chain):
            continue
        concerned = [target for target in targets if _concerns(chain, target)]
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
            found = list(_judged(facts, judge, chain, target))
            rejected += [target for finding in found if finding.station == FIREWALLD]
            blocked.update(target.name for finding in found if finding.verdict == FAILURE)
            yield from (finding for finding in found if finding.station != FIREWALLD)
        if rejected and not _is_closed(facts):
            yield _firewalld(facts, chain, rejected)
    free = [target.name for target in targets if target.name not in blocked]
    if free:
        yield Finding(OK, ADMINS, "no chain of an admin or of firewalld blocks", addresses=free)


def _is_of_others(chain: BaseChain) -> bool:
    """Return whether the chain is ours, or libvirt's, which has a gate."""
    return chain.table in {NAME, "libvirt_network"}


def _concerns(chain: BaseChain, target: AnyTarget) -> bool:
    """Return whether packets of the target pass the chain with addresses that are known.

    Those of a forward have the guest's address in the forward hook, and may have another one elsewhere. firewalld
    accepts them all, or has a station of its own (``forwards.py``).
    """
    if chain.family in {"ip", "ip6"} - {NFT_FAMILIES[target.family]}:
        return False
    return not target.is_forwarded or (chain.hook == "forward" and chain.table != FIREWALLD)


def _judged(facts: Facts, judge: Judge, chain: BaseChain, target: AnyTarget) -> Iterator[Finding]:
    for what, packet in _packets(facts, chain, target):
        finding = _finding(facts, chain, target, what, judge.judge(chain.name, chain.policy, packet))
        if finding:
            yield finding
            return
    if chain.family not in {"bridge", "netdev"} and chain.table != FIREWALLD and not target.is_forwarded:
        yield from _own_connections(facts, judge, chain, target)


def _own_connections(facts: Facts, judge: Judge, chain: BaseChain, target: AnyTarget) -> Iterator[Finding]:
    """Yield a warning if the guest gets answers out, and cannot open connections itself."""
    packet = packets.own(facts, target, chain.hook, is_marked=sees_mark(chain), is_tracked=_is_tracked(chain))
    judgement = judge.judge(chain.name, chain.policy, packet)
    if not judgement.blocked or judgement.is_meant:
        return
    how = f"the rule with handle {judgement.rule['handle']}" if judgement.rule else "its policy"
    yield Finding(
        WARNING,
        admin_iptables.STATION if is_of_iptables(chain) else ADMINS,
        f"chain {chain.where} drops connections that the guest itself opens: {how}",
        command=_opening(facts, chain, target, judgement.rule["handle"] if judgement.rule else None),
        advice="nothing to do if the guest shall not open any",
        addresses=[target.name],
    )


def _packets(facts: Facts, chain: BaseChain, target: AnyTarget) -> Iterator[tuple[str, Packet]]:
    """Return the packets of the target that pass this chain."""
    if chain.family == "bridge":
        return packets.bridged(facts, target, chain.hook)
    if chain.family == "netdev":
        return (each for device in chain.devices for each in packets.at_device(facts, target, chain.hook, device))
    return packets.routed(facts, target, chain.hook, is_marked=sees_mark(chain), is_tracked=_is_tracked(chain))


def _finding(facts: Facts, chain: BaseChain, target: AnyTarget, what: str, judgement: Judgement) -> Finding | None:
    is_firewalld = chain.table == FIREWALLD
    station = admin_iptables.STATION if is_of_iptables(chain) else ADMINS
    if judgement.blocked and not judgement.is_meant:
        how = f"the rule with handle {judgement.rule['handle']}" if judgement.rule else "its policy"
        if is_firewalld:
            return _firewalld(facts, chain, [target])
        return Finding(
            FAILURE,
            station,
            f"chain {chain.where} drops {what}: {how}",
            command=_opening(facts, chain, target, judgement.rule["handle"] if judgement.rule else None),
            advice=_advice(chain),
            addresses=[target.name],
        )
    rule = judgement.rule if judgement.blocked else judgement.may_block
    if is_firewalld or (rule is None and not judgement.blocked) or chain.family in {"bridge", "netdev"}:
        return None  # chains of these families mostly limit what a certain guest may send
    how = f"the rule with handle {rule['handle']}" if rule else "its policy"
    text = f"chain {chain.where} drops a part of {what}: {how}"
    advice = "nothing to do if that is how you filter this guest"
    return Finding(WARNING, station, text, advice=advice, addresses=[target.name])


def _is_tracked(chain: BaseChain) -> bool:
    return chain.hook != "prerouting" or chain.priority > TRACKED_FROM


def sees_mark(chain: BaseChain) -> bool:
    """Return whether packets carry our mark in this chain."""
    return chain.hook == "forward" and MARK_FROM < chain.priority < MARK_UNTIL


def _opening(facts: Facts, chain: BaseChain, target: AnyTarget, handle: int | None) -> str:
    """Return the command that lets routed packets through in front of the blocking rule.

    It matches our mark, or the addresses in a chain without the mark. ``handle`` is None for a policy that blocks.
    Return '' for a chain whose name nft cannot read.
    """
    if not chain.is_readable:
        return ""
    if is_of_iptables(chain):
        tool = "ip6tables-nft" if chain.family == "ip6" else "iptables-nft"
        return admin_iptables.by_address(tool, chain.table, chain.name, target)
    verb = "add" if handle is None else "insert"
    place = f"{verb} rule {chain.where}" + (f" position {handle}" if handle is not None else "")
    if sees_mark(chain):
        bit = f"{facts.settings.mark_bit:#x}"
        matches = [f"meta mark & {bit} == {bit}"]
    else:
        ip = "ip6" if target.family == 6 else "ip"
        matches = [f"{ip} daddr {target.block}", f"{ip} saddr {target.block}"]
    return " && ".join(f"nft {word(f'{place} {match} accept')}" for match in matches)


def is_of_iptables(chain: BaseChain) -> bool:
    """Return whether iptables-nft has made the chain, so that only iptables may write into it."""
    return (
        chain.family in {"ip", "ip6"} and chain.table in admin_iptables.TABLES and chain.name in admin_iptables.CHAINS
    )


def _advice(chain: BaseChain) -> str:
    if is_of_iptables(chain):
        return "and except these addresses in the configuration that this rule comes from"
    written = "and add it at the same place to the file of this chain, such as /etc/nftables.conf"
    if sees_mark(chain):
        return written
    return (
        f"{written}; the rule uses addresses, because packets carry our mark only in forward chains between filter-10 "
        "and filter+20"
    )


def _is_closed(facts: Facts) -> bool:
    """Return whether our gate in firewalld is closed, which another station reports."""
    gate = firewalld(facts.plan)
    return gate is not None and bool(gate.hindrance or gate.lacking)


def _firewalld(facts: Facts, chain: BaseChain, targets: Sequence[AnyTarget]) -> Finding:
    """Return the failure for a firewalld that rejects packets although our gate is open or not wanted."""
    if not facts.settings.opens(FIREWALLD):
        advice = f"add {FIREWALLD} to the setting gates in nethook.conf, and run nethook install"
    else:
        # firewalld applies no policy to packets between two interfaces that are in no zone.
        uplink = next(iter(facts.uplinks(targets[0].family)), "UPLINK")
        advice = (
            "put the uplink into a zone by name: firewall-cmd --permanent --zone=public --add-interface="
            f"{word(uplink)} && firewall-cmd --reload"
        )
    return Finding(
        FAILURE,
        FIREWALLD,
        f"firewalld rejects packets to the guest, or its answers (chain {chain.where})",
        advice=advice,
        addresses=[target.name for target in targets],
    )
