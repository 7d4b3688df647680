"""Which addresses are meant by what somebody wrote on the command line. Pure: lines in, addresses out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config.problem import one_line
from nethook.errors import NethookError
from nethook.net.prefix import BITS, Prefix, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config import RoutedIP

WHOLE_PREFIX = 16
"""A prefix with at most so many addresses is configured whole; of a larger one, one address."""


class Selection(NamedTuple):
    """``addresses`` (single ones, in order) that are routed to ``network``; '' where ``guest`` or ``mac`` is unknown.

    ``remarks`` are for the person who asked.
    """

    network: str
    addresses: Sequence[str]
    guest: str
    mac: str
    remarks: Sequence[str]


class _Chosen(NamedTuple):
    """A block out of the prefix of a line."""

    block: Prefix
    line: RoutedIP


def select(words: Sequence[str], lines: Sequence[RoutedIP]) -> Selection:
    """What these words mean: addresses and prefixes, and the name of a guest.

    A guest alone stands for all lines that are bound to it; beside addresses, it is the one that gets them.
    NethookError where that is nothing, or not one NIC of one guest.
    """
    blocks, guests = _read(words)
    if len(guests) > 1:
        raise NethookError(one_line(f"{' and '.join(guests)} are several guests: ask for one at a time"))
    guest = guests[0] if guests else ""
    chosen = [_chosen(block, lines) for block in blocks] or _bound_to(guest, lines)
    behind = [] if blocks else [each for each in chosen if each.line.via]
    if len(behind) < len(chosen):  # the guest has other addresses, and may be the next hop itself
        chosen = [each for each in chosen if each not in behind]
    network = _only("network", [(each, each.line.network) for each in chosen])
    guest = _only("guest", [(each, each.line.guest or guest) for each in chosen] + [(None, guest)])
    mac = _only("NIC", [(each, each.line.mac or "") for each in chosen])
    addresses: dict[str, None] = {}
    remarks = [f"{each.block} lies behind {each.line.via}, so it is no address of the guest itself" for each in behind]
    for each in chosen:
        if each.line.via:
            raise NethookError(
                f"{each.block} lies behind {each.line.via}: that is the address that a guest has of itself"
            )
        found = _addresses(each, lines)
        addresses.update(dict.fromkeys(found))
        if not each.block.is_address and len(found) == 1:
            remarks.append(f"of {each.block}, the guest gets {found[0]}: any other can be named instead")
    return Selection(network, list(addresses), guest, mac, remarks)


def _read(words: Iterable[str]) -> tuple[list[Prefix], list[str]]:
    """The blocks and the guests among the words. What looks like an address and is none is a mistake."""
    blocks, guests = [], []
    for word in dict.fromkeys(words):
        try:
            blocks.append(parse_prefix(word))
        except ValueError as error:
            if "/" in word or ":" in word or word.replace(".", "").isdigit():
                raise NethookError(one_line(str(error))) from None
            guests.append(word)
    return blocks, guests


def _chosen(block: Prefix, lines: Sequence[RoutedIP]) -> _Chosen:
    line = _line_of(block, lines)
    if line is None:
        raise NethookError(f"no line of the files names {block}, nor a prefix around it{_nearest(block, lines)}")
    return _Chosen(block, line)


def _line_of(block: Prefix, lines: Iterable[RoutedIP]) -> RoutedIP | None:
    """The line that counts for the block: the one with the longest prefix."""
    around = [line for line in lines if block.lies_in(line.prefix)]
    return max(around, key=lambda line: line.prefix.length, default=None)


def _nearest(block: Prefix, lines: Iterable[RoutedIP]) -> str:
    """How to go on: the line whose prefix is nearest."""
    of_family = [line for line in lines if line.prefix.family == block.family]
    if not of_family:
        return f"; they have no IPv{block.family} line at all"
    nearest = min(of_family, key=lambda line: abs(line.prefix.first - block.first))
    return f"; the nearest is {nearest.prefix} at {nearest.place}"


def _bound_to(guest: str, lines: Iterable[RoutedIP]) -> list[_Chosen]:
    found = [_Chosen(line.prefix, line) for line in lines if line.guest == guest]
    if not found:
        advice = f"name its address as well, as in: nethook guest-config ADDRESS {guest}"
        raise NethookError(one_line(f"no line of the files has guest={guest}; {advice}"))
    return found


def _only(what: str, values: Iterable[tuple[_Chosen | None, str]]) -> str:
    """The one value among these, '' where there is none; a NIC is on one network and in one guest."""
    found: dict[str, _Chosen | None] = {}
    for chosen, value in values:
        if value:
            found.setdefault(value, chosen)
    if len(found) > 1:
        told = ", ".join(f"{value} ({chosen.block if chosen else 'asked for'})" for value, chosen in found.items())
        raise NethookError(one_line(f"these are not for one {what}: {told}; ask for one at a time"))
    return next(iter(found), "")


def _addresses(chosen: _Chosen, lines: Sequence[RoutedIP]) -> list[str]:
    """The single addresses that the guest gets of a block: those that do not belong to a line with a longer prefix."""
    block = chosen.block
    is_whole = block.last - block.first < WHOLE_PREFIX
    # a subnet's first address means all of its routers in IPv6, so of a large one it is the second
    numbers = range(block.first, block.last + 1) if is_whole else range(block.first + 1, block.first + 1 + WHOLE_PREFIX)
    singles = [Prefix(block.family, number, BITS[block.family]) for number in numbers]
    own = [single.text for single in singles if _line_of(single, lines) is chosen.line]
    if not own:
        raise NethookError(f"the first addresses of {block} have lines of their own: name the ones that are meant")
    return own if is_whole else own[:1]
