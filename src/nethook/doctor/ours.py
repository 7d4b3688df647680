"""What is ours: the table, the elements of an address, and the gates in other programs' firewalls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import what_is_wrong_with_uplink, which_uplink
from nethook.gates.firewalld.gate import WHERE, Firewalld
from nethook.gates.gate import PASSABLE
from nethook.parts.gateways import GATEWAYS
from nethook.parts.switches import NO_LEARNING
from nethook.parts.tables.binding import TABLE as BINDING
from nethook.parts.tables.binding import UNKEPT
from nethook.parts.tables.classifying import TABLE as CLASSIFYING
from nethook.steps.effect import REMOVE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nethook.doctor.host import Host, Target
    from nethook.engine.plan import Plan
    from nethook.gates.gate import Chain, Gate

TABLE, ACCEPTED, GATE, LEFTOVERS = "our table", "our table", "gate", "leftovers"
GATEWAY, PROXY = "gateway", "proxy"
APPLY = "nethook apply"
OTHER_GATEWAY = "choose another one as gateway4 in /etc/nethook/nethook.conf, or have them use that of their network"


def table(host: Host, targets: Collection[Target]) -> Iterator[Finding]:
    """Whether our tables are there with their rules: that for all of these targets, and that for bound ones."""
    if host.pending.lacks(CLASSIFYING):
        yield Finding(FAILURE, TABLE, f"our nftables table {CLASSIFYING} is not there, or has no rules", command=APPLY)
    else:
        yield Finding(OK, TABLE, f"{CLASSIFYING} has its rules")
        bridges = [effect for effect in host.plan.effects if effect.kind in {"bridge", "isolated"}]
        if bridges:
            text = "our table does not know libvirt's networks as they are: " + "; ".join(map(str, bridges))
            yield Finding(WARNING, TABLE, text, command=APPLY)
    bound = [target.name for target in targets if target.line.guest]
    if bound and host.pending.lacks(BINDING):
        text = f"our nftables table {BINDING}, which keeps addresses to guests, is not there, or has no rules"
        routed = [target.name for target in targets if target.line.guest and _is_routed(host, target)]
        text += f"; {UNKEPT}: {', '.join(routed)}" if routed else ""
        yield Finding(FAILURE, TABLE, text, command=APPLY, addresses=bound)
    kinds = {"route", "accept", "table"}
    gone = [effect for effect in host.plan.effects if effect.sign == REMOVE and effect.kind in kinds]
    if gone:
        text = f"the kernel still has what no line asks for: {gone[0].text}" + (" and more" if len(gone) > 1 else "")
        yield Finding(WARNING, LEFTOVERS, text, command=APPLY)


def _is_routed(host: Host, target: Target) -> bool:
    return any(route[:2] == (target.line.prefix.text, target.bridge) for route in host.plan.case.routes)


def accepted(host: Host, target: Target) -> Iterator[Finding]:
    """Whether our table accepts the address on its bridge, and guards it."""
    pending, line = host.pending, target.line
    if pending.lacks(CLASSIFYING):
        return
    if pending.is_unbound(line) and not pending.lacks(BINDING):
        text = f"{line.prefix} is not bound to its guest's NIC"
        if _is_routed(host, target):
            text = f"{line.prefix} is routed, but not yet kept to guest {line.guest}"
        yield Finding(FAILURE, ACCEPTED, text, command=APPLY, addresses=[target.name])
    if unaccepted := pending.unaccepted(line, target.bridge):
        text = f"our table does not accept {unaccepted} on {target.bridge}"
        yield Finding(FAILURE, ACCEPTED, text, command=APPLY, addresses=[target.name])
    if unguarded := pending.unguarded(line):
        text = f"our table does not guard {unguarded}: other guests can use it as well"
        yield Finding(WARNING, ACCEPTED, text, command=APPLY, addresses=[target.name])
    if pending.lets_bridge_learn(line, target.bridge):
        text = f"other guests on {target.bridge} can take what is sent to {line.prefix}: its {NO_LEARNING} is off"
        yield Finding(FAILURE, ACCEPTED, text, command=APPLY, addresses=[target.name])


def reached(host: Host, target: Target) -> Iterator[Finding]:
    """Whether guests have their gateway, and the uplink's network somebody who answers, where a line wants that."""
    uplink = target.line.proxy
    wrong = what_is_wrong_with_uplink(uplink, host.live) if uplink else ""
    if wrong:
        text = f"the host cannot answer for {target.line.prefix}: {wrong}"
        advice = f"{target.line.place}: {which_uplink(host.uplinks(target.family))}"
        yield Finding(FAILURE, PROXY, text, advice=advice, addresses=[target.name])
    if lacking := host.pending.gateway(target.bridge, target.family):
        text = f"guests on {target.bridge} that use {lacking} as their gateway find nobody there"
        yield Finding(WARNING, GATEWAY, text, command=APPLY, addresses=[target.name])
    for address in [] if wrong else host.pending.unanswered(target.line):
        text = f"the host does not answer for {address} on {uplink}"
        yield Finding(FAILURE, PROXY, text, command=APPLY, addresses=[target.name])
    gateway = host.settings.gateway(target.family) or ""
    device = GATEWAYS.taken(host.plan.case).get((gateway, target.bridge), target.bridge)
    if device != target.bridge:
        text = f"guests on {target.bridge} cannot use {gateway} as their gateway: it is on {device}"
        yield Finding(WARNING, GATEWAY, text, advice=OTHER_GATEWAY, addresses=[target.name])
    if host.pending.has_deaf_uplink(target.line):
        text = f"the kernel does not look at our proxy entries on {uplink}: proxy_ndp is off"
        yield Finding(FAILURE, PROXY, text, command=APPLY, addresses=[target.name])


