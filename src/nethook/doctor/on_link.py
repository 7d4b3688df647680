"""IPv6 prefixes on the link, through which outsiders can fill the host's neighbour table.

For each address of such a prefix to which somebody sends a packet, the host asks on the bridge and keeps an entry while
it asks, whether or not a guest answers. All devices share one table. While it is full, the host finds no new neighbour,
not even on its uplink. With a next hop (via=), the host asks only for that.

https://docs.kernel.org/networking/ip-sysctl.html (neigh/default/gc_thresh3, mcast_solicit, retrans_time_ms)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import WARNING, Finding
from nethook.host.files import sysctl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.config import RoutedIP
    from nethook.config.text import Problem
    from nethook.doctor.facts import Target

STATION = "neighbour table"
SETTINGS = "net/ipv6/neigh/default"
SIZE = "net.ipv6.neigh.default.gc_thresh3"
ADVICE = "write via= with an address that its guest has, such as its link-local one; routed-ips(5) says why"


class NeighbourTable:
    """The kernel's table for IPv6: its ``size`` in entries, and the packets ``per_second`` that keep it full."""

    def __init__(self) -> None:
        """Read the settings, or take the kernel's defaults if it does not show them, as in a network namespace."""
        self.size = sysctl(f"{SETTINGS}/gc_thresh3") or 1024
        asked = sysctl(f"{SETTINGS}/mcast_solicit") or 3
        pause = sysctl(f"{SETTINGS}/retrans_time_ms") or 1000
        self.per_second = max(1, round(self.size * 1000 / (asked * pause)))

    def danger(self, line: RoutedIP) -> str:
        """Return a sentence about what outsiders can do through the prefix of this line; '' if nothing."""
        prefix = line.prefix
        if prefix.family == 4 or line.via or prefix.host_mask < self.size:
            return ""
        return (
            f"{prefix} is on the link: anybody who sends {self.per_second} packets a second to its unused addresses "
            f"keeps the host's IPv6 neighbour table full ({SIZE} = {self.size}), and IPv6 fails on all devices"
        )


def warnings(lines: Iterable[RoutedIP]) -> list[Problem]:
    """Return a warning for each line through whose prefix outsiders can fill the neighbour table."""
    table = NeighbourTable()
    return [line.problem(f"warning: {danger}", ADVICE) for line in lines if (danger := table.danger(line))]


def on_link(targets: Iterable[Target]) -> Iterator[Finding]:
    """Yield a warning for each target through whose prefix outsiders can fill the neighbour table."""
    table = NeighbourTable()
    for line in dict.fromkeys(target.line for target in targets):
        if danger := table.danger(line):
            yield Finding(WARNING, STATION, danger, advice=f"at {line.place}: {ADVICE}", addresses=[line.prefix.text])
