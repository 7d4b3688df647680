"""The stations of forwarded ports: does each line lead to a guest, and do foreign firewalls let its packets pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor import (
    bridge_addresses,
    firewalls,
    guest_answers,
    kernel_settings,
    ours,
    plugged,
    services,
    uplink_subnets,
)
from nethook.doctor.facts import ForwardTarget, keep_sysctl, set_sysctl
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.forward_problems import unreserved
from nethook.gates.firewalld import strict
from nethook.host.files import sysctl
from nethook.host.links import available
from nethook.libvirt.names import unresolved
from nethook.placement import BROKEN, KEPT, REFUSED
from nethook.placement.forwarded import FORWARDED
from nethook.shell import operand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.doctor.facts import Facts
    from nethook.placement.forwarded import Forwarding

STATION, BRIDGED, STRICT = "forward", "br_netfilter", "firewalld"
BRIDGED_SETTING = {4: "net/bridge/bridge-nf-call-iptables", 6: "net/bridge/bridge-nf-call-ip6tables"}


def bridges(facts: Facts, lines: Iterable[Forward]) -> Mapping[str, set[int]]:
    """Return the bridges to which these lines lead while their networks are up, with the families of the lines."""
    up = {network.name: network.bridge for network in facts.up}
    found: dict[str, set[int]] = {}
    for line in lines:
        if not line.is_hosts and line.network in up and line.family in available():
            found.setdefault(up[line.network], set()).add(line.family)
    return found


def forwards(facts: Facts, lines: Iterable[Forward]) -> Iterator[Finding]:
    """Yield the findings for these lines."""
    wanted = set(lines)
    about = [each for each in facts.plan.case.forwardings if each.line in wanted]
    if not about:
        return
    targets = [ForwardTarget(each) for each in about if each.target and each.line.family in available()]
    yield from kernel_settings.forwarding(facts, targets)
    yield from bridge_addresses.bridge_addresses(facts, [target for target in targets if target.bridge])
    wrong = {line: problem for line, problem in unresolved([each.line for each in about], facts.live)[0] if problem}
    refused = dict(facts.plan.case.refused_forwards)
    for each in about:
        problem = wrong.get(each.line) or refused.get(each.line)
        if problem:
            text = f"it leads nowhere: {problem.what}"
            advice = f"{problem.place}: {problem.advice}"
            yield Finding(FAILURE, STATION, text, advice=advice, addresses=[each.line.text])
        else:
            yield from _line(facts, each)
    led = [each.line for each in about if each.status == FORWARDED and each.target]
    yield from uplink_subnets.uplink_subnets(facts, [(line.text, line) for line in led])
    for target in targets:
        if target.bridge:
            yield from plugged.somebody(facts, target, target.line.network)
    yield from _bridged(sorted({target.family for target in targets}))
    yield from _strict(facts, [target.name for target in targets])
    yield from ours.opened_in_chains(facts, targets)
    yield from firewalls.firewalls(facts, targets)
    findings = list(guest_answers.answering(facts, [target for target in targets if target.bridge]))
    yield from findings
    there = {name for finding in findings if finding.verdict == OK for name in finding.addresses}
    yield from services.services(target for target in targets if target.name in there)


def _line(facts: Facts, each: Forwarding) -> Iterator[Finding]:
    line, names = each.line, [each.line.text]
    if each.status in {REFUSED, KEPT}:
        yield Finding(FAILURE, STATION, f"it stays as it was: {each.why}", addresses=names)
        return
    if each.status != FORWARDED:
        command, advice = _start(facts, each)
        text = f"it is refused: {each.why}"
        yield Finding(FAILURE, STATION, text, command=command, advice=advice, addresses=names)
        return
    lacks = facts.plan.case.lacks_of_forward(each)
    for lack in lacks:
        verdict = FAILURE if lack.weight == BROKEN else WARNING
        yield Finding(verdict, lack.station, lack.text, command=lack.command, advice=lack.advice, addresses=names)
    if not lacks:
        where = "this host" if line.is_hosts else each.target
        # At a port that stays with the host, no guest has to answer.
        yield Finding(OK, STATION, f"it leads to {where}", addresses=names, is_answer=line.is_hosts)


def _start(facts: Facts, each: Forwarding) -> tuple[str, str]:
    """Return the command that makes the line lead to its guest, and advice; each is '' if there is none."""
    line, network = each.line, facts.live.get(each.line.network)
    if network and not network.is_active:
        return f"virsh net-start {operand(line.network)}", ""
    if not line.guest or not network:
        return "", ""
    if network.network.ports.of(line.guest, line.mac):
        return "", "; ".join(problem.advice for problem in unreserved(line, network, facts.guests))
    guest = (facts.guests or {}).get(line.guest)
    return f"virsh start {operand(line.guest)}" if guest and not guest.is_running else "", ""


def _bridged(families: Sequence[int]) -> Iterator[Finding]:
    """Yield a warning if the kernel also filters bridged packets: a guest cannot reach itself then."""
    for family in families:
        name = BRIDGED_SETTING[family]
        if sysctl(name) == 1:
            text = f"br_netfilter is on for IPv{family}: a guest cannot reach itself by its own forward, others can"
            advice = f"only if nothing on this host needs it (some set-ups of Docker do): {keep_sysctl(name, 0)}"
            yield Finding(WARNING, BRIDGED, text, command=set_sysctl(name, 0), advice=advice)


def _strict(facts: Facts, names: Sequence[str]) -> Iterator[Finding]:
    """Yield a failure if firewalld rejects connections that other programs have forwarded."""
    if names and strict.is_strict(facts.tools):
        yield Finding(FAILURE, STRICT, strict.WHAT, advice=strict.ADVICE, addresses=names)
