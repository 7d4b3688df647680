"""The openings in firewalls that other programs write: one constant rule each, for the mark bit. The registry.

An admin's own ruleset is never touched. A gate is known as ours by its comment, ``nethook-`` and the mark bit. It
stands in front of the first rule that blocks, and behind whatever an admin has put before that one.

Where a gate is there for another bit, by an older version or another setting, the new one is opened first. The old one
is closed when everything else is done, and until then our table gives packets both bits.
"""

from __future__ import annotations

from nethook.gates.firewalld import FIREWALLD
from nethook.gates.iptables import Iptables
from nethook.gates.libvirt_nftables import LibvirtNftables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.gates.gate import Firewall

FIREWALLS: tuple[Firewall, ...] = (LibvirtNftables(), Iptables(), FIREWALLD)
NAMES = tuple(name for firewall in FIREWALLS for name in firewall.settings)
"""The names of the gates in the setting ``gates``."""
