"""Problems of lines of forwarded-ports that only this host and libvirt can tell, for ``nethook check``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config.text import excerpt
from nethook.engine.snapshot import Question, new_forwards
from nethook.errors import NethookError
from nethook.gates.firewalld.strict import ADVICE, WHAT, is_strict
from nethook.host.links import NO_IPV6, NO_IPV6_ADVICE, available
from nethook.libvirt import control
from nethook.libvirt.names import no_such_network
from nethook.libvirt.network_update import CONFIG, LIVE
from nethook.libvirt.reservations import Client, choose, pools, update_for
from nethook.parts.forwards import FORWARDS4, FORWARDS6
from nethook.placement.forwarded import refusals
from nethook.placement.lockout import listeners, lockouts
from nethook.placement.scope import Scope
from nethook.shell import operands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nethook.config import Configuration
    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Problem
    from nethook.host import Host
    from nethook.libvirt.live import LiveGuest, LiveNetwork


def forward_problems(
    configuration: Configuration, live: Mapping[str, LiveNetwork], guests: Mapping[str, LiveGuest] | None, host: Host
) -> Iterator[Problem]:
    """Yield the problems of lines that lead nowhere on this host, or would lock somebody out. ReadError."""
    lines = configuration.forwards
    if not lines:
        return
    networks = [each.network for each in live.values()]
    addresses = host.addresses()
    refused = refusals(lines, configuration.routed_ips, networks, {each.text: each.device for each in addresses})
    if os.geteuid() == 0:  # others see neither our tables nor whose a socket is
        bridges = {network.bridge for network in networks if network.is_libvirts_own}
        refused += lockouts(_new(configuration, host), lines, host.sockets(), addresses, bridges)
    yield from (problem for _, problem in refused)
    for line in lines:
        if line.family not in available():
            yield line.problem(NO_IPV6, NO_IPV6_ADVICE)
        if line.is_hosts:
            continue
        if line.network not in live:
            yield no_such_network(line, live)
        elif line.guest and not line.to:
            yield from unreserved(line, live[line.network], guests)


def _new(configuration: Configuration, host: Host) -> list[Forward]:
    """Return the lines that are not in force yet."""
    question = Question(configuration, [], Scope(), host)
    return new_forwards(question, {part: part.read(host, question) for part in (FORWARDS4, FORWARDS6)})


def unreserved(line: Forward, live: LiveNetwork, guests: Mapping[str, LiveGuest] | None) -> Iterator[Problem]:
    """Yield a problem if the network reserves no address for the guest."""
    guest, name = line.guest or "", line.network
    plugged = live.network.ports.of(guest, line.mac)
    macs = plugged or (guests[guest].macs_on(name) if guests and guest in guests else [])
    macs = [mac for mac in macs if line.mac in {None, mac}]
    if not macs or live.network.reserved(line.family, guest, macs)[0]:
        return
    what = f"network {excerpt(name)} reserves no IPv{line.family} address for guest {excerpt(guest)} ({macs[0]})"
    yield line.problem_of_option("guest", what, _how_to_reserve(name, Client(guest, macs[0]), line.family))


def _how_to_reserve(network: str, nic: Client, family: int) -> str:
    """Return advice: the commands that reserve an address, or the option that replaces a reservation."""
    try:
        found = control.definition(network)
        xml = (found.running or found.defined) if found else None
        pool = next((pool for pool in pools(xml or "<network/>") if pool.family == family), None)
        if found is None or pool is None:
            return f"write to=ADDRESS, because network {excerpt(network)} has no DHCP for IPv{family}"
        leases = control.leases(network) if found.running else []
        update = update_for(pool, nic, choose(pool, nic, leases))
    except NethookError:  # such as for another user than root
        update = None
    reserve = f"nethook reserve {operands(nic.guest, network)}"
    if update is None or found is None:
        return f"run {reserve}, or write to=ADDRESS"
    options = [*([LIVE] if found.running else []), *([CONFIG] if found.defined else [])]
    return f"run {reserve}, or {update.virsh(network, *options)}, or write to=ADDRESS"


def forward_warnings(lines: Sequence[Forward], host: Host) -> list[Problem]:
    """Return warnings of lines that take ports of programs of this host, or that firewalld rejects. ReadError."""
    found = listeners(lines, host.sockets(), host.addresses()) if lines else []
    leading = [line for line in lines if not line.is_hosts]
    if leading and os.geteuid() == 0 and is_strict(host):
        found.append(leading[0].problem(f"warning: {WHAT}", ADVICE))
    return found
