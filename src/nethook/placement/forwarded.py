"""The placement of each line of forwarded-ports: the guest's address it leads to, or why it leads nowhere. Pure.

A guest's address is that which its network reserves for it, or the one in ``to=``. It is forwarded to while the guest
is plugged in, or without ``guest=`` while the network is up.
"""

from __future__ import annotations

from nethook.placement import ELSEWHERE, KEPT, NO_SUCH_NAME, NOT_TOLD, OTHER_RUN, REFUSED, WAITING, is_undecided
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Optional

    from nethook.config import RoutedIP
    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Problem
    from nethook.libvirt import Network
    from nethook.placement import Networks
    from nethook.placement.scope import Scope

    Guests = dict[tuple[str, int, str, Optional[str]], tuple[str, str, str, str]]
    """Where guests are, as ``_look_for`` finds them, by network, IP family, name and MAC: many lines are about one."""

FORWARDED = "forwarded"
"""The line leads to a guest, or its ports stay with the host."""


class Forwarding:
    """The place that a line leads to: ``status`` (FORWARDED, or one of ``placement``), ``why`` unless it is forwarded.

    ``target`` is the guest's address, ``bridge`` that of its network, ``mac`` that of the NIC; each is '' if there is
    none.
    """

    __slots__ = ("bridge", "line", "mac", "status", "target", "why")

    def __init__(
        self, line: Forward, status: str, why: str = "", bridge: str = "", mac: str = "", *, target: str = ""
    ) -> None:
        self.line = line
        self.status = status
        self.why = why
        self.bridge = bridge
        self.mac = mac
        self.target = target

    @property
    def is_decided(self) -> bool:
        """Return whether this run decides where the line leads; otherwise what is in force stays."""
        return self.status in {FORWARDED, WAITING}


def place_forwards(
    lines: Iterable[Forward], at: Networks, scope: Scope, refused: Mapping[str, str] | None = None
) -> list[Forwarding]:
    """Return where each line leads, when exactly the networks of ``at`` are up of those in the scope.

    ``refused`` says by ``line.key`` why a line must not be put in force. Lines that another run decides about have a
    target as well, as far as libvirt has told of their network.
    """
    refused = refused or {}
    guests: Guests = {}
    return [
        Forwarding(line, REFUSED, refused[line.key], at.bridge(line.network))
        if refused and line.key in refused
        else _place(line, at, scope, guests)
        for line in lines
    ]


def _place(line: Forward, at: Networks, scope: Scope, guests: Guests) -> Forwarding:
    if line.is_hosts:
        return Forwarding(line, FORWARDED)
    if not scope.has_network(line.network):
        known = at.known.get(line.network)
        return _elsewhere(line, known, guests) if known else Forwarding(line, ELSEWHERE, OTHER_RUN)
    if scope.unresolved and line.key in scope.unresolved:
        return Forwarding(line, KEPT, NO_SUCH_NAME, at.bridge(line.network))
    network = at.up.get(line.network)
    if not network:
        return Forwarding(line, *at.why_not(line.network), at.bridge(line.network))
    return _at_guest(line, network, guests)


def _elsewhere(line: Forward, network: Network, guests: Guests) -> Forwarding:
    found = _at_guest(line, network, guests)
    return Forwarding(line, ELSEWHERE, OTHER_RUN, network.bridge, found.mac, target=found.target)


def _at_guest(line: Forward, network: Network, guests: Guests) -> Forwarding:
    if not line.guest:
        return Forwarding(line, FORWARDED, bridge=network.bridge, target=line.to or "")
    key = (network.name, line.family, line.guest, line.mac)
    if key not in guests:
        guests[key] = _look_for(line, network)
    status, why, mac, reserved = guests[key]
    target = line.to or reserved
    if mac and target:
        return Forwarding(line, FORWARDED, "", network.bridge, mac, target=target)
    return Forwarding(line, status, why, network.bridge, mac)


