"""Traffic, as the elements of our sets have counted it.

Numbers of attributes: linux/netfilter/nf_tables.h. Counters are big-endian there, unlike all else.
"""

from __future__ import annotations

from struct import unpack_from

from nethook.host.layout import NAME
from nethook.host.netlink import GET_ELEMENTS, Nftables, attributes
from nethook.host.nftables import SET_ELEMENTS, beginning, interval_keys, single_keys
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nethook.host.layout import SetType
    from nethook.host.netlink import Span
    from nethook.host.nftables import Element

EXPRESSION, EXPRESSION_DATA = 7, 2
COUNTED_BYTES, COUNTED_PACKETS = 1, 2
ATTRIBUTE_HEADER = 4


class Traffic:
    """Packets and bytes since the element was made."""

    __slots__ = ("bytes", "packets")

    def __init__(self, packets: int, octets: int) -> None:
        self.packets = packets
        self.bytes = octets


def read_traffic(family: str, sets: Mapping[str, SetType]) -> list[tuple[str, Element, Traffic]]:
    """Return each element of these sets of our table, with the name of its set. ReadError if they are not known.

    ``family`` is nft's word. A set that is not there has no elements.
    """
    with Nftables(family) as nftables:
        return [
            (name, element, traffic)
            for name, kind in sets.items()
            for element, traffic in _elements(nftables, name, kind)
        ]


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
    if kind.is_interval and len(kind.fields) == 1:  # what counts is the element at which an interval begins
        traffic = {beginning(kind, element): _traffic(element) for element in elements}
        yield from ((key, traffic[parse_prefix(key[0]).first]) for key in interval_keys(kind, lists))
        return
    read_keys = interval_keys if kind.is_interval else single_keys
    for data, content, behind in elements:
        for key in read_keys(kind, [(data, content - ATTRIBUTE_HEADER, behind)]):
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
