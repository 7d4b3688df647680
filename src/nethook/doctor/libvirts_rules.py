"""Whether libvirt's own rules are there: without them its networks have neither NAT nor isolation.

libvirt makes its chains when its daemon starts, and from then on only writes into them. So when `nft flush ruleset` has
deleted them, neither a reload of the daemon nor a start of a network brings them back (seen with libvirt 9.0 and 11.3,
both backends): only a restart of the daemon does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import OK, WARNING, Finding
from nethook.doctor.ours import APPLY, chains
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.install import daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.doctor.host import Host
    from nethook.gates.gate import Chain, Gate

STATION = "libvirt's rules"
FILTERED = frozenset({"", "nat", "route"})
"""The forward modes of networks that libvirt filters; one that is open it leaves to the admin."""
JUMP = "-j LIBVIRT_"
"""What leads from FORWARD to a chain of libvirt's: LIBVIRT_FWI and others."""


def there(host: Host) -> Iterator[Finding]:
    """Whether they are, in one of its backends, where networks need them."""
    filtered = sorted(network.name for network in host.up if network.forward_mode in FILTERED)
    if not filtered:
        return
    if any(is_libvirts(gate, chain) for gate, chain in chains(host, (4, 6))):
        yield Finding(OK, STATION, "they are there")
        return
    text = f"libvirt's own rules are gone, and with them NAT and isolation of {', '.join(filtered)}"
    command = f"{daemon.restart(host.tools)} && {APPLY}"
    advice = "a reload does not bring them back; to keep them, have nothing run `nft flush ruleset`"
    yield Finding(WARNING, STATION, text, command=command, advice=advice)


def is_libvirts(gate: Gate, chain: Chain) -> bool:
    """Whether libvirt has rules in this chain."""
    if isinstance(gate, LibvirtNftablesGate):
        return any(not rule.is_ours for rule in chain.rules)
    return any(JUMP in rule.name for rule in chain.rules)
