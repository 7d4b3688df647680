"""The firewalls on the way that get no gate of ours: an admin's nftables chains, rules in front of a gate, firewalld.

A packet from outside to the guest, and the answer to it, are judged by the rules of each chain. What blocks is named,
with the one line that lets routed addresses through; nothing is changed.
"""

from __future__ import annotations

from functools import partial
from shlex import join, quote
from typing import TYPE_CHECKING

from nethook.diagnosis.finding import FAILURE, OK, WARNING, Finding
from nethook.diagnosis.host import SOMEBODY
from nethook.diagnosis.iptables_rules import may_stop, words_of
from nethook.diagnosis.nft import Nft
from nethook.diagnosis.ours import chains
from nethook.diagnosis.verdict import Judge, Packet
from nethook.errors import ReadError
from nethook.gates.gate import first_blocker
from nethook.gates.iptables import IptablesGate
from nethook.kernel.layout import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.diagnosis.host import Host, Target
    from nethook.diagnosis.nft import BaseChain
    from nethook.diagnosis.verdict import Outcome

ADMINS, IPTABLES, FIREWALLD = "admin's nftables", "admin's iptables", "firewalld"
HOOKS = frozenset({"prerouting", "forward", "postrouting"})
MARK_FROM, MARK_UNTIL = -10, 20
"""The priorities of our chains in the forward hook: between them, packets carry the mark."""
IPTABLES_CHAINS = frozenset({"PREROUTING", "FORWARD", "POSTROUTING"})
IPTABLES_TABLES = frozenset({"filter", "mangle", "raw", "security"})
ESTABLISHED = "established"


def firewalls(host: Host, targets: Sequence[Target]) -> Iterator[Finding]:
    """What blocks each of these targets, whose networks are up."""
    families = {target.family for target in targets}
    yield from _in_front_of_gates(host, targets)
    nft = Nft(host.tools)
    try:
        every = nft.base_chains()
    except ReadError as error:
        yield Finding(WARNING, ADMINS, f"others' chains in nftables cannot be read: {error}")
        return
    of_iptables = {
        f"{'ip6' if gate.family == 6 else 'ip'} filter FORWARD"
        for gate, _ in chains(host, families)
        if isinstance(gate, IptablesGate)
    }
    blocked: set[str] = set()
    for chain in every:
        if chain.hook not in HOOKS or chain.family not in {"ip", "ip6", "inet"} or _is_of_others(chain, of_iptables):
            continue
        concerned = [target for target in targets if chain.family in {"inet", "ip6" if target.family == 6 else "ip"}]
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


def _is_of_others(chain: BaseChain, of_iptables: set[str]) -> bool:
    """Whether it is ours, or one that a gate is for, or that iptables alone can write."""
    if (chain.family, chain.table) == ("inet", NAME) or chain.table == "libvirt_network":
        return True
    if chain.where in of_iptables:
        return True
    return chain.name in IPTABLES_CHAINS and chain.table in IPTABLES_TABLES - {"filter"}


def _judged(host: Host, judge: Judge, chain: BaseChain, target: Target) -> Iterator[Finding]:
    bit = host.settings.mark_bit
    mark = bit if sees_mark(chain) else 0
    uplink = next(iter(host.uplinks(target.family)), "")
    outside = SOMEBODY[target.family]
    knows_out = chain.hook != "prerouting"
    knows_in = chain.hook != "postrouting"
    for what, packet in (
        (
            "what is sent to the guest",
            Packet(
                target.family,
                uplink if knows_in else "",
                target.bridge if knows_out else "",
                outside,
                target.address,
                bit,
                mark,
                "new",
            ),
        ),
        (
            "what the guest answers",
            Packet(
                target.family,
                target.bridge if knows_in else "",
                uplink if knows_out else "",
                target.address,
                outside,
                bit,
                mark,
                ESTABLISHED,
            ),
        ),
    ):
        outcome = judge.judge(chain.name, chain.policy, packet)
        finding = _finding(host, chain, target, what, outcome)
        if finding:
            yield finding
            return


