"""Elements that stay because of a wrong line, and would be in the way of right ones.

nft takes no intervals that overlap, and with one of them it refuses the whole transaction.
"""

from __future__ import annotations

from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.host.nftables import Element, Elements
    from nethook.prefix import Prefix


def crossing(name: str, size: int, there: Iterable[Element], wanted: Elements) -> Iterator[Element]:
    """Yield those of the elements of a set with intervals that cannot be there beside what is wanted.

    ``size`` is the number of fields of its keys. Ranges that are taken from the host and lead somewhere go together.
    """
    has_source = name.startswith("from")
    ranges: dict[Element, list[str]] = {}
    for address, protocol, ports in wanted["taken_ranges"] if name.endswith("ranges") else ():
        ranges.setdefault((address, protocol), []).append(ports)
    sources: dict[Element, list[Prefix]] = {}
    for element in wanted[name] if has_source else ():
        sources.setdefault(element[1:size], []).append(parse_prefix(element[0]))
    for element in there:
        service = element[has_source:size]
        if any(_overlap(ports, service[2]) for ports in ranges.get(service[:2], ())) or (
            has_source and any(parse_prefix(element[0]).overlaps(each) for each in sources.get(service, ()))
        ):
            yield element


def _overlap(one: str, other: str) -> bool:
    """Return whether two ranges have some ports in common, and not all."""
    (first, last), (begin, end) = ([int(port) for port in ports.split("-")] for ports in (one, other))
    return one != other and first <= end and begin <= last
