"""The station of an address's network: defined, running, its bridge, a guest plugged; and its other users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import (
    addresses_within,
    guest_problems,
    no_such_network,
    subnet_problems,
    what_is_wrong_with,
)
from nethook.host import links
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.doctor.host import Host, Target

NETWORK, GUEST, OWN, SUBNET = "network", "guest", "own address", "subnet"
AFTER_RESTART = (
    "if it is running: shut it down and start it again, because restarting a network disconnects running guests"
)


def network(host: Host, target: Target) -> Iterator[Finding]:
    """Find the target's bridge, which stays '' if its network is not up; then nothing else is worth a look."""
    line = target.line
    live = host.live.get(line.network)
    if live is None:
        problem = no_such_network(line, host.live)
        yield _failure(target, f"{problem.place}: {problem.what}", advice=problem.advice)
        return
    name, bridge = line.network, live.network.bridge
    if live.network.why_unroutable:
        what = f"{live.network.why_unroutable}: nothing can be routed to it"
        yield _failure(target, what, advice="route it to a network with a bridge of the kernel and a plain name")
    elif not live.is_active:
        what = f"network {name} is not running, its lines wait for it"
        yield _failure(target, what, command=f"virsh net-start {word(name)}")
    elif not links.exists(bridge):
        command = f"virsh net-destroy {word(name)} && virsh net-start {word(name)}"
        advice = "then start its guests anew"
        yield _failure(target, f"network {name} is running, but its bridge {bridge} is gone", command, advice)
    else:
        target.bridge = bridge
        yield Finding(OK, NETWORK, f"network {name} is running, its bridge is {bridge}", addresses=[target.name])


def ports(host: Host, target: Target) -> Iterator[Finding]:
    """Whether anything is plugged into the bridge, and where it is bound, the very NIC."""
    line = target.line
    if line.guest:
        yield from _bound(host, target)
        return
    if not host.ports(target.bridge):
        text = f"no guest is plugged into network {target.line.network}"
        advice = f"start the guest; {AFTER_RESTART}"
        yield Finding(WARNING, GUEST, text, advice=advice, addresses=[target.name])


def _bound(host: Host, target: Target) -> Iterator[Finding]:
    line = target.line
    macs = host.live[line.network].network.ports.of(line.guest, line.mac)
    name = f"guest {line.guest}" + (f" with NIC {line.mac}" if line.mac else "")
    if not macs:
        yield from _not_plugged(host, target, name)
    elif len(macs) > 1:
        text = f"{name} has {len(macs)} NICs on network {line.network}, and which it is bound to is chance"
        advice = f"write mac={' or mac='.join(macs)} at {line.place}"
        yield Finding(WARNING, GUEST, text, advice=advice, addresses=[target.name])
    else:
        yield Finding(OK, GUEST, f"{name} is plugged in, with NIC {macs[0]}", addresses=[target.name])


def _not_plugged(host: Host, target: Target, name: str) -> Iterator[Finding]:
    """Why the guest of a bound line is not there: a line that does not fit it, or it is off."""
    line = target.line
    guest = line.guest or ""
    guests = host.guests or {}
    text = f"{name}, which it is bound to, is not plugged into network {line.network}"
    known = guests.get(guest)
    if known and any(line.mac in {None, mac} for mac in known.macs_on(line.network)):
        command = "" if known.is_running else f"virsh start {word(guest)}"
        advice = f"start it; {AFTER_RESTART}" if known.is_running else ""
        yield Finding(FAILURE, GUEST, text, command=command, advice=advice, addresses=[target.name])
        return
    problems = list(guest_problems(line, host.guests, host.live))
    for problem in problems:
        wrong = f"{problem.place}: {problem.what}"
        yield Finding(FAILURE, GUEST, wrong, advice=problem.advice, addresses=[target.name])
    if not problems:
        advice = f"start it, or write another guest at {line.place}"
        yield Finding(FAILURE, GUEST, text, advice=advice, addresses=[target.name])


def other_users(host: Host, target: Target) -> Iterator[Finding]:
    """The host itself, and the subnets of networks."""
    for problem in subnet_problems(target.line, host.live):
        text = f"{problem.place}: {problem.what}"
        yield Finding(FAILURE, SUBNET, text, advice=problem.advice, addresses=[target.name])
    # No commands: whoever deletes an address or route that the host needs may take it off the net, and himself.
    vital = host.vital_problems.get(target.line.prefix.text)
    if vital:
        advice = f"change the line at {vital.place}: {vital.advice}"
        yield Finding(FAILURE, OWN, vital.what, advice=advice, addresses=[target.name])
        return
    for held in addresses_within(target.line, host.live, host.own_addresses):
        if held.device in host.bridges:  # libvirt's own, for the subnet that has just been named
            continue
        advice = f"change the line at {target.line.place}: write an address that is for guests alone"
        yield Finding(FAILURE, OWN, what_is_wrong_with(held), advice=advice, addresses=[target.name])


def _failure(target: Target, text: str, command: str = "", advice: str = "") -> Finding:
    return Finding(FAILURE, NETWORK, text, command=command, advice=advice, addresses=[target.name])
