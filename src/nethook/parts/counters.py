"""The traffic to and from each routed address or prefix, by the counters of our sets' elements."""

from __future__ import annotations

from nethook.host.layout import set_name
from nethook.parts import binding
from nethook.parts.classifying import FAMILY, SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.host import Host
    from nethook.host.traffic import Traffic
    from nethook.parts.routes import Place

    Counts = dict[Place, Traffic]


def received(host: Host) -> Counts:
    """Return the traffic to each (prefix, bridge) that is routed; nothing without our table. ReadError if not known."""
    return _read("to", host)


def sent(host: Host) -> Counts:
    """Return the traffic from each of them."""
    return _read("from", host)


def spoofed(host: Host) -> dict[str, int]:
    """Return the number of packets that were dropped because they claimed each bound block; ReadError if not known.

    One that claims it twice, as a neighbour advertisement from the address about the address, counts once. By MAC,
    there are those that came with that of a NIC to which something is bound, from another one.
    """
    counts: dict[str, int] = {}
    counting = {name: kind for name, kind in binding.SETS.items() if kind.counts}
    for _, (block,), traffic in host.traffic(binding.FAMILY, counting):
        counts[block] = counts.get(block, 0) + traffic.packets
    return counts


def _read(direction: str, host: Host) -> Counts:
    names = [set_name(direction, family, single=single) for family in (4, 6) for single in (True, False)]
    counted = host.traffic(FAMILY, {name: SETS[name] for name in names})
    return {(block, bridge): traffic for _, (bridge, block), traffic in counted}
