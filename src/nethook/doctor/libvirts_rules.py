"""The station of libvirt's own rules for its networks.

Without them, its networks have neither NAT nor isolation. libvirt creates its chains when its daemon starts, and then
only writes into them. So after `nft flush ruleset`, neither a reload of the daemon nor the start of a network brings
them back, only a restart of the daemon (seen with libvirt 9.0 and 11.3, both backends). With the backend iptables, no
network starts without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import OK, WARNING, Finding
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.install import daemon
from nethook.placement import APPLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.doctor.facts import Facts
    from nethook.gates.gate import Chain, ChainOpening, Gate
    from nethook.libvirt import Network

STATION = "libvirt's rules"
FILTERED = frozenset({"", "nat", "route"})
"""The forward modes of networks that libvirt filters. It leaves a network of mode open to the admin."""
JUMP = "-j LIBVIRT_"
"""A part of the rules that lead from FORWARD to libvirt's chains, such as LIBVIRT_FWI."""


def libvirts_rules(facts: Facts, families: Iterable[int]) -> Iterator[Finding]:
    """Yield whether libvirt's own rules of these families exist, in one of its backends, if networks need them."""
    for family in families:
        lost = lost_by(facts, family)
        if lost:
            text = f"libvirt's own IPv{family} rules are gone, or nothing leads to them: "
            text += f"there is neither NAT nor isolation on {', '.join(lost)}"
            command = f"{daemon.restart(facts.tools)} && {APPLY}"
            advice = "a reload does not bring them back; `nft flush ruleset`, `iptables -F` and firewalld remove them"
            yield Finding(WARNING, STATION, text, command=command, advice=advice)
        elif _filtered(facts.up, family):
            yield Finding(OK, STATION, f"those for IPv{family} exist")


def lost_by(facts: Facts, family: int) -> list[str]:
    """Return the running networks that lack libvirt's rules of this family."""
    return without_rules(facts.up, facts.plan.case.snapshot.openings, family)


def without_rules(networks: Iterable[Network], openings: Iterable[ChainOpening], family: int) -> list[str]:
    """Return the names of these networks if libvirt should filter them, and has no rules for this family."""
    if any(is_libvirts(opening.gate, opening.chain) for opening in openings if opening.family == family):
        return []
    return _filtered(networks, family)


def _filtered(networks: Iterable[Network], family: int) -> list[str]:
    return sorted(
        network.name
        for network in networks
        if network.forward_mode in FILTERED and any(subnet.family == family for subnet in network.subnets)
    )


def is_libvirts(gate: Gate, chain: Chain) -> bool:
    """Return whether libvirt has rules in this chain."""
    if isinstance(gate, LibvirtNftablesGate):
        return any(not rule.is_ours for rule in chain.rules)
    return any(JUMP in rule.name for rule in chain.rules)
