"""Our nftables tables as the kernel has them, and chains of other programs, read over netlink.

A key of an element is an index, a MAC or the name of a device, an address, or two of these, one behind the other. It is
told as nft would print it.

Numbers of attributes: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from _bisect import bisect_right
from _socket import AF_INET, AF_INET6, inet_ntop
from struct import error, pack, unpack, unpack_from

from nethook.errors import ReadError
from nethook.host.layout import DEVICE, INDEX, MAC, NAME
from nethook.host.netlink import GET_ELEMENTS, GET_RULE, GET_SETS, NUMBER_MASK, Nftables, attributes
from nethook.prefix import BITS, block_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.host.layout import SetType
    from nethook.host.netlink import Span

    Element = tuple[str, ...]
    """The key of an element, field by field, such as ``(bridge, block)``, ``(block,)`` or ``(bridge,)``."""
    Elements = dict[str, set[Element]]
    """Elements by the name of their set."""

CHAIN_POLICY = 5
RULE_CHAIN, RULE_HANDLE, RULE_EXPRESSIONS, RULE_USERDATA = 2, 3, 4, 7
EXPRESSION_NAME, EXPRESSION_DATA = 1, 2
IMMEDIATE_DATA, VERDICT, VERDICT_CODE = 2, 2, 1
COUNTER, IMMEDIATE, REJECT = b"counter\0", b"immediate\0", b"reject\0"
"""Names of expressions: struct nft_expr_type in the kernel's net/netfilter."""
DROP, JUMP, GOTO = 0, -3, -4
"""Verdicts: linux/netfilter.h, and enum nft_verdicts."""
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


class ForeignRule:
    """A rule of another program's chain: its handle and comment, and whether it ``stops`` all packets.

    That is a rule of nothing but counters and a jump, goto, drop or reject: without any condition.
    """

    __slots__ = ("comment", "handle", "stops")

    def __init__(self, handle: int, comment: str, *, stops: bool) -> None:
        self.handle = handle
        self.comment = comment
        self.stops = stops


class ForeignChain:
    """A chain of another program: its rules from top to bottom, and whether it ``drops`` what passes them all."""

    __slots__ = ("drops", "rules")

    def __init__(self, rules: Sequence[ForeignRule], *, drops: bool) -> None:
        self.rules = rules
        self.drops = drops


def read_chain(family: str, table: str, name: str) -> ForeignChain | None:
    """Return this chain; None if there is no such chain. ReadError. ``family`` is nft's word."""
    with Nftables(family) as nftables:
        found = nftables.chain(table, name)
        if found is None:
            return None
        return foreign_chain(found, nftables.dump(GET_RULE, table, name) or ())


def has_chain(family: str, table: str, name: str) -> bool:
    """Return whether there is such a chain. ReadError. ``family`` is nft's word."""
    with Nftables(family) as nftables:
        return nftables.chain(table, name) is not None


def foreign_chain(chain: Span, rules: Iterable[Span]) -> ForeignChain:
    """Return the chain in what the kernel sends of it and of its rules. ReadError if that is not understood."""
    try:
        policy = _parts(chain).get(CHAIN_POLICY)
        drops = policy is not None and _number(policy) == DROP
        return ForeignChain([_foreign_rule(_parts(rule)) for rule in rules], drops=drops)
    except (error, KeyError):
        raise ReadError("cannot read nftables: the kernel sends a rule that is not understood") from None


def _foreign_rule(parts: Mapping[int, Span]) -> ForeignRule:
    comment = _comment(_content(parts[RULE_USERDATA])) if RULE_USERDATA in parts else ""
    (handle,) = unpack(">Q", _content(parts[RULE_HANDLE]))
    data, begin, end = parts.get(RULE_EXPRESSIONS, (b"", 0, 0))
    listed = [_parts((data, first, last)) for _, first, last in attributes(data, begin, end)]
    more = [each for each in listed if _content(each[EXPRESSION_NAME]) != COUNTER]
    return ForeignRule(handle, comment, stops=len(more) == 1 and _stops(more[0]))


def _stops(expression: Mapping[int, Span]) -> bool:
    """Return whether this expression, alone in a rule, keeps packets from passing, or sends them somewhere else."""
    name = _content(expression[EXPRESSION_NAME])
    if name == IMMEDIATE:
        verdict = _parts(_parts(expression[EXPRESSION_DATA])[IMMEDIATE_DATA]).get(VERDICT)
        return verdict is not None and _number(_parts(verdict)[VERDICT_CODE]) in {DROP, JUMP, GOTO}
    return name == REJECT


