"""The addresses that the words of the command line mean. Pure: words and lines in, addresses out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config.text import one_line
from nethook.errors import NethookError
from nethook.prefix import BITS, Prefix, parse_prefix
from nethook.shell import operand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config import RoutedIP

WHOLE_PREFIX = 16
"""A prefix with at most this many addresses is configured as a whole; of a larger one, the guest gets one address."""


class Selection(NamedTuple):
    """The single ``addresses``, in order, that are routed to ``network``; ``guest`` and ``mac`` are '' if unknown.

    ``remarks`` are sentences for the user.
    """

    network: str
    addresses: Sequence[str]
    guest: str
    mac: str
    remarks: Sequence[str]


class _Chosen(NamedTuple):
    """A block within the prefix of a line."""

    block: Prefix
    line: RoutedIP


def select(words: Sequence[str], lines: Sequence[RoutedIP]) -> Selection:
    """Return the selection of these words: addresses and prefixes, and at most one name of a guest.

    A guest alone stands for all lines that are bound to it. Together with addresses, it is the guest that gets them.
    NethookError if nothing is selected, or if it is not for a single NIC of a single guest.
    """
    blocks, guests = _read(words)
    if len(guests) > 1:
        raise NethookError(one_line(f"{' and '.join(guests)} are several guests: ask for one at a time"))
    guest = guests[0] if guests else ""
    chosen = [_chosen(block, lines) for block in blocks] or _bound_to(guest, lines)
    behind = [] if blocks else [each for each in chosen if each.line.via]
    if len(behind) == len(chosen):  # the guest has no other address, so it is the next hop itself
        behind = []
    chosen = [each for each in chosen if each not in behind]
    network = _only("network", [(each, each.line.network) for each in chosen])
    guest = _only("guest", [(each, each.line.guest or guest) for each in chosen] + [(None, guest)])
    mac = _only("NIC", [(each, each.line.mac or "") for each in chosen])
    addresses: dict[str, None] = {}
    remarks = [f"{each.block} is routed via {each.line.via}, so it is no address of this NIC" for each in behind]
    for each in chosen:
        if each.line.via:
            remarks.append(f"{each.block} is routed via {each.line.via}: this NIC must have that address as well")
        found = _addresses(each, lines)
        addresses.update(dict.fromkeys(found))
        if not each.block.is_address and len(found) == 1:
            remarks.append(f"of {each.block}, the guest gets {found[0]}; to choose another address, name it")
    return Selection(network, list(addresses), guest, mac, remarks)


def _read(words: Iterable[str]) -> tuple[list[Prefix], list[str]]:
    """Return the blocks and the names of guests among the words. NethookError for a misspelt address."""
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
    """Return the line for the block, which is the one with the longest prefix around it; None without one."""
    around = [line for line in lines if block.lies_in(line.prefix)]
    return max(around, key=lambda line: line.prefix.length, default=None)


def _nearest(block: Prefix, lines: Iterable[RoutedIP]) -> str:
    """Return the line with the nearest prefix, as the end of an error message."""
    of_family = [line for line in lines if line.prefix.family == block.family]
    if not of_family:
        return f"; they have no IPv{block.family} line at all"
    nearest = min(of_family, key=lambda line: abs(line.prefix.first - block.first))
    return f"; the nearest is {nearest.prefix} at {nearest.place}"


def _bound_to(guest: str, lines: Iterable[RoutedIP]) -> list[_Chosen]:
    found = [_Chosen(line.prefix, line) for line in lines if line.guest == guest]
    if not found:
        advice = f"name its address, too: nethook guest-config ADDRESS {operand(guest)}"
        raise NethookError(one_line(f"no line of the files has guest={guest}; {advice}"))
    return found


def _only(what: str, values: Iterable[tuple[_Chosen | None, str]]) -> str:
    """Return the only value among these, '' without one. NethookError if there are several."""
    found: dict[str, _Chosen | None] = {}
    for chosen, value in values:
        if value:
            found.setdefault(value, chosen)
    if len(found) > 1:
        named = ", ".join(f"{value} ({chosen.block if chosen else 'asked for'})" for value, chosen in found.items())
        raise NethookError(one_line(f"these are for more than one {what}: {named}; ask for one at a time"))
    return next(iter(found), "")


def _addresses(chosen: _Chosen, lines: Sequence[RoutedIP]) -> list[str]:
    """Return the single addresses of a block for the guest, without those that have a line with a longer prefix."""
    block = chosen.block
    is_whole = block.last - block.first < WHOLE_PREFIX
    # In IPv6, the first address of a subnet is the anycast address of its routers. So a large one gives its second.
    numbers = range(block.first, block.last + 1) if is_whole else range(block.first + 1, block.first + 1 + WHOLE_PREFIX)
    singles = [Prefix(block.family, number, BITS[block.family]) for number in numbers]
    own = [single.text for single in singles if _line_of(single, lines) is chosen.line]
    if not own:
        raise NethookError(f"the first addresses of {block} have lines of their own: name the addresses that you want")
    return own if is_whole else own[:1]
