"""The station of the kernel's tables: while one is full, packets of all addresses are lost now and then.

No commands: only the host's own network namespace can change the limits, so no test could run them.

https://docs.kernel.org/networking/nf_conntrack-sysctl.html, https://docs.kernel.org/networking/ip-sysctl.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.host.files import read, sysctl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CONNECTIONS, NEIGHBOURS = "connection tracking", "neighbour table"
COUNT, MOST = "net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max"
NEARLY = 0.9
FILES = {4: "/proc/net/stat/arp_cache", 6: "/proc/net/stat/ndisc_cache"}
DEFAULT = 1024
"""The kernel's gc_thresh3, where it does not show it."""


def tables(families: Collection[int]) -> Iterator[Finding]:
    """Yield whether the tables of connections and of neighbours of these families have free places."""
    count, most = sysctl(COUNT) or 0, sysctl(MOST) or 0
    if most and count >= most * NEARLY:
        is_full = count >= most
        text = f"the kernel tracks {count} connections, of {most} at most"
        text += ", so it drops new ones" if is_full else ": it will soon drop new ones"
        advice = "raise net.netfilter.nf_conntrack_max, also in a file in /etc/sysctl.d"
        yield Finding(FAILURE if is_full else WARNING, CONNECTIONS, text, advice=advice)
    elif most:
        yield Finding(OK, CONNECTIONS, f"{count} of at most {most}")
    for family in families:
        name = f"net/ipv{family}/neigh/default/gc_thresh3"
        most, entries = sysctl(name) or DEFAULT, _entries(FILES[family])
        if entries >= most * NEARLY:
            text = f"the IPv{family} neighbour table has {entries} entries, of {most} at most: "
            text += "while it is full, the host finds no new neighbour"
            advice = f"raise {name.replace('/', '.')}; if the entries are of a bridge, write via= into its lines"
            yield Finding(WARNING, NEIGHBOURS, text, advice=advice)


def _entries(path: str) -> int:
    """Return the number of entries of a neighbour table; 0 if the kernel does not show it, as in a namespace."""
    lines = (read(path) or "").splitlines()
    return int(lines[1].split()[0], 16) if len(lines) > 1 else 0
