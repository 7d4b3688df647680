"""Our nftables tables as the kernel has them, and chains of other programs, read over netlink.

An element is its key, and in a map the data that it leads to, field by field as nft would print it.

Numbers of attributes: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from _bisect import bisect_right
from _socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct, calcsize, error, pack, unpack, unpack_from

from nethook.errors import ReadError
from nethook.host.layout import ADDRESS, DEVICE, INDEX, MAC, NAME, PORT, PROTOCOL
from nethook.host.netlink import (
    ELEMENT_KEY,
    ELEMENT_KEY_END,
    GET_ELEMENTS,
    GET_RULE,
    GET_SETS,
    NUMBER_MASK,
    Nftables,
    attributes,
    families_of_tables,
)
from nethook.prefix import BITS, NAME_SIZE, block_text, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nethook.host.layout import SetType
    from nethook.host.netlink import Key, Span

    Element = tuple[str, ...]
    """An element, field by field, such as ``(bridge, block)``, or ``(address, "tcp", port, target)`` of a map."""
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


def tables() -> set[str]:
    """Return the families, in nft's words, in which there is a table of ours. ReadError.

    Most hosts have one of the five that there can be. One question for all costs less than one for each of the others.
    """
    return families_of_tables(NAME)


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


def change_elements(family: str, new: Mapping[str, Sequence[Key]], gone: Mapping[str, Sequence[Key]]) -> None:
    """Add and delete elements with these keys, by set of our table, in one transaction. ReadError if refused.

    Keys are ``encoded``.
    """
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


DATA, FLAGS = 2, 3
"""Beside the key, of an element."""
INTERVAL_END = 1

VALUE_OFFSET = 12
"""From the beginning of an element to the value of its key, which comes first: three headers."""
VALUE_HEADER = 4
"""A key, or data, is an attribute that holds an attribute: the value."""
REGISTER = 4
"""Bytes. Where there are several fields, each begins at a multiple of it."""
FAMILIES = {ADDRESS[4]: 4, ADDRESS[6]: 6}
DATA_HEADERS = "8s"
"""What is between the values of key and data: those of the data and of its value."""

SIZES = {DEVICE: NAME_SIZE, MAC: 6, INDEX: 4, ADDRESS[4]: 4, ADDRESS[6]: 16, PROTOCOL: 1, PORT: 2}
"""Bytes of each field."""
PROTOCOLS = {6: "tcp", 17: "udp"}
READERS: dict[str, Callable[[bytes], str]] = {
    DEVICE: lambda value: value.rstrip(b"\0").decode(errors="replace"),
    MAC: lambda value: value.hex(":"),
    INDEX: lambda value: str(unpack("I", value)[0]),
    ADDRESS[4]: lambda value: inet_ntop(AF_INET, value),
    ADDRESS[6]: lambda value: inet_ntop(AF_INET6, value),
    PROTOCOL: lambda value: PROTOCOLS.get(value[0]) or str(value[0]),
    PORT: lambda value: str(int.from_bytes(value, "big")),
}
"""Each makes the text of one value."""
NOT_OURS = "cannot read nftables: a set of our table has elements of another type than ours"


def single_keys(kind: SetType, lists: Iterable[Span]) -> set[Element]:
    """Return the elements of a set without intervals. With many addresses, this takes most of a run's time."""
    key_length = VALUE_HEADER + calcsize(_format(kind.fields))
    values = Struct(_format(kind.fields) + (f"{DATA_HEADERS}{_format(kind.data)}" if kind.data else ""))
    size = values.size
    found = []
    for data, begin, end in lists:
        at = begin
        while at < end:
            length, _, _, number, value_length = unpack_from("HHHHH", data, at)
            if length < VALUE_OFFSET:
                raise ReadError("cannot read nftables: an element is cut")
            if number & NUMBER_MASK == ELEMENT_KEY:  # one without a key stands for all other keys; we make none
                if value_length != key_length:
                    raise ReadError(NOT_OURS)
                found.append(data[at + VALUE_OFFSET : at + VALUE_OFFSET + size])
            at += (length + 3) & ~3
    if len(kind.fields) == 1 and not kind.data:
        return {*zip(_texts(*kind.fields, found))}
    try:
        columns = [*zip(*values.iter_unpack(b"".join(found)))]
    except error:  # the last one has no data
        raise ReadError(NOT_OURS) from None
    if kind.data and found:
        for headers in {*columns.pop(len(kind.fields))}:
            _, number, length, _ = unpack("HHHH", headers)
            if number & NUMBER_MASK != DATA or length != VALUE_HEADER + calcsize(_format(kind.data)):
                raise ReadError(NOT_OURS)
    return {*zip(*map(_texts, (*kind.fields, *kind.data), columns))}


