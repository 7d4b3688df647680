"""What libvirt's two firewall backends have in common, seen from a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lab.world.machine import Machine
    from lab.world.network import WorldNetwork


class Firewall(Protocol):
    """libvirt, as the author of firewall rules."""

    def start(self, machine: Machine, network: WorldNetwork) -> None:
        """Write the rules of a network that starts, in front of those that are there."""

    def stop(self, machine: Machine, network: WorldNetwork) -> None:
        """Delete the rules of a network that stops."""
