"""A table of ours as it is: reading it, and the commands that change single elements."""

from __future__ import annotations

from struct import pack

from nethook.host.device import quoted
from nethook.host.keys import interval_keys, single_keys
from nethook.host.layout import DEVICE, NAME
from nethook.host.netlink import GET_ELEMENTS, GET_RULE, GET_SETS, Nftables, attributes
from nethook.net.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nethook.host.keys import Element
    from nethook.host.layout import Layout, SetType
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


def read(family: str, sets: Mapping[str, SetType]) -> Table | None:
    """Our table of this family, None when there is none with rules or sets of ours; ReadError if that is not known."""
    with Nftables(family) as nftables:
        return _read(nftables, sets)


def _read(nftables: Nftables, sets: Mapping[str, SetType]) -> Table | None:
    table = Table(sets)
    for rule in nftables.dump(GET_RULE, NAME) or ():
        chain, comment = chain_and_comment(rule)
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


def chain_and_comment(rule: Span) -> tuple[str, str]:
    """The chain of a rule, and its comment ('' without one)."""
    chain = comment = ""
    data = rule[0]
    for number, first, last in attributes(*rule):
        if number == RULE_CHAIN:
            chain = data[first : last - 1].decode()
        elif number == RULE_USERDATA:  # as libnftnl writes it: a type (0: comment), a length, text with a zero behind
            comment = data[first + 2 : last].partition(b"\0")[0].decode(errors="replace")
    return chain, comment


def deletions(layout: Layout, elements: Elements) -> list[str]:
    """The commands that delete these elements; nft refuses the whole transaction if one is not there."""
    return [_command("delete", layout, name, members) for name, members in elements.items() if members]


def additions(layout: Layout, elements: Elements) -> list[str]:
    """The commands that add these elements."""
    return [_command("add", layout, name, members) for name, members in elements.items() if members]


def _command(verb: str, layout: Layout, name: str, elements: set[Element]) -> str:
    kind = layout.sets[name]
    if kind.in_payload:
        elements = {(*first, _number(block)) for *first, block in elements}
    if DEVICE in kind.fields:
        keys = [" . ".join((quoted(device), *fields)) for device, *fields in elements]
    else:
        keys = [" . ".join(fields) for fields in elements]
    return f"{verb} element {layout.table} {name} {{ {', '.join(sorted(keys))} }}"


def _number(block: str) -> str:
    """An address or prefix as nft takes it for a number, or a range of them."""
    prefix = parse_prefix(block)
    return f"{prefix.first:#x}" if prefix.is_address else f"{prefix.first:#x}-{prefix.last:#x}"
