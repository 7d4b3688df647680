"""Guests that a migration breaks, which is QEMU's fault: see ``Guest.is_lost``. What was tried is tried anew then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.waiting import WaitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost

ATTEMPTS = 3


def unless_lost(act: Callable[[], None], guest: Guest, home: SystemdHost, again: Callable[[], None]) -> None:
    """Do it. If the guest is lost meanwhile, start it on this host, do ``again``, and then it once more."""
    for _ in range(ATTEMPTS - 1):
        try:
            act()
        except WaitError:
            if not guest.is_lost:
                raise
        else:
            return
        guest.start_anew_on(home)
        again()
    act()
