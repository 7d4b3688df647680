"""The traffic to and from each routed address or prefix, by the counters of our sets' elements.

Numbers of attributes: linux/netfilter/nf_tables.h. Counters are big-endian there, unlike all else.
"""

from __future__ import annotations

from struct import unpack_from

from nethook.host.layout import NAME, set_name
from nethook.host.netlink import GET_ELEMENTS, Nftables, attributes
from nethook.host.nftables import SET_ELEMENTS, beginning, interval_keys, single_keys
from nethook.net import parse_prefix
from nethook.parts import binding
from nethook.parts.classifying import SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.layout import SetType
    from nethook.host.netlink import Span
    from nethook.host.nftables import Element
    from nethook.parts.routes import Place

    Counts = dict[Place, "Traffic"]

EXPRESSION, EXPRESSION_DATA = 7, 2
COUNTED_BYTES, COUNTED_PACKETS = 1, 2
ATTRIBUTE_HEADER = 4


class Traffic:
    """Packets and bytes since the element was made."""

    __slots__ = ("bytes", "packets")

    def __init__(self, packets: int, octets: int) -> None:
        self.packets = packets
        self.bytes = octets


def received() -> Counts:
    """Return the traffic to each (prefix, bridge) that is routed; nothing without our table. ReadError if not known."""
    return _read("to")


def sent() -> Counts:
    """Return the traffic from each of them."""
    return _read("from")


def spoofed() -> dict[str, int]:
    """Return the number of packets that were dropped because they claimed each bound block; ReadError if not known.

    One that claims it twice, as a neighbour advertisement from the address about the address, counts once. By MAC,
    there are those that came with that of a NIC to which something is bound, from another one.
    """
    counts: dict[str, int] = {}
    with Nftables(binding.FAMILY) as nftables:
        for name, kind in binding.SETS.items():
            if kind.counts:
                for (block,), traffic in _elements(nftables, name, kind):
                    counts[block] = counts.get(block, 0) + traffic.packets
    return counts


def _read(direction: str) -> Counts:
    counts: Counts = {}
    names = [set_name(direction, family, single=single) for family in (4, 6) for single in (True, False)]
    with Nftables("inet") as nftables:
        for name in names:
            for (bridge, block), traffic in _elements(nftables, name, SETS[name]):
                counts[block, bridge] = traffic
    return counts


def _elements(nftables: Nftables, name: str, kind: SetType) -> Iterator[tuple[Element, Traffic]]:
    """Yield each element of a set, with its traffic."""
    dumped = nftables.dump(GET_ELEMENTS, NAME, name) or ()
    lists = [
        (data, first, last)
        for data, begin, end in dumped
        for number, first, last in attributes(data, begin, end)
        if number == SET_ELEMENTS
    ]
    elements = [(data, content, behind) for data, *span in lists for _, content, behind in attributes(data, *span)]
    if kind.is_interval and not kind.fields:  # what counts is the element at which an interval begins
        traffic = {beginning(kind, element): _traffic(element) for element in elements}
        yield from ((key, traffic[parse_prefix(key[0]).first]) for key in interval_keys(kind, lists))
        return
    read_keys = interval_keys if kind.is_interval else single_keys
    for data, content, behind in elements:
        (key,) = read_keys(kind, [(data, content - ATTRIBUTE_HEADER, behind)])
        yield key, _traffic((data, content, behind))


def _traffic(element: Span) -> Traffic:
    data = element[0]
    values = {COUNTED_PACKETS: 0, COUNTED_BYTES: 0}
    for number, first, last in attributes(*element):
        if number == EXPRESSION:
            for kind, begin, end in attributes(data, first, last):
                if kind == EXPRESSION_DATA:
                    values.update(
                        (what, unpack_from(">Q", data, at)[0]) for what, at, _ in attributes(data, begin, end)
                    )
    return Traffic(values[COUNTED_PACKETS], values[COUNTED_BYTES])
