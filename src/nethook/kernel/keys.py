"""The keys of a set's elements: from what the kernel sends to what nft would print.

A key is a device's name, an address, or both one behind the other. Numbers of attributes: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from bisect import bisect_right
from struct import unpack_from

from nethook.errors import ReadError
from nethook.kernel.netlink import NUMBER_MASK, attributes
from nethook.prefix import BITS, block_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.kernel.netlink import Span
    from nethook.kernel.ruleset import SetType

    Element = tuple[str, ...]
    """The key of an element, field by field: ``(bridge, block)``, ``(block,)`` or ``(bridge,)``."""

KEY, FLAGS, KEY_END = 1, 3, 10
INTERVAL_END = 1

VALUE_OFFSET = 12
"""From the beginning of an element to the value of its key, which comes first: three headers."""

DEVICE_SIZE = 16  # IFNAMSIZ


def single_keys(kind: SetType, lists: Iterable[Span]) -> set[Element]:
    """The elements of a set without intervals. With many addresses, this is where the time of a run goes."""
    device_size = DEVICE_SIZE if kind.has_device else 0
    size = device_size + BITS.get(kind.family, 0) // 8
    keys = []
    for data, begin, end in lists:
        at = begin
        while at < end:
            length, _, _, number = unpack_from("HHHH", data, at)
            if number & NUMBER_MASK != KEY:
                raise ReadError("cannot read nftables: an element does not begin with its key")
            keys.append(data[at + VALUE_OFFSET : at + VALUE_OFFSET + size])
            at += length + 3 & ~3
    if not kind.family:
        return {(_name(key),) for key in keys}
    version = AF_INET if kind.family == 4 else AF_INET6
    if not device_size:
        return {(inet_ntop(version, key),) for key in keys}
    names = {device: _name(device) for device in {key[:device_size] for key in keys}}
    return {(names[key[:device_size]], inet_ntop(version, key[device_size:])) for key in keys}


def interval_keys(kind: SetType, lists: Iterable[Span]) -> set[Element]:
    """The elements of a set with intervals.

    Where the key has a device too, each element has both its ends. Where it has not, there are elements at which
    intervals begin, and others, with a flag, right behind their ends.
    """
    found: list[tuple[bytes, int, int]] = []
    begins: list[int] = []
    ends: list[int] = []
    for data, begin, end in lists:
        for _, first, last in attributes(data, begin, end):
            parts = {number: data[at:until] for number, at, until in attributes(data, first, last)}
            device, address = _split(kind, parts[KEY])
            if kind.has_device:
                found.append((device, address, _split(kind, parts.get(KEY_END, parts[KEY]))[1]))
            elif FLAGS in parts and parts[FLAGS][-1] & INTERVAL_END:
                ends.append(address)
            else:
                begins.append(address)
    ends = [*sorted(ends), 1 << BITS[kind.family]]
    found += [(b"", address, ends[bisect_right(ends, address)] - 1) for address in begins]
    blocks = ((device, block_text(kind.family, first, last)) for device, first, last in found)
    return {(_name(device), block) if device else (block,) for device, block in blocks}


def _split(kind: SetType, key: bytes) -> tuple[bytes, int]:
    """Device and address of a key, which is an attribute that holds an attribute."""
    device_size = DEVICE_SIZE if kind.has_device else 0
    value = key[4:]
    address = value[device_size : device_size + BITS[kind.family] // 8]
    return value[:device_size], int.from_bytes(address, "big")


def _name(device: bytes) -> str:
    return device.rstrip(b"\0").decode(errors="replace")
