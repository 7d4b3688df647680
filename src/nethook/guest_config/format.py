"""What all formats have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from nethook.guest_config.nic import Nic


class Format(NamedTuple):
    """How a system is configured: ``text`` makes the whole configuration, which ends with a line break."""

    text: Callable[[Nic], str]
    interface: str
    """What the NIC of a guest is usually called there."""
    keeps_dhcp: bool
    """Whether it can be said that an address comes by DHCP, and the default route not."""
    matches_mac: bool
    """Whether a NIC can be told by its MAC address there; else its name counts."""
