"""Chains of nftables, and rules of iptables in front of our gate, that certainly drop what is in force.

From all senders: what drops a part of the packets, such as those from some addresses, or to some ports, is for
``nethook doctor`` to tell. Only what an admin has made is read, and most hosts have nothing of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.doctor import packets
from nethook.doctor.admin_iptables import in_front
from nethook.doctor.facts import Target
from nethook.doctor.firewalls import FIREWALLD, ROUTER, sees_mark
from nethook.doctor.iptables_judge import judge as judge_iptables
from nethook.doctor.nft_chains import Nft
from nethook.doctor.nft_judge import Judge
from nethook.errors import ReadError
from nethook.gates.gate import NFT_FAMILIES
from nethook.gates.iptables import IptablesGate
from nethook.host.layout import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import AnyTarget, Facts
    from nethook.doctor.iptables_judge import Listing
    from nethook.doctor.nft_chains import BaseChain

WITH_GATES = frozenset({NAME, "libvirt_network", FIREWALLD})
"""Tables that are ours, or for which our gates speak."""


def certain_drops(facts: Facts, targets: Sequence[AnyTarget]) -> dict[AnyTarget, str]:
    """Return why packets of a target are dropped, for those of which it is certain.

    A chain that cannot be read tells nothing.
    """
    found: dict[AnyTarget, str] = {}
    try:
        for gate, rules in in_front(facts, {target.family for target in targets}):
            for target in targets:
                if target not in found and target.family == gate.family and (what := _stopped(facts, rules, target)):
                    found[target] = f"a rule in {gate.where} stops {what}"
        nft = Nft(facts.tools)
        for chain in _foreign(facts, nft):
            # Whether an address is in a set takes a process for each, so that counts as unknown.
            judge = Judge(nft.rules(chain), lambda *_: None)
            for target in targets:
                if target not in found and (what := _dropped(facts, judge, chain, target)):
                    found[target] = f"chain {chain.where} drops {what}"
    except ReadError:
        return found
    return found


def _foreign(facts: Facts, nft: Nft) -> Iterator[BaseChain]:
    """Yield the chains of others that routed packets pass, and for which no gate of ours speaks."""
    gates = {
        f"{NFT_FAMILIES[opening.family]} filter FORWARD"
        for opening in facts.plan.case.snapshot.openings
        if isinstance(opening.gate, IptablesGate)
    }
    for chain in nft.filter_chains():
        is_passed = chain.family in {*NFT_FAMILIES.values(), "inet"} and chain.hook in ROUTER
        if is_passed and chain.table not in WITH_GATES and chain.where not in gates:
            yield chain


def _dropped(facts: Facts, judge: Judge, chain: BaseChain, target: AnyTarget) -> str:
    """Return which packets of this target the chain certainly drops; '' if none."""
    if chain.family not in {NFT_FAMILIES[target.family], "inet"} or (target.is_forwarded and chain.hook != "forward"):
        return ""
    for what, packet in packets.routed(facts, target, chain.hook, is_marked=sees_mark(chain)):
        judgement = judge.judge(chain.name, chain.policy, packet._replace(**_unknown(facts, target, what)))
        if judgement.blocked and not judgement.is_meant and not judge.may_pass:
            return what
    return ""


def _stopped(facts: Facts, rules: Listing, target: AnyTarget) -> str:
    """Return which packets of this target the rules in FORWARD certainly stop, and by which rule; '' if none."""
    for what, packet in packets.routed(facts, target, "forward", is_marked=True):
        ruling = judge_iptables(rules, "FORWARD", packet._replace(**_unknown(facts, target, what)))
        if ruling.stops:
            return f"{what}: {ruling.rule}"
    return ""


def _unknown(facts: Facts, target: AnyTarget, what: str) -> dict[str, Any]:
    """Return what is not the same of all such packets: who is outside, by which uplink, and which part of a prefix."""
    outside, inside, device = "source", "destination", "device_in"
    if what != packets.TO_GUEST:
        outside, inside, device = inside, outside, "device_out"
    unknown: dict[str, Any] = {outside: None}
    if isinstance(target, Target) and not target.is_exact:
        unknown[inside] = None
    if len(facts.uplinks(target.family)) != 1:
        unknown[device] = ""
    return unknown
