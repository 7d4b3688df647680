"""The firewall rules of libvirt, as its daemon writes and deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lab.firewalls.libvirt_iptables import LibvirtIptables
from lab.firewalls.libvirt_nftables import LibvirtNftables

if TYPE_CHECKING:
    from lab.processes import Runner
    from lab.world.network import WorldNetwork


class Firewall(Protocol):
    """libvirt, as the author of firewall rules."""

    def start(self, machine: Runner, network: WorldNetwork) -> None:
        """Write the rules of a network that starts, in front of those that are there."""

    def stop(self, machine: Runner, network: WorldNetwork) -> None:
        """Delete the rules of a network that stops."""


FIREWALLS: dict[str, Firewall] = {
    "libvirt-nftables": LibvirtNftables(),
    "iptables-nft": LibvirtIptables("nft"),
    "iptables-legacy": LibvirtIptables("legacy"),
}
