"""The connections that have come to each line of forwarded-ports, and their bytes, as our tables have counted them."""

from __future__ import annotations

from nethook.parts.forwards.ruleset import FAMILIES, SETS
from nethook.parts.forwards.wanted import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.host import Host
    from nethook.host.nftables import Element
    from nethook.host.traffic import Traffic
    from nethook.placement.forwarded import Forwarding


def counts(forwardings: Iterable[Forwarding], host: Host) -> Iterator[tuple[int, int]]:
    """Yield for each line the connections that have come, and their bytes. ReadError if they are not known.

    The NAT chains see the first packet of each connection alone. The sets of what is taken see all packets, those that
    were refused, too, and the first one of a connection more than once.
    """
    counted: dict[tuple[int, str, Element], Traffic] = {}
    forwardings = list(forwardings)
    for number in sorted({each.line.family for each in forwardings}):
        sets = {name: kind for name, kind in SETS[number].items() if kind.counts}
        for name, element, traffic in host.traffic(FAMILIES[number], sets):
            counted[number, name, element[: len(sets[name].fields)]] = traffic
    for each in forwardings:
        of_line = ((name, counted.get((each.line.family, name, key))) for name, key, _ in entries(each.line))
        found = [(name, traffic) for name, traffic in of_line if traffic]
        connections = sum(traffic.packets for name, traffic in found if not name.startswith("taken"))
        yield connections, sum(traffic.bytes for name, traffic in found if name.startswith("taken"))
