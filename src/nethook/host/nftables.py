"""Our nftables tables as the kernel has them, read over netlink."""

from __future__ import annotations

from struct import pack

from nethook.host.keys import interval_keys, single_keys
from nethook.host.layout import NAME
from nethook.host.netlink import GET_ELEMENTS, GET_RULE, GET_SETS, Nftables, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.host.keys import Element
    from nethook.host.layout import SetType
    from nethook.host.netlink import Span

    Elements = dict[str, set[Element]]
    """Elements by the name of their set."""

# Numbers of attributes: linux/netfilter/nf_tables.h.
RULE_CHAIN, RULE_USERDATA = 2, 7
SET, SET_ELEMENTS = 2, 3
ETHER_TYPE = b"".join(pack("HH", 8, number) + pack(">I", value) for number, value in ((2, 0), (3, 12), (4, 2)))
"""In a rule, what looks at the type of a frame: base, offset and length of a payload.

None of ours does, since it is that of the tag in a frame that has one. But nft leaves ``meta protocol`` out where it
lists rules, so when somebody restores them from a listing, they do; the comment of such a rule counts for nothing.
"""


class Table:
    """A table as it was read: its elements by set, and the comments of its rules by chain."""

    __slots__ = ("comments", "elements")

    def __init__(self, sets: Iterable[str]) -> None:
        self.comments: dict[str, list[str]] = {}
        self.elements: Elements = {name: set() for name in sets}


def read_table(family: str, sets: Mapping[str, SetType]) -> Table | None:
    """Return our table of this family; None if there is none with rules or with one of these sets. ReadError.

    ``family`` is nft's word.
    """
    with Nftables(family) as nftables:
        return _read(nftables, sets)


def _read(nftables: Nftables, sets: Mapping[str, SetType]) -> Table | None:
    table = Table(sets)
    for rule in nftables.dump(GET_RULE, NAME) or ():
        chain, comment = _chain_and_comment(rule)
        data, begin, end = rule
        if ETHER_TYPE in data[begin:end]:
            comment = ""
        table.comments.setdefault(chain, []).append(comment)
    there = {_set_name(each) for each in nftables.dump(GET_SETS, NAME) or ()} & sets.keys()
    for name, kind in sets.items():
        dumped = nftables.dump(GET_ELEMENTS, NAME, name) if name in there else None
        if dumped is not None:
            table.elements[name] = elements(kind, dumped)
    return table if table.comments or there else None


def read_elements(family: str, sets: Mapping[str, SetType]) -> Elements | None:
    """Return the elements of these sets of our table; None if one of them is not there. ReadError."""
    found: Elements = {}
    with Nftables(family) as nftables:
        for name, kind in sets.items():
            dumped = nftables.dump(GET_ELEMENTS, NAME, name)
            if dumped is None:
                return None
            found[name] = elements(kind, dumped)
    return found


def change_elements(family: str, new: Mapping[str, Sequence[bytes]], gone: Mapping[str, Sequence[bytes]]) -> None:
    """Add and delete elements with these keys, by set of our table, in one transaction. ReadError if refused."""
    with Nftables(family) as nftables:
        nftables.change(NAME, new, gone)


def elements(kind: SetType, dumped: Iterable[Span]) -> set[Element]:
    """Return the elements in what the kernel sends of a set of this type."""
    lists = [
        (data, first, last)
        for data, begin, end in dumped
        for number, first, last in attributes(data, begin, end)
        if number == SET_ELEMENTS
    ]
    return (interval_keys if kind.is_interval else single_keys)(kind, lists)


def _set_name(found: Span) -> str:
    return next(
        (found[0][first : last - 1].decode() for number, first, last in attributes(*found) if number == SET), ""
    )


def _chain_and_comment(rule: Span) -> tuple[str, str]:
    """Return the chain of a rule, and its comment ('' without one)."""
    chain = comment = ""
    data = rule[0]
    for number, first, last in attributes(*rule):
        if number == RULE_CHAIN:
            chain = data[first : last - 1].decode()
        elif number == RULE_USERDATA:  # as libnftnl writes it: a type (0: comment), a length, text with a zero behind
            comment = data[first + 2 : last].partition(b"\0")[0].decode(errors="replace")
    return chain, comment
