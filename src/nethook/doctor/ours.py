"""What is ours: the table, the elements of an address, and the gates in other programs' firewalls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import what_is_wrong_with_uplink, which_uplink
from nethook.gates.firewalld.gate import WHERE, Firewalld
from nethook.gates.gate import PASSABLE
from nethook.parts.gateways import GATEWAYS
from nethook.parts.part import BROKEN
from nethook.parts.tables.binding import BINDING, UNKEPT
from nethook.parts.tables.binding import TABLE as BRIDGE
from nethook.parts.tables.classifying import CLASSIFYING
from nethook.parts.tables.classifying import TABLE as INET
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
    if CLASSIFYING.is_lacking(host.plan.case):
        yield Finding(FAILURE, TABLE, f"our nftables table {INET} is not there, or has no rules", command=APPLY)
    else:
        yield Finding(OK, TABLE, f"{INET} has its rules")
        bridges = [effect for effect in host.plan.effects if effect.kind in {"bridge", "isolated"}]
        if bridges:
            text = "our table does not know libvirt's networks as they are: " + "; ".join(map(str, bridges))
            yield Finding(WARNING, TABLE, text, command=APPLY)
    bound = [target.name for target in targets if target.line.guest]
    if bound and BINDING.is_lacking(host.plan.case):
        text = f"our nftables table {BRIDGE}, which keeps addresses to guests, is not there, or has no rules"
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


def lacking(host: Host, target: Target) -> Iterator[Finding]:
    """Yield what parts of ours still lack for the address."""
    case = host.plan.case
    uplink = target.line.proxy
    wrong = what_is_wrong_with_uplink(uplink, host.live) if uplink else ""
    if wrong:
        text = f"the host cannot answer for {target.line.prefix}: {wrong}"
        advice = f"{target.line.place}: {which_uplink(host.uplinks(target.family))}"
        yield Finding(FAILURE, PROXY, text, advice=advice, addresses=[target.name])
    for lack in case.lacks(host.placement(target)):
        if lack.text and not (wrong and lack.station == PROXY):
            verdict = FAILURE if lack.weight == BROKEN else WARNING
            yield Finding(verdict, lack.station, lack.text, command=APPLY, addresses=[target.name])
    gateway = host.settings.gateway(target.family) or ""
    device = GATEWAYS.taken(case).get((gateway, target.bridge), target.bridge)
    if device != target.bridge:
        text = f"guests on {target.bridge} cannot use {gateway} as their gateway: it is on {device}"
        yield Finding(WARNING, GATEWAY, text, advice=OTHER_GATEWAY, addresses=[target.name])


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
