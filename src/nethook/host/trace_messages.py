"""The messages of the kernel about traced packets.

Numbers: linux/netfilter/nf_tables.h; the kernel's net/netfilter/nf_tables_trace.c.
"""

from __future__ import annotations

from struct import error, unpack
from typing import TYPE_CHECKING, NamedTuple

from nethook.errors import ReadError
from nethook.host.netlink import NFTABLES_HEADER, attributes
from nethook.host.notifications import FAMILY_NAMES, messages

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE = 17
TABLE, CHAIN, HANDLE, KIND, VERDICT, ID = 1, 2, 3, 4, 5, 6
NETWORK_HEADER, TRANSPORT_HEADER, IN_DEVICE, OUT_DEVICE, MARK, POLICY = 8, 9, 10, 12, 14, 16
BY_POLICY, BY_RULE = 1, 3
"""Kinds of messages."""
DROP, ACCEPT, STOLEN, QUEUE, CONTINUE, JUMP, GOTO, RETURN = 0, 1, 2, 3, -1, -3, -4, -5
"""Verdicts."""
VERDICT_CODE, VERDICT_CHAIN = 1, 2
VERDICT_MASK = 0xFF
ZERO = bytes(4)


class Told(NamedTuple):
    """One message of the kernel about a packet: a rule that it met, or the end of a chain.

    ``packet`` is a number, which the kernel uses again for later packets. ``network`` and ``transport`` are headers of
    the packet; only the first message of a base chain has them.
    """

    packet: int
    family: str
    table: str
    chain: str
    kind: int
    verdict: int
    target: str = ""
    handle: int = 0
    network: bytes = b""
    transport: bytes = b""
    in_device: int = 0
    out_device: int = 0
    mark: int = 0


def parsed(data: bytes) -> Iterator[Told]:
    """Yield what these messages tell; what is not understood is left out."""
    for kind, _, begin, end in messages(data):
        if kind & 0xFF != MESSAGE:
            continue
        try:
            values = {key: data[at:until] for key, at, until in attributes(data, begin + NFTABLES_HEADER, end)}
            yield _told(FAMILY_NAMES.get(data[begin], "?"), values)
        except (ReadError, KeyError, error):
            continue


def _told(family: str, values: dict[int, bytes]) -> Told:
    verdict, target = _number(values[POLICY]) if POLICY in values else CONTINUE, ""
    if VERDICT in values:
        inner = values[VERDICT]
        parts = {key: inner[at:until] for key, at, until in attributes(inner, 0, len(inner))}
        verdict, target = _number(parts[VERDICT_CODE]), _text(parts.get(VERDICT_CHAIN, b""))
        if not RETURN <= verdict < 0:  # the upper bits have the number of a queue, or an error
            verdict &= VERDICT_MASK
    return Told(
        _number(values[ID]),
        family,
        _text(values[TABLE]),
        _text(values[CHAIN]),
        _number(values[KIND]),
        verdict,
        target,
        unpack(">Q", values[HANDLE])[0] if HANDLE in values else 0,
        values.get(NETWORK_HEADER, b""),
        values.get(TRANSPORT_HEADER, b""),
        _number(values.get(IN_DEVICE, ZERO)),
        _number(values.get(OUT_DEVICE, ZERO)),
        _number(values.get(MARK, ZERO)) & 0xFFFFFFFF,
    )


def _number(value: bytes) -> int:
    found: int = unpack(">i", value)[0]
    return found


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
