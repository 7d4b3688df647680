"""IPv6 prefixes on the link: whoever is outside can fill the neighbour table of the host by them.

The host asks on the bridge for each address of such a prefix that somebody sends a packet to, and keeps an entry for as
long as it asks, whether or not a guest answers. All devices share one table; while it is full, the host finds no new
neighbour, on no bridge and not on its uplink. With a next hop (via=), the host asks for that alone.

https://docs.kernel.org/networking/ip-sysctl.html (neigh/default/gc_thresh3, mcast_solicit, retrans_time_ms)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import WARNING, Finding
from nethook.host.files import sysctl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.config import RoutedIP
    from nethook.config.problem import Problem
    from nethook.doctor.facts import Target

STATION = "neighbour table"
SETTINGS = "net/ipv6/neigh/default"
PLACES = "net.ipv6.neigh.default.gc_thresh3"
ADVICE = "write via= with an address that its guest has, such as its link-local one; docs/providers.md says why"


class NeighbourTable:
    """The kernel's table for IPv6: how many ``places`` it has, and how many packets a ``second`` keep it full."""

    def __init__(self) -> None:
        """Read the settings; the kernel's defaults where it does not show them, as in a network namespace."""
        self.places = sysctl(f"{SETTINGS}/gc_thresh3") or 1024
        asked = sysctl(f"{SETTINGS}/mcast_solicit") or 3
        pause = sysctl(f"{SETTINGS}/retrans_time_ms") or 1000
        self.per_second = max(1, round(self.places * 1000 / (asked * pause)))

    def danger(self, line: RoutedIP) -> str:
        """Return what outsiders can do by the prefix of this line, as a sentence; '' if nothing."""
        prefix = line.prefix
        if prefix.family == 4 or line.via or prefix.host_mask < self.places:
            return ""
        return (
            f"{prefix} is on the link: outsiders who send {self.per_second} packets a second to unused addresses of it "
            f"keep the host's IPv6 neighbour table full ({PLACES} = {self.places}, for all devices)"
        )


def warnings(lines: Iterable[RoutedIP]) -> list[Problem]:
    """Return a warning for each line by whose prefix outsiders can fill the neighbour table."""
    table = NeighbourTable()
    return [line.problem(f"warning: {danger}", ADVICE) for line in lines if (danger := table.danger(line))]


def on_link(targets: Iterable[Target]) -> Iterator[Finding]:
    """Yield a warning for each target whose prefix outsiders can fill the neighbour table by."""
    table = NeighbourTable()
    for line in dict.fromkeys(target.line for target in targets):
        if danger := table.danger(line):
            yield Finding(WARNING, STATION, danger, advice=f"at {line.place}: {ADVICE}", addresses=[line.prefix.text])
