"""The station of the network: whether it is defined and runs, its bridge, its guest, libvirt's rules, and conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import (
    addresses_within,
    guest_problems,
    subnet_problems,
    what_is_wrong_with,
)
from nethook.doctor.ours import APPLY, chains
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.host import links
from nethook.install import daemon
from nethook.libvirt.names import no_such_network
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.doctor.facts import Facts, Target
    from nethook.gates.gate import Chain, Gate

NETWORK, GUEST, OWN, SUBNET = "network", "guest", "own address", "subnet"
LIBVIRTS_RULES = "libvirt's rules"
FILTERED = frozenset({"", "nat", "route"})
"""The forward modes of networks that libvirt filters. It leaves a network of mode open to the admin."""
JUMP = "-j LIBVIRT_"
"""A part of the rules that lead from FORWARD to libvirt's chains, such as LIBVIRT_FWI."""
AFTER_RESTART = (
    "if it is running: systemctl restart libvirtd (or virtqemud), which plugs it in again; "
    "a restart of the network disconnects running guests"
)


def network(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield whether the target's network is up, and set the target's bridge; it stays '' if the network is not up."""
    line = target.line
    live = facts.live.get(line.network)
    if live is None:
        problem = no_such_network(line, facts.live)
        yield _failure(target, f"{problem.place}: {problem.what}", advice=problem.advice)
        return
    name, bridge = line.network, live.network.bridge
    if live.network.why_unroutable:
        what = f"{live.network.why_unroutable}: nothing can be routed to it"
        yield _failure(target, what, advice="choose a network with a bridge of the kernel and a plain name")
    elif not live.is_active:
        what = f"network {name} is not running"
        yield _failure(target, what, command=f"virsh net-start {word(name)}")
    elif not links.exists(bridge):
        command, advice = f"virsh net-destroy {word(name)} && virsh net-start {word(name)}", "then restart its guests"
        if not live.network.is_libvirts_own:
            command, advice = "", f"make {bridge} in the network configuration of this host: libvirt does not make it"
        yield _failure(target, f"network {name} is running, but there is no bridge {bridge}", command, advice)
    else:
        target.bridge = bridge
        yield Finding(OK, NETWORK, f"network {name} is running, its bridge is {bridge}", addresses=[target.name])


def ports(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield whether a guest is plugged into the bridge or, for a bound line, whether its NIC is."""
    line = target.line
    if line.guest:
        yield from _bound(facts, target)
        return
    if not facts.ports(target.bridge):
        text = f"no guest is plugged into network {target.line.network}"
        advice = f"start the guest; {AFTER_RESTART}"
        yield Finding(WARNING, GUEST, text, advice=advice, addresses=[target.name])


def _bound(facts: Facts, target: Target) -> Iterator[Finding]:
    line = target.line
    macs = facts.live[line.network].network.ports.of(line.guest, line.mac)
    name = f"guest {line.guest}" + (f" with NIC {line.mac}" if line.mac else "")
    if not macs:
        yield from _not_plugged(facts, target, name)
    elif len(macs) > 1:
        text = f"{name} has {len(macs)} NICs on network {line.network}; nethook picks one of them"
        advice = f"write mac={' or mac='.join(macs)} at {line.place}"
        yield Finding(WARNING, GUEST, text, advice=advice, addresses=[target.name])
    else:
        yield Finding(OK, GUEST, f"{name} is plugged in, with NIC {macs[0]}", addresses=[target.name])


def _not_plugged(facts: Facts, target: Target, name: str) -> Iterator[Finding]:
    """Yield why the NIC of a bound line is missing: its guest is off, or the line does not fit the guest."""
    line = target.line
    guest = line.guest or ""
    guests = facts.guests or {}
    text = f"{name}, to which it is bound, is not plugged into network {line.network}"
    known = guests.get(guest)
    if known and any(line.mac in {None, mac} for mac in known.macs_on(line.network)):
        command = "" if known.is_running else f"virsh start {word(guest)}"
        advice = f"start it; {AFTER_RESTART}" if known.is_running else ""
        yield Finding(FAILURE, GUEST, text, command=command, advice=advice, addresses=[target.name])
        return
    problems = list(guest_problems(line, facts.guests, facts.live))
    for problem in problems:
        wrong = f"{problem.place}: {problem.what}"
        yield Finding(FAILURE, GUEST, wrong, advice=problem.advice, addresses=[target.name])
    if not problems:
        advice = f"start it, or write another guest at {line.place}"
        yield Finding(FAILURE, GUEST, text, advice=advice, addresses=[target.name])


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


def libvirts_rules(facts: Facts) -> Iterator[Finding]:
    """Yield whether libvirt's own rules exist, in one of its backends, if networks need them.

    Without them, its networks have neither NAT nor isolation. libvirt creates its chains when its daemon starts, and
    then only writes into them. So after `nft flush ruleset`, neither a reload of the daemon nor the start of a network
    brings them back, only a restart of the daemon (seen with libvirt 9.0 and 11.3, both backends).
    """
    filtered = sorted(network.name for network in facts.up if network.forward_mode in FILTERED)
    if not filtered:
        return
    if any(is_libvirts(gate, chain) for gate, chain in chains(facts, (4, 6))):
        yield Finding(OK, LIBVIRTS_RULES, "they exist")
        return
    text = f"libvirt's own rules are gone, so {', '.join(filtered)} has neither NAT nor isolation"
    command = f"{daemon.restart(facts.tools)} && {APPLY}"
    advice = "a reload does not bring them back; to keep them, let nothing run `nft flush ruleset`"
    yield Finding(WARNING, LIBVIRTS_RULES, text, command=command, advice=advice)


def is_libvirts(gate: Gate, chain: Chain) -> bool:
    """Return whether libvirt has rules in this chain."""
    if isinstance(gate, LibvirtNftablesGate):
        return any(not rule.is_ours for rule in chain.rules)
    return any(JUMP in rule.name for rule in chain.rules)
