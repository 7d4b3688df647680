"""The surroundings of lines in force: do the host, its bridges and the firewalls of others let packets pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.bridge_addresses import LostAddresses
from nethook.doctor.facts import Facts, ForwardTarget, targets
from nethook.doctor.uplink_subnets import UplinkSubnets
from nethook.placement.forwarded import FORWARDED
from nethook.prefix import parse_prefix
from nethook.status.doubts import Doubts
from nethook.status.drops import certain_drops
from nethook.status.hindrances import Hindrances, Subject
from nethook.status.line_states import BLOCKED, NOT_APPLIED, ROUTED, WAITING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.doctor.facts import AnyTarget
    from nethook.engine.plan import Plan
    from nethook.engine.situation import Situation
    from nethook.host import Host
    from nethook.status.forward_states import ForwardState
    from nethook.status.hindrances import Note
    from nethook.status.line_states import LineState


def look_around(
    now: Situation, plan: Plan, lines: Sequence[LineState], forwards: Sequence[ForwardState], host: Host
) -> list[Note]:
    """Give each line that is in force, and does not work all the same, its state and reason. ReadError.

    Returns notes about guests that are not where libvirt has plugged them in.
    """
    addresses = plan.case.snapshot.addresses
    hindrances = Hindrances(now.up, addresses, host, is_live=now.is_live)
    held = [(parse_prefix(each.text), each.length, each.device) for each in addresses]
    doubts = Doubts(UplinkSubnets(now.configuration, now.up, held, host), host)
    gateways = LostAddresses(now.live, held, host)
    for state in lines:
        line = state.line
        found = None
        if state.state == ROUTED:
            about = Subject(line.prefix.family, line.network, state.bridge, state.mac)
            found = hindrances.of_address(line.prefix) or hindrances.of(about)
            if found is None and not state.reason:
                gone = gateways.of(line.network, line.prefix.family)  # guests may have another gateway
                state.reason = gone[0].sentence if gone else doubts.of(line, state.bridge)
        elif state.state == WAITING and line.guest:
            found = hindrances.of_lost_guest(line.network, line.guest, line.mac)
        elif state.state == NOT_APPLIED:  # with a bridge that is down, apply would fail
            found = hindrances.of_bridge(state.bridge)
        if found:
            said = state.reason if state.state == ROUTED else ""  # such as a mistake, in spite of which it is in force
            state.state, state.reason = found.state, "; ".join(filter(None, (said, found.reason)))
    for forward in forwards:
        of = forward.line
        if forward.state == WAITING and of.guest and (lost := hindrances.of_lost_guest(of.network, of.guest, of.mac)):
            forward.state, forward.reason = lost
        if forward.state == FORWARDED and forward.bridge:
            found = hindrances.of(Subject(of.prefix.family, of.network, forward.bridge, forward.mac))
            if found:
                forward.state, forward.reason = found
            elif cut := gateways.cutting_off(of.network, forward.target):
                forward.state, forward.reason = BLOCKED, cut.sentence
            elif not forward.reason:
                forward.reason = doubts.of_neighbours(of)
    _judge_chains(now, plan, lines, forwards, host)
    networks = {*(each.line.network for each in lines), *(each.line.network for each in forwards)}
    return list(dict.fromkeys(hindrances.notes(networks)))


def _judge_chains(
    now: Situation, plan: Plan, lines: Sequence[LineState], forwards: Sequence[ForwardState], host: Host
) -> None:
    """Give lines whose packets a chain of an admin certainly drops their state and reason."""
    facts = Facts(now.configuration, now.live, host, plan)
    states: list[LineState | ForwardState] = [*lines, *forwards]
    in_force = {each.line: each for each in states if each.state in {ROUTED, FORWARDED}}
    about: list[AnyTarget] = [*targets([each.line for each in lines if each.line in in_force], [])[0]]
    about += [ForwardTarget(each) for each in plan.case.forwardings if each.target and each.line in in_force]
    for target in about:
        target.bridge = in_force[target.line].bridge
    for target, why in certain_drops(facts, about).items() if about else ():
        state = in_force[target.line]
        state.state, state.reason = BLOCKED, f"{why}; run nethook doctor"