def _finding(host: Host, chain: BaseChain, target: Target, what: str, outcome: Outcome) -> Finding | None:
    is_firewalld = chain.table == FIREWALLD
    if outcome.blocked and not outcome.is_meant:
        how = f"the rule with handle {outcome.rule['handle']}" if outcome.rule else "its policy"
        if is_firewalld:
            return _firewalld(host, chain, [target])
        return Finding(
            FAILURE,
            ADMINS,
            f"chain {chain.where} drops {what}: {how}",
            command=_opening(host, chain, target, outcome.rule["handle"] if outcome.rule else None),
            advice=_advice(chain),
            addresses=[target.name],
        )
    rule = outcome.rule if outcome.blocked else outcome.may_block
    if is_firewalld or (rule is None and not outcome.blocked):
        return None
    how = f"the rule with handle {rule['handle']}" if rule else "its policy"
    text = f"chain {chain.where} drops a part of {what}: {how}"
    advice = "nothing to do if that is how you filter this guest"
    return Finding(WARNING, ADMINS, text, advice=advice, addresses=[target.name])


def sees_mark(chain: BaseChain) -> bool:
    """Whether packets carry our mark in this chain."""
    return chain.hook == "forward" and MARK_FROM < chain.priority < MARK_UNTIL


def _opening(host: Host, chain: BaseChain, target: Target, handle: int | None) -> str:
    """The command that lets routed packets through, in front of what blocks; by address where there is no mark."""
    verb = "add" if handle is None else "insert"
    place = f"{verb} rule {chain.where}" + (f" position {handle}" if handle is not None else "")
    if sees_mark(chain):
        bit = f"{host.settings.mark_bit:#x}"
        matches = [f"meta mark & {bit} == {bit}"]
    else:
        ip = "ip6" if target.family == 6 else "ip"
        block = target.line.prefix.text
        matches = [f"{ip} daddr {block}", f"{ip} saddr {block}"]
    return " && ".join(f"nft {quote(f'{place} {match} accept')}" for match in matches)


def _advice(chain: BaseChain) -> str:
    written = "and write it at that place into the file that makes this chain, such as /etc/nftables.conf"
    if sees_mark(chain):
        return written
    return (
        f"{written}; by address, because packets carry our mark only in forward chains between filter-10 and filter+20"
    )


def _is_closed(host: Host) -> bool:
    """Whether our gate in firewalld is not open, which is a finding at another station."""
    gate = host.plan.firewalld
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


def _in_front_of_gates(host: Host, targets: Sequence[Target]) -> Iterator[Finding]:
    """Rules of an admin in iptables' FORWARD that stop packets before they come to the gate."""
    for gate, chain in chains(host, {target.family for target in targets}):
        if not isinstance(gate, IptablesGate):
            continue
        ours = [number for number, rule in enumerate(chain.rules) if rule.is_ours]
        end = ours[0] if ours else first_blocker(chain.rules)
        for target in targets:
            if target.family != gate.family:
                continue
            for rule in chain.rules[:end]:
                uplink = next(iter(host.uplinks(target.family)), "")
                stops = may_stop(rule.name, target.address, target.bridge, uplink, SOMEBODY[gate.family])
                if stops is False or rule.blocks:
                    continue
                tool = gate.where.split()[0]
                yield Finding(
                    FAILURE if stops else WARNING,
                    IPTABLES,
                    f"a rule in {gate.where} stops {'' if stops else 'a part of '}what is sent to the guest, "
                    f"in front of our gate: {rule.name}",
                    command=f"{tool} -w -D FORWARD {join(words_of(rule.name))}" if stops else "",
                    advice="" if stops else "nothing to do if that is how you filter this guest",
                    addresses=[target.name],
                )