def _look_for(line: Forward, network: Network) -> tuple[str, str, str, str]:
    """Return where the guest of the line is: status and why for a line without an address, its MAC, and its address.

    Both are '' if it is not known to be plugged in; the address is '' if none is reserved.
    """
    if is_undecided(line, network.ports, ()):
        return KEPT, NOT_TOLD, "", ""
    macs = network.ports.of(line.guest, line.mac)
    if not macs:
        name = f"guest {line.guest}" + (f" with NIC {line.mac}" if line.mac else "")
        return WAITING, f"{name} is not plugged in", "", ""
    reserved, mac = network.reserved(line.family, line.guest or "", macs)
    if reserved and not any(parse_prefix(reserved).lies_in(subnet) for subnet in network.subnets):
        why = f"network {network.name} reserves {reserved} for guest {line.guest}, which is in none of its subnets"
        return WAITING, why, mac, ""
    nics = ", ".join(macs)
    why = f"network {network.name} reserves no IPv{line.family} address for guest {line.guest} ({nics})"
    return WAITING, why, mac or macs[0], reserved


NOT_OURS = "write a network with a bridge that libvirt makes, or route an address with routed-ips"


def refusals(
    lines: Sequence[Forward], routed_ips: Sequence[RoutedIP], networks: Sequence[Network], own: Mapping[str, str]
) -> list[tuple[Forward, Problem]]:
    """Return the lines that must not be put in force on this host, each with its problem.

    ``networks`` are libvirt's; ``own`` has the device of each address of this host.
    """
    by_name = {network.name: network for network in networks}
    inside = _inside(lines, networks)
    found = []
    for line in lines:
        network = by_name.get(line.network)
        problem = _listening(line, inside, own) or (_leading(line, network, routed_ips, own) if network else None)
        if problem:
            found.append((line, problem))
    return found


def _inside(lines: Iterable[Forward], networks: Iterable[Network]) -> dict[str, str]:
    """Return the listening addresses within subnets of libvirt's networks, each with a text that says where."""
    subnets = [(subnet, network) for network in networks if network.is_libvirts_own for subnet in network.subnets]
    prefixes = {line.prefix.text: line.prefix for line in lines}.values()
    return {
        prefix.text: f"the subnet {subnet} of network {network.name}"
        for prefix in prefixes
        for subnet, network in reversed(subnets)
        if prefix.lies_in(subnet)
    }


def _listening(line: Forward, inside: Mapping[str, str], own: Mapping[str, str]) -> Problem | None:
    """Return why nobody reaches the listening address from outside; None if somebody may."""
    if line.is_any or line.is_hosts:
        return None
    device = own.get(line.address)
    if line.proxy and device:
        what = f"{line.address} is an address of this host, on {device}: it answers for that already"
        return line.problem_of_option("proxy", what, "remove proxy=")
    if line.address in inside and not device:
        what = f"{line.address} is in {inside[line.address]}, so a guest may have it"
        return line.problem(what, "write an address of this host, or one that your provider routes to it")
    return None


def _leading(line: Forward, network: Network, routed_ips: Iterable[RoutedIP], own: Mapping[str, str]) -> Problem | None:
    """Return why the line can never lead to a guest of its network; None if it can."""
    if not network.is_libvirts_own:
        what = f"guests of network {network.name} answer past this host, because libvirt does not make its bridge"
        return line.problem_of_network(what, NOT_OURS)
    if not line.to:
        return None
    if line.to in own:
        what = f"{line.to} is an address of this host, on {own[line.to]}, not of a guest"
        return line.problem_of_option("to", what, "write the guest's address")
    target = parse_prefix(line.to)
    prefixes = [*network.subnets, *(each.prefix for each in routed_ips if each.network == network.name)]
    if any(target.lies_in(prefix) for prefix in prefixes):
        return None
    subnets = ", ".join(subnet.text for subnet in network.subnets if subnet.family == line.family)
    what = f"network {network.name} has no address {line.to}"
    advice = f"write an address in {subnets}" if subnets else f"give the network an IPv{line.family} subnet first"
    return line.problem_of_option("to", what, advice)
