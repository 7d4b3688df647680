"""The keys of a set's elements: from what the kernel sends to what nft would print.

A key is an index, a MAC or the name of a device, an address, or two of these, one behind the other.

Numbers of attributes: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from bisect import bisect_right
from struct import unpack_from

from nethook.errors import ReadError
from nethook.host.layout import DEVICE, INDEX, MAC
from nethook.host.netlink import NUMBER_MASK, attributes
from nethook.net import BITS, block_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.host.layout import SetType
    from nethook.host.netlink import Span

    Element = tuple[str, ...]
    """The key of an element, field by field, such as ``(bridge, block)``, ``(block,)`` or ``(bridge,)``."""

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
            parts = _parts((data, first, last))
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
    parts = _parts(element)
    return None if _is_end(parts) else _split(kind, parts[KEY])[1]


def _parts(element: Span) -> dict[int, bytes]:
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
