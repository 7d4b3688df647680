"""The intentions of the administrator, as libvirt knows them: whether a guest or network was turned off for good.

libvirt starts some networks and guests by itself (autostart). If one of these does not run, that is not on purpose; of
any other it may be. https://libvirt.org/html/libvirt-libvirt-domain.html (virDomainSetAutostart)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.libvirt.details import details
from nethook.libvirt.live import live_guests, live_networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nethook.config.text import Entry
    from nethook.libvirt.details import Details
    from nethook.libvirt.live import LiveGuest, LiveNetwork


class Intentions:
    """The networks and guests of libvirt, and which of them it ``started`` at boot."""

    def __init__(
        self,
        networks: Mapping[str, LiveNetwork],
        guests: Mapping[str, LiveGuest],
        started: Details,
    ) -> None:
        self._networks = networks
        self._guests = guests
        self._started = started

    def is_off_on_purpose(self, line: Entry) -> bool:
        """Return whether a line waits for a network or guest that is off, and that libvirt does not start by itself.

        A line without ``guest=`` waits for any guest with a NIC on its network.
        """
        network = self._networks.get(line.network)
        if network is None:
            return False
        if not network.is_active:
            return line.network in self._started.off_at_boot
        if line.guest and line.guest not in self._guests:
            return False
        names = (
            [line.guest]
            if line.guest
            else [name for name, guest in self._guests.items() if guest.macs_on(line.network)]
        )
        return not any(self._guests[name].is_running or self._starts(name) for name in names)

    def _starts(self, guest: str) -> bool:
        known = self._started.guests.get(guest)
        return known is None or known.starts_at_boot


def intentions() -> Intentions:
    """Return what libvirt knows now. LibvirtError if it does not answer."""
    return Intentions(live_networks(), live_guests() or {}, details())
