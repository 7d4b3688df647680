"""Expressions of nftables rules, as the kernel takes them over netlink: only those that choose packets to trace.

Everywhere else ``nft`` makes the rules. But a table that disappears with its owner can be changed by the owner's
socket alone, and that is ours: ``tracing.py``.

Numbers: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

from nethook.host.netlink import NESTED, attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    Expression = bytes
    """One expression. A rule is a list of them: each loads a value into REGISTER, or looks at what is there."""

REGISTER = 8
"""NFT_REG32_00, the first register of 4 bytes; longer values take those behind it, too."""
MARK_OF_TRACE, PROTOCOL, NFPROTO, L4PROTO = 12, 1, 15, 16
"""Keys of ``meta``."""
NETWORK, TRANSPORT = 1, 2
"""Bases of ``payload``."""
EQUAL, UNEQUAL = 0, 1
CT_STATUS, CT_DIRECTION, CT_PROTO_SOURCE, CT_PROTO_DESTINATION = 2, 1, 11, 12
CT_SOURCE = {4: 19, 6: 21}
CT_DESTINATION = {4: 20, 6: 22}
"""Keys of ``ct``."""
ORIGINAL, REPLY = 0, 1
"""Directions of a connection."""


def number(value: int) -> bytes:
    """Return a number as nftables takes it in attributes."""
    return pack(">I", value & 0xFFFFFFFF)


def _expression(name: bytes, *attributes: tuple[int, bytes]) -> Expression:
    data = b"".join(attribute(key, content) for key, content in attributes)
    return attribute(1 | NESTED, attribute(1, name + b"\0") + attribute(2 | NESTED, data))


def meta(key: int) -> Expression:
    """Return the expression that loads what the kernel knows of the packet."""
    return _expression(b"meta", (1, number(REGISTER)), (2, number(key)))


def payload(base: int, offset: int, length: int) -> Expression:
    """Return the expression that loads bytes of the packet's network or transport header."""
    parts = ((1, REGISTER), (2, base), (3, offset), (4, length))
    return _expression(b"payload", *((key, number(value)) for key, value in parts))


def connection(key: int, direction: int | None = None) -> Expression:
    """Return the expression that loads what connection tracking knows, in packets of this direction."""
    of_direction = [] if direction is None else [(3, bytes([direction]))]
    return _expression(b"ct", (1, number(REGISTER)), (2, number(key)), *of_direction)


def compare(value: bytes, operator: int = EQUAL) -> Expression:
    """Return the expression that ends the rule unless this was loaded; with UNEQUAL, if it was."""
    return _expression(b"cmp", (1, number(REGISTER)), (2, number(operator)), (3 | NESTED, attribute(1, value)))


def has_bits(mask: bytes) -> list[Expression]:
    """Return the expressions that end the rule unless one of these bits was loaded."""
    length, nothing = len(mask), bytes(len(mask))
    masked = _expression(
        b"bitwise",
        (1, number(REGISTER)),
        (2, number(REGISTER)),
        (3, number(length)),
        (4 | NESTED, attribute(1, mask)),
        (5 | NESTED, attribute(1, nothing)),
    )
    return [masked, compare(nothing, UNEQUAL)]


def limit(each_second: int, burst: int) -> Expression:
    """Return the expression that ends the rule for all but so many packets."""
    return _expression(b"limit", (1, pack(">Q", each_second)), (2, pack(">Q", 1)), (3, number(burst)), (4, number(0)))


def trace() -> list[Expression]:
    """Have the kernel tell of each rule that the packet meets from now on."""
    loaded = _expression(b"immediate", (1, number(REGISTER)), (2 | NESTED, attribute(1, b"\1")))
    return [loaded, _expression(b"meta", (2, number(MARK_OF_TRACE)), (3, number(REGISTER)))]


def rule(expressions: Sequence[Expression]) -> bytes:
    """Return the attribute of a rule that has these expressions."""
    return attribute(4 | NESTED, b"".join(expressions))
