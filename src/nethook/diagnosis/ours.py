"""What is ours: the table, the elements of an address, and the gates in other programs' firewalls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.diagnosis.finding import FAILURE, OK, WARNING, Finding
from nethook.diagnosis.host_problems import what_is_wrong_with_uplink, which_uplink
from nethook.effect import ADD, REMOVE
from nethook.firewalld.gate import WHERE
from nethook.gates.gate import PASSABLE
from nethook.kernel.binding import BINDING
from nethook.kernel.ruleset import TABLE as CLASSIFYING
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from nethook.diagnosis.host import Host, Target
    from nethook.gates.gate import Chain, Gate

TABLE, ACCEPTED, GATE, LEFTOVERS = "our table", "our table", "gate", "leftovers"
GATEWAY, PROXY = "gateway", "proxy"
OF_BINDING = {"bound", "neighbour", "reserved"}
APPLY = "nethook apply"
OTHER_GATEWAY = "choose another one as gateway4 in /etc/nethook/nethook.conf, or have them use that of their network"


def table(host: Host, targets: Iterable[Target]) -> Iterator[Finding]:
    """Whether our tables are there with their rules: that for all of these targets, and that for bound ones."""
    if _is_lacking(host, CLASSIFYING):
        yield Finding(FAILURE, TABLE, f"our nftables table {CLASSIFYING} is not there, or has no rules", command=APPLY)
    else:
        yield Finding(OK, TABLE, f"{CLASSIFYING} has its rules")
        bridges = [effect for effect in host.plan.effects if effect.kind in {"bridge", "isolated"}]
        if bridges:
            text = "our table does not know libvirt's networks as they are: " + "; ".join(map(str, bridges))
            yield Finding(WARNING, TABLE, text, command=APPLY)
    bound = [target.name for target in targets if target.line.guest]
    if bound and _is_lacking(host, BINDING.table):
        text = f"our nftables table {BINDING.table}, which keeps addresses to guests, is not there, or has no rules"
        yield Finding(FAILURE, TABLE, text, command=APPLY, addresses=bound)
    kinds = {"route", "accept", "table"}
    gone = [effect for effect in host.plan.effects if effect.sign == REMOVE and effect.kind in kinds]
    if gone:
        text = f"in the kernel is what no line wants: {gone[0].text}" + (" and more" if len(gone) > 1 else "")
        yield Finding(WARNING, LEFTOVERS, text, command=APPLY)


def _is_lacking(host: Host, table: str) -> bool:
    """Whether one of our tables is to be made, or made anew."""
    return any(effect.kind == "table" and effect.to == table and effect.sign == ADD for effect in host.plan.effects)


def accepted(host: Host, target: Target) -> Iterator[Finding]:
    """Whether our table accepts the address on its bridge, and guards it."""
    effects = host.plan.effects
    if _is_lacking(host, CLASSIFYING):
        return
    prefix = target.line.prefix
    is_unbound = any(effect.line is target.line and effect.kind in OF_BINDING for effect in effects)
    if is_unbound and not _is_lacking(host, BINDING.table):
        text = f"{prefix} is not bound to its guest's NIC"
        yield Finding(FAILURE, ACCEPTED, text, command=APPLY, addresses=[target.name])
    for effect in effects:
        if effect.kind == "accept" and effect.sign != REMOVE and effect.bridge == target.bridge:
            if prefix.lies_in(parse_prefix(effect.prefix)):
                text = f"our table does not accept {effect.prefix} on {target.bridge}"
                yield Finding(FAILURE, ACCEPTED, text, command=APPLY, addresses=[target.name])
        elif effect.kind == "guard" and effect.sign == ADD and prefix.lies_in(parse_prefix(effect.prefix)):
            text = f"our table does not guard {effect.prefix}: other guests can use it as well"
            yield Finding(WARNING, ACCEPTED, text, command=APPLY, addresses=[target.name])


def reached(host: Host, target: Target) -> Iterator[Finding]:
    """Whether guests have their gateway, and the uplink's network somebody who answers, where a line wants that."""
    uplink = target.line.proxy
    wrong = what_is_wrong_with_uplink(uplink, host.live) if uplink else ""
    if wrong:
        text = f"the host cannot answer for {target.line.prefix}: {wrong}"
        advice = f"{target.line.place}: {which_uplink(host.uplinks(target.family))}"
        yield Finding(FAILURE, PROXY, text, advice=advice, addresses=[target.name])
    for effect in host.plan.effects:
        if effect.sign != ADD:
            continue
        if effect.kind == "gateway" and effect.bridge == target.bridge:
            if parse_prefix(effect.prefix).family == target.family:
                text = f"guests on {effect.bridge} that use {effect.prefix} as their gateway find nobody there"
                yield Finding(WARNING, GATEWAY, text, command=APPLY, addresses=[target.name])
        elif effect.kind == "proxy" and not wrong and parse_prefix(effect.prefix).lies_in(target.line.prefix):
            text = f"the host does not answer for {effect.prefix} on {effect.to}"
            yield Finding(FAILURE, PROXY, text, command=APPLY, addresses=[target.name])
    gateway = host.settings.gateway(target.family) or ""
    device = host.plan.desired.taken.get((gateway, target.bridge), target.bridge)
    if device != target.bridge:
        text = f"guests on {target.bridge} cannot use {gateway} as their gateway: it is on {device}"
        yield Finding(WARNING, GATEWAY, text, advice=OTHER_GATEWAY, addresses=[target.name])
    if uplink and target.family == 6 and any(effect.kind == "proxy_ndp" for effect in host.plan.effects):
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
    gate = host.plan.firewalld
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
    elif gate.changes():
        yield Finding(WARNING, GATE, f"our gate in {WHERE} is out of date", command=APPLY)
    else:
        yield Finding(OK, GATE, f"in {WHERE}: {gate.state}")


def chains(host: Host, families: Collection[int]) -> list[tuple[Gate, Chain]]:
    """The chains of others where a gate belongs, those included that by the settings get none."""
    found = (*host.plan.chains, *host.plan.left_out)
    return [(gate, chain) for gate, chain in found if gate.family in families]
