"""The openings in firewalls that other programs write: one constant rule each, for the mark bit.

An admin's own ruleset is never touched. A gate is known as ours by its comment, ``nethook-`` and the mark bit. It
stands in front of the first rule that blocks, and behind whatever an admin has put before that one.

Where a gate is there for another bit, by an older version or another setting, the new one is opened first. The old one
is closed when everything else is done, and until then our table gives packets both bits.
"""

from __future__ import annotations

from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.gates.gate import Gate
    from nethook.host.host import Host

IPTABLES = {4: "iptables", 6: "ip6tables"}


def gates(host: Host, families: Iterable[int], mark_bit: int) -> list[Gate]:
    """Return the gates for these IP families (4, 6) in all firewalls that this host may have."""
    found: list[Gate] = []
    for family in families:
        found.append(LibvirtNftablesGate(family, mark_bit))
        found += IptablesGate.of_this_host(host, IPTABLES[family], mark_bit)
    return found