def opened(host: Host, families: Collection[int]) -> Iterator[Finding]:
    """Whether each firewall that another program writes has its gate, in front of what rejects."""
    for gate, chain in chains(host, families):
        misfit = gate.misfit(chain)
        if gate.setting not in host.settings.gates and chain.gates:
            text = f"our gate in {gate.where} is open, and by the setting gates it gets none"
            yield Finding(WARNING, GATE, text, command=APPLY)
        elif not misfit:
            state = "is open" if chain.gates else "is not needed, nothing there blocks"
            yield Finding(OK, GATE, f"in {gate.where}: {state}")
        elif gate.setting in host.settings.gates:
            verdict = WARNING if misfit in PASSABLE else FAILURE
            yield Finding(verdict, GATE, f"our gate in {gate.where} is {misfit}", command=APPLY)
        else:
            advice = f"add {gate.setting} to the setting gates in nethook.conf, and run {APPLY}"
            text = f"{gate.where} blocks, and by the setting gates it gets no gate"
            yield Finding(FAILURE, GATE, text, advice=advice)
    yield from _firewalld(host)


def _firewalld(host: Host) -> Iterator[Finding]:
    """Whether firewalld, where it runs, has our policy and the entries for it."""
    gate = firewalld(host.plan)
    for failure in host.plan.failures if gate is None else ():
        yield Finding(WARNING, GATE, f"nobody knows whether our gate in {WHERE} is open: {failure}")
    if gate is None:
        return
    if gate.hindrance:
        yield Finding(FAILURE, GATE, f"our gate in {WHERE} is missing", command="nethook install")
    elif gate.lacking:
        lacking = [prefix.text for prefix in gate.lacking]
        text = f"our gate in {WHERE} is not open for {', '.join(lacking)}"
        yield Finding(FAILURE, GATE, text, command=APPLY, addresses=lacking)
    elif gate.changes(host.plan.case):
        yield Finding(WARNING, GATE, f"our gate in {WHERE} is out of date", command=APPLY)
    else:
        yield Finding(OK, GATE, f"in {WHERE}: {gate.state(host.plan.case)}")


def firewalld(plan: Plan) -> Firewalld | None:
    """Return our gate in firewalld; None if it does not run, or gets none by the settings."""
    gates = (opening for opening in plan.openings if isinstance(opening, Firewalld))
    return next((gate for gate in gates if gate.setting in plan.case.settings.gates), None)


def chains(host: Host, families: Collection[int]) -> list[tuple[Gate, Chain]]:
    """The chains of others where a gate belongs, those included that by the settings get none."""
    openings = host.plan.case.snapshot.openings
    return [(opening.gate, opening.chain) for opening in openings if opening.family in families]
