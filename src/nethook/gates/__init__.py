"""The openings in firewalls that other programs write: one constant rule each, for the mark bit.

An admin's own ruleset is never touched. A gate is known as ours by its comment, ``nethook-`` and the mark bit. It
stands in front of the first rule that blocks, and behind whatever an admin has put before that one.
"""

from __future__ import annotations

from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.gates.gate import Gate


def gates(names: Iterable[str], mark_bit: int) -> list[Gate]:
    """The gates in those firewalls (by the names of the setting ``gates``) that may be on this host."""
    wanted = set(names)
    chosen: list[Gate] = []
    if "libvirt-nftables" in wanted:
        chosen += [LibvirtNftablesGate(family, mark_bit) for family in ("ip", "ip6")]
    for tool in ("iptables", "ip6tables"):
        if tool in wanted:
            chosen += IptablesGate.of_this_host(tool, mark_bit)
    return chosen