def _format(fields: Sequence[str]) -> str:
    """Return how the values of these fields lie, for ``struct``: several begin at registers, with zeros between."""
    if len(fields) == 1:
        return f"{SIZES[fields[0]]}s"
    return "".join(f"{SIZES[field]}s{-SIZES[field] % REGISTER}x" for field in fields)


def _texts(field: str, values: Sequence[bytes]) -> Iterable[str]:
    """Return the text of each of these values of a field, made once for all that are the same."""
    read = READERS[field]
    different = {*values}
    if len(different) == len(values):
        return map(read, values)
    texts = {value: read(value) for value in different}
    return map(texts.__getitem__, values)


def interval_keys(kind: SetType, lists: Iterable[Span]) -> set[Element]:
    """Return the elements of a set with intervals.

    Where the key has several fields, each element has both its ends. Where it is an address, there are elements at
    which intervals begin, and others, with a flag, right behind their ends.
    """
    dumped = (_values((data, first, last)) for data, *span in lists for _, first, last in attributes(data, *span))
    listed = [parts for parts in dumped if ELEMENT_KEY in parts]
    try:
        if len(kind.fields) > 1:
            return {_interval(kind, parts) for parts in listed}
        begins = [_address(kind, parts) for parts in listed if not _is_end(parts)]
        ends = [*sorted(_address(kind, parts) for parts in listed if _is_end(parts)), 1 << BITS[kind.family]]
    except (KeyError, error):
        raise ReadError(NOT_OURS) from None
    return {(block_text(kind.family, first, ends[bisect_right(ends, first)] - 1),) for first in begins}


def beginning(kind: SetType, element: Span) -> int | None:
    """Return the address at which an interval begins, None if one ends there; of a set without another field."""
    parts = _values(element)
    return None if _is_end(parts) or ELEMENT_KEY not in parts else _address(kind, parts)


def _values(element: Span) -> dict[int, bytes]:
    return {number: element[0][at:until] for number, at, until in attributes(*element)}


def _is_end(parts: Mapping[int, bytes]) -> bool:
    return FLAGS in parts and bool(parts[FLAGS][-1] & INTERVAL_END)


def _address(kind: SetType, parts: Mapping[int, bytes]) -> int:
    (value,) = _split(kind.fields, parts[ELEMENT_KEY][VALUE_HEADER:])
    return int.from_bytes(value, "big")


def _interval(kind: SetType, parts: Mapping[int, bytes]) -> Element:
    first = parts[ELEMENT_KEY][VALUE_HEADER:]
    last = parts[ELEMENT_KEY_END][VALUE_HEADER:] if ELEMENT_KEY_END in parts else first
    data = _split(kind.data, parts[DATA][VALUE_HEADER:]) if kind.data else ()
    return (*decoded(kind.fields, (first, last)), *(READERS[field](value) for field, value in zip(kind.data, data)))


def _split(fields: Sequence[str], values: bytes) -> tuple[bytes, ...]:
    """Return the value of each field; struct.error if they are too short."""
    return unpack_from(_format(fields), values)


def decoded(fields: Sequence[str], key: Key) -> Element:
    """Return the fields of a key as text, from its beginning and, if it has one, its end."""
    return tuple(
        _range(field, first, last)
        for field, first, last in zip(fields, _split(fields, key[0]), _split(fields, key[-1]))
    )


def _range(field: str, first: bytes, last: bytes) -> str:
    if field in FAMILIES:
        return block_text(FAMILIES[field], int.from_bytes(first, "big"), int.from_bytes(last, "big"))
    read = READERS[field]
    return f"{read(first)}-{read(last)}" if field == PORT and first != last else read(first)


def encoded(kind: SetType, element: Element) -> Key:
    """Return the key of an element, whose fields are devices and addresses, as ``change_elements`` takes it.

    That is its beginning, and in a set with intervals and several fields also its end.
    """
    ends = [_ends(field, text) for field, text in zip(kind.fields, element)]
    key = tuple(pack(_format(kind.fields), *values) for values in zip(*ends))
    return key if kind.is_interval and len(kind.fields) > 1 else key[:1]


def _ends(field: str, text: str) -> tuple[bytes, bytes]:
    """Return the lowest and the highest value of a field."""
    if field == DEVICE:
        name = text.encode("utf-8", "surrogateescape")
        return name, name
    prefix = parse_prefix(text)
    size = SIZES[field]
    return prefix.first.to_bytes(size, "big"), prefix.last.to_bytes(size, "big")