def _parts(span: Span) -> dict[int, Span]:
    """Return the attributes in this part of a message."""
    return {number: (span[0], first, last) for number, first, last in attributes(*span)}


def _content(span: Span) -> bytes:
    data, begin, end = span
    return data[begin:end]


def _number(span: Span) -> int:
    number: int = unpack(">i", _content(span))[0]
    return number


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
        elif number == RULE_USERDATA:
            comment = _comment(data[first:last])
    return chain, comment


def _comment(added: bytes) -> str:
    """Return the comment that libnftnl has added to a rule: a type (0: comment), a length, text with a zero behind."""
    return added[2:].partition(b"\0")[0].decode(errors="replace")


KEY, FLAGS, KEY_END = 1, 3, 10
INTERVAL_END = 1

VALUE_OFFSET = 12
"""From the beginning of an element to the value of its key, which comes first: three headers."""

SIZES = {DEVICE: 16, MAC: 8, INDEX: 4}
"""Of fields before others: IFNAMSIZ, a MAC with what makes it end at a register of four bytes, and a number."""
MAC_SIZE = 6


def single_keys(kind: SetType, lists: Iterable[Span]) -> set[Element]:
    """Return the elements of a set without intervals. With many addresses, this takes most of a run's time."""
    first_size = sum(SIZES[field] for field in kind.fields)
    size = first_size + BITS.get(kind.family, 0) // 8
    keys = []
    for data, begin, end in lists:
        at = begin
        while at < end:
            length, _, _, number = unpack_from("HHHH", data, at)
            if number & NUMBER_MASK != KEY or length < VALUE_OFFSET:
                raise ReadError("cannot read nftables: an element does not begin with its key")
            keys.append(data[at + VALUE_OFFSET : at + VALUE_OFFSET + size])
            at += (length + 3) & ~3
    if not kind.family:
        return {_texts(kind, key) for key in keys}
    version = AF_INET if kind.family == 4 else AF_INET6
    if not first_size:
        return {(inet_ntop(version, key),) for key in keys}
    texts = {first: _texts(kind, first)[0] for first in {key[:first_size] for key in keys}}
    return {(texts[key[:first_size]], inet_ntop(version, key[first_size:])) for key in keys}


def interval_keys(kind: SetType, lists: Iterable[Span]) -> set[Element]:
    """Return the elements of a set with intervals.

    Where the key has another field too, each element has both its ends. Where it has not, there are elements at which
    intervals begin, and others, with a flag, right behind their ends.
    """
    found: list[tuple[bytes, int, int]] = []
    begins: list[int] = []
    ends: list[int] = []
    for data, begin, end in lists:
        for _, first, last in attributes(data, begin, end):
            parts = _values((data, first, last))
            field, address = _split(kind, parts[KEY])
            if kind.fields:
                found.append((field, address, _split(kind, parts.get(KEY_END, parts[KEY]))[1]))
            elif _is_end(parts):
                ends.append(address)
            else:
                begins.append(address)
    ends = [*sorted(ends), 1 << BITS[kind.family]]
    found += [(b"", address, ends[bisect_right(ends, address)] - 1) for address in begins]
    blocks = ((field, block_text(kind.family, first, last)) for field, first, last in found)
    return {(*_texts(kind, field), block) for field, block in blocks}


def beginning(kind: SetType, element: Span) -> int | None:
    """Return the address at which an interval begins, None if one ends there; of a set without another field."""
    parts = _values(element)
    return None if _is_end(parts) else _split(kind, parts[KEY])[1]


def _values(element: Span) -> dict[int, bytes]:
    return {number: element[0][at:until] for number, at, until in attributes(*element)}


def _is_end(parts: dict[int, bytes]) -> bool:
    return FLAGS in parts and bool(parts[FLAGS][-1] & INTERVAL_END)


def _split(kind: SetType, key: bytes) -> tuple[bytes, int]:
    """Return first field and address of a key, which is an attribute that holds an attribute."""
    size = sum(SIZES[field] for field in kind.fields)
    value = key[4:]
    return value[:size], int.from_bytes(value[size : size + BITS[kind.family] // 8], "big")


def _texts(kind: SetType, value: bytes) -> tuple[str, ...]:
    """Return the fields before the address."""
    texts = []
    for field in kind.fields:
        part, value = value[: SIZES[field]], value[SIZES[field] :]
        if field == MAC:
            texts.append(part[:MAC_SIZE].hex(":"))
        elif field == INDEX:
            texts.append(str(unpack_from("I", part)[0]))
        else:
            texts.append(part.rstrip(b"\0").decode(errors="replace"))
    return tuple(texts)
