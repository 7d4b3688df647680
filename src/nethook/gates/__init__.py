"""The openings in firewalls that other programs write: one constant rule each, for the mark bit.

An admin's own ruleset is never touched. A gate is known as ours by its comment, ``nethook-`` and the mark bit. It
stands in front of the first rule that blocks, and behind whatever an admin has put before that one.
"""

from __future__ import annotations

from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.gates.gate import Gate

IPTABLES = {4: "iptables", 6: "ip6tables"}


def gates(names: Collection[str], families: Collection[int], mark_bit: int) -> list[Gate]:
    """The gates for these IP families (4, 6) in firewalls that this host may have.

    ``names`` is the setting ``gates``: which firewalls may get one.
    """
    chosen: list[Gate] = []
    for family in families:
        if "libvirt-nftables" in names:
            chosen.append(LibvirtNftablesGate(family, mark_bit))
        if IPTABLES[family] in names:
            chosen += IptablesGate.of_this_host(IPTABLES[family], mark_bit)
    return chosen
