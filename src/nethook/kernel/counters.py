"""How much went to and from each routed address or prefix, by the counters of our sets' elements.

Numbers of attributes: linux/netfilter/nf_tables.h. Counters are big-endian there, unlike all else.
"""

from __future__ import annotations

from struct import unpack_from

from nethook.kernel.keys import interval_keys, single_keys
from nethook.kernel.layout import NAME
from nethook.kernel.netlink import GET_ELEMENTS, Nftables, attributes
from nethook.kernel.ruleset import SETS, set_name
from nethook.kernel.table import SET_ELEMENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.kernel.netlink import Span
    from nethook.kernel.routes import Place

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
    """What was sent to each (prefix, bridge) that is routed; nothing without our table. ReadError if not known."""
    return _read("to")


def sent() -> Counts:
    """What each of them sent."""
    return _read("from")


def _read(direction: str) -> Counts:
    nftables = Nftables("inet")
    counts: Counts = {}
    for family in (4, 6):
        for single in (True, False):
            name = set_name(direction, family, single=single)
            read_keys = single_keys if single else interval_keys
            for data, begin, end in nftables.dump(GET_ELEMENTS, NAME, name) or ():
                for number, first, last in attributes(data, begin, end):
                    if number != SET_ELEMENTS:
                        continue
                    for _, content, behind in attributes(data, first, last):
                        element = (data, content - ATTRIBUTE_HEADER, behind)
                        ((bridge, block),) = read_keys(SETS[name], [element])
                        counts[block, bridge] = _traffic((data, content, behind))
    return counts


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
