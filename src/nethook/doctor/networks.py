"""The station of the network: whether it is defined and runs, its bridge, libvirt's rules, and conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, Finding
from nethook.doctor.host_problems import (
    addresses_within,
    subnet_problems,
    what_is_wrong_with,
)
from nethook.doctor.kernel_settings import additions
from nethook.doctor.refusals import why_refused
from nethook.host import links
from nethook.libvirt.names import no_such_network
from nethook.placement import APPLY
from nethook.shell import operand, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.doctor.facts import Facts, Target

NETWORK, OWN, SUBNET = "network", "own address", "subnet"

UP = {"flags": ["UP"]}
"""A device that has come up meanwhile."""


def network(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield whether the target's network is up, and set the target's bridge; it stays '' if the network is not up."""
    line = target.line
    live = facts.live.get(line.network)
    if live is None:
        problem = no_such_network(line, facts.live)
        yield _failure(target, f"{problem.place}: {problem.what}", advice=problem.advice)
        return
    name, bridge = line.network, live.network.bridge
    start = f"virsh net-start {operand(name)}"
    if live.network.why_unroutable:
        what = f"{live.network.why_unroutable}: nothing can be routed to it"
        yield _failure(target, what, advice="choose a network with a bridge of the kernel and a plain name")
    elif not live.is_active:
        refusal = why_refused(facts, target, live)
        what = f"network {name} is not running"
        if refusal and refusal.command:
            yield _failure(target, f"{what}; {refusal.why}", f"{refusal.command} && {start}")
        elif refusal:
            yield _failure(target, f"{what}; {refusal.why}", advice=refusal.advice)
        else:
            yield _failure(target, what, start)
    elif not links.exists(bridge):
        command, advice = f"virsh net-destroy {operand(name)} && {start}", "then restart its guests"
        if not live.network.is_libvirts_own:
            command, advice = "", f"make {bridge} in the network configuration of this host: libvirt does not make it"
        yield _failure(target, f"network {name} is running, but there is no bridge {bridge}", command, advice)
    elif "UP" not in facts.devices.get(bridge, UP).get("flags", ()):
        commands = [f"ip link set {word(bridge)} up", *additions(facts, target), APPLY]
        yield _failure(target, f"bridge {bridge} is down", " && ".join(commands))
    else:
        target.bridge = bridge
        yield Finding(OK, NETWORK, f"network {name} is running, its bridge is {bridge}", addresses=[target.name])


def other_users(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield conflicts with subnets of networks and with addresses that the host itself has or needs."""
    for problem in subnet_problems(target.line, facts.live):
        text = f"{problem.place}: {problem.what}"
        yield Finding(FAILURE, SUBNET, text, advice=problem.advice, addresses=[target.name])
    # No commands: deleting an address or route that the host needs could cut off the host, and the admin.
    vital = facts.vital_problems.get(target.line.prefix.text)
    if vital:
        advice = f"change the line at {vital.place}: {vital.advice}"
        yield Finding(FAILURE, OWN, vital.what, advice=advice, addresses=[target.name])
        return
    for held in addresses_within(target.line, facts.live, facts.own_addresses):
        if held.device in facts.bridges:  # libvirt's address in a subnet, which is reported above
            continue
        advice = f"change the line at {target.line.place}: choose an address that only guests use"
        yield Finding(FAILURE, OWN, what_is_wrong_with(held), advice=advice, addresses=[target.name])


def _failure(target: Target, text: str, command: str = "", advice: str = "") -> Finding:
    return Finding(FAILURE, NETWORK, text, command=command, advice=advice, addresses=[target.name])


def starts_forwarding(facts: Facts, target: Target) -> bool:
    """Return whether libvirt turns on forwarding for the target when its network starts."""
    live = facts.live.get(target.line.network)
    if live is None or live.is_active or live.network.forward_mode not in {"nat", "route"}:
        return False
    return any(subnet.family == target.family for subnet in live.network.subnets)
