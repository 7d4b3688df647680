"""The station of our own objects: our tables, their elements for an address, and our gates in foreign firewalls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.changes import REMOVE
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import what_is_wrong_with_uplink, which_uplink
from nethook.gates.firewalld.gate import WHERE, Firewalld
from nethook.parts.binding import BINDING, UNKEPT
from nethook.parts.binding import TABLE as BRIDGE
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.classifying import TABLE as INET
from nethook.placement import APPLY, BROKEN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nethook.doctor.facts import AnyTarget, Facts, Target
    from nethook.engine.plan import Plan
    from nethook.gates.gate import Chain, Gate, Opening

TABLE, GATE, LEFTOVERS = "our table", "gate", "leftovers"
PROXY = "proxy"


def table(facts: Facts, targets: Collection[Target]) -> Iterator[Finding]:
    """Yield whether our tables have their rules: the one for all these targets, and the one for bound targets."""
    if CLASSIFYING.is_lacking(facts.plan.case):
        text = f"our nftables table {INET} is missing or has no rules"
        yield Finding(FAILURE, TABLE, text, command=APPLY, addresses=[target.name for target in targets])
    else:
        yield Finding(OK, TABLE, f"{INET} has its rules")
        bridges = [effect for effect in facts.plan.effects if effect.kind in {"bridge", "isolated"}]
        if bridges:
            text = "our table is out of date about libvirt's networks: " + "; ".join(map(str, bridges))
            yield Finding(WARNING, TABLE, text, command=APPLY)
    bound = [target.name for target in targets if target.line.guest]
    if bound and BINDING.is_lacking(facts.plan.case):
        text = f"our nftables table {BRIDGE}, which binds addresses to guests, is missing or has no rules"
        routed = [target.name for target in targets if target.line.guest and _is_routed(facts, target)]
        text += f"; {UNKEPT}: {', '.join(routed)}" if routed else ""
        yield Finding(FAILURE, TABLE, text, command=APPLY, addresses=bound)
    kinds = {"route", "accept", "table"}
    gone = [effect for effect in facts.plan.effects if effect.sign == REMOVE and effect.kind in kinds]
    if gone:
        text = f"the kernel has objects that no line asks for: {gone[0].text}" + (" and more" if len(gone) > 1 else "")
        yield Finding(WARNING, LEFTOVERS, text, command=APPLY)


def _is_routed(facts: Facts, target: Target) -> bool:
    return any(route[:2] == (target.line.prefix.text, target.bridge) for route in facts.plan.case.routes)


def lacking(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield a finding for each object of ours that the address still lacks."""
    case = facts.plan.case
    uplink = target.line.proxy
    wrong = what_is_wrong_with_uplink(uplink, facts.live) if uplink else ""
    if wrong:
        text = f"the host cannot answer for {target.line.prefix}: {wrong}"
        advice = f"{target.line.place}: {which_uplink(facts.uplinks(target.family))}"
        yield Finding(FAILURE, PROXY, text, advice=advice, addresses=[target.name])
    for lack in case.lacks(facts.placement(target)):
        if lack.text and not (wrong and lack.station == PROXY):
            verdict = FAILURE if lack.weight == BROKEN else WARNING
            yield Finding(
                verdict, lack.station, lack.text, command=lack.command, advice=lack.advice, addresses=[target.name]
            )


def opened(facts: Facts, targets: Collection[AnyTarget]) -> Iterator[Finding]:
    """Yield whether each foreign firewall has our gate for these targets, in front of the rules that reject."""
    yield from opened_in_chains(facts, targets)
    for opening in facts.plan.openings:
        if not opening.family:
            yield from _opened(facts, opening, targets)
    for failure in facts.plan.failures if all(opening.setting != WHERE for opening in facts.plan.openings) else ():
        yield Finding(WARNING, GATE, f"it is unknown whether our gate in {WHERE} is open: {failure}")


def opened_in_chains(facts: Facts, targets: Collection[AnyTarget]) -> Iterator[Finding]:
    """Yield the same for the firewalls whose gate is a rule in a chain, as all are that packets of a forward need."""
    for opening in facts.plan.openings:
        members = [target for target in targets if target.family == opening.family]
        if members:
            yield from _opened(facts, opening, members)


def _opened(facts: Facts, opening: Opening, targets: Collection[AnyTarget]) -> Iterator[Finding]:
    case = facts.plan.case
    names = [target.name for target in targets]
    lacks = list(opening.lacks(case))
    for lack in lacks:
        verdict = FAILURE if lack.weight == BROKEN else WARNING
        addresses = lack.addresses or names
        yield Finding(verdict, GATE, lack.text, command=lack.command, advice=lack.advice, addresses=addresses)
    if not lacks:
        yield Finding(OK, GATE, f"in {opening.where}: {opening.state(case) or 'not needed'}")


def firewalld(plan: Plan) -> Firewalld | None:
    """Return our gate in firewalld; None if firewalld does not run, or if the settings leave it out."""
    gates = (opening for opening in plan.openings if isinstance(opening, Firewalld))
    return next((gate for gate in gates if plan.case.settings.opens(gate.setting)), None)


def chains(facts: Facts, families: Collection[int]) -> list[tuple[Gate, Chain]]:
    """Return the foreign chains in which a gate belongs, even those that the settings leave out."""
    openings = facts.plan.case.snapshot.openings
    return [(opening.gate, opening.chain) for opening in openings if opening.family in families]
