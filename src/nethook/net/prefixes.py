"""Several prefixes, where one may lie in another. Pure."""

from __future__ import annotations

from bisect import bisect_right

from nethook.net.prefix import BITS, Prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def outermost(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """Return the single addresses, and the prefixes that lie in no other one, as interval sets need them."""
    chosen: list[Prefix] = []
    blocks: list[Prefix] = []
    for prefix in prefixes:
        (chosen if prefix.is_address else blocks).append(prefix)
    last = {4: -1, 6: -1}
    for prefix in sorted(blocks, key=lambda block: (block.first, block.length)):
        if prefix.first > last[prefix.family]:
            last[prefix.family] = prefix.last
            chosen.append(prefix)
    return chosen


def disjoint(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """Return those of the prefixes, single addresses too, that lie in no other one; in order."""
    chosen: list[Prefix] = []
    for prefix in sorted(prefixes, key=in_order):
        if not chosen or not prefix.lies_in(chosen[-1]):
            chosen.append(prefix)
    return chosen


def without(block: Prefix, holes: Sequence[Prefix]) -> list[Prefix]:
    """Return the rest of the block as prefixes. The holes lie in it, and not in each other."""
    if not holes:
        return [block]
    if holes[0].length == block.length:
        return []
    length = block.length + 1
    lower = Prefix(block.family, block.first, length)
    upper = Prefix(block.family, block.first | 1 << BITS[block.family] - length, length)
    return [rest for half in (lower, upper) for rest in without(half, [hole for hole in holes if hole.lies_in(half)])]


class Ordered:
    """Prefixes, to be found by where they lie."""

    __slots__ = ("_keys", "_prefixes")

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._prefixes = sorted(prefixes, key=in_order)
        self._keys = [in_order(prefix) for prefix in self._prefixes]

    def within(self, block: Prefix) -> list[Prefix]:
        """Return those that lie in the block and are not the same; in order."""
        first = last = bisect_right(self._keys, in_order(block))
        while last < len(self._prefixes) and self._prefixes[last].lies_in(block):
            last += 1
        return self._prefixes[first:last]

    def around(self, block: Prefix) -> Prefix | None:
        """Return the one that the block lies in or is; none of the prefixes must lie in another."""
        at = bisect_right(self._keys, in_order(block)) - 1
        return self._prefixes[at] if at >= 0 and block.lies_in(self._prefixes[at]) else None


class Longest:
    """Prefixes, of which one can find the longest around an address, as a router does."""

    __slots__ = ("_lengths", "_prefixes")

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._prefixes = {in_order(prefix): prefix for prefix in prefixes}
        self._lengths = {
            family: sorted({length for of, _, length in self._prefixes if of == family}, reverse=True)
            for family in BITS
        }

    def around(self, block: Prefix) -> Prefix | None:
        """Return the longest of the prefixes in which the block lies; None if it lies in none."""
        bits = BITS[block.family]
        for length in self._lengths[block.family]:
            if length <= block.length:
                host_bits = bits - length
                found = self._prefixes.get((block.family, (block.first >> host_bits) << host_bits, length))
                if found:
                    return found
        return None


def in_order(prefix: Prefix) -> tuple[int, int, int]:
    """Return a key for sorting: families apart, and a prefix right before those that lie in it."""
    return prefix.family, prefix.first, prefix.length
