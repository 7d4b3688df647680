"""The station of the next boot: which networks and guests libvirt does not start by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import WARNING, Finding
from nethook.shell import operand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.config.text import Entry
    from nethook.doctor.facts import Facts

STATION = "boot"


def boot(facts: Facts, named: Iterable[tuple[str, Entry]]) -> Iterator[Finding]:
    """Yield a warning for each network, and for each guest of a line with one, that does not start at boot.

    The lines are ``named`` as in findings.
    """
    for name, line in named:
        if line.network in facts.details.off_at_boot:
            text = f"network {line.network} does not start at boot"
            command = f"virsh net-autostart {operand(line.network)}"
            yield Finding(WARNING, STATION, text, command=command, addresses=[name])
        guest = facts.details.guests.get(line.guest or "")
        if guest and not guest.starts_at_boot:
            text = f"guest {line.guest} does not start at boot"
            command = f"virsh autostart {operand(line.guest or '')}"
            yield Finding(WARNING, STATION, text, command=command, addresses=[name])
