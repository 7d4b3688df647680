"""Connections that the kernel tracks although no packet was sent, for tests and bench that need many of them."""

from __future__ import annotations

import socket
from struct import pack, unpack_from
from typing import TYPE_CHECKING

from nethook.host.netlink import ACKNOWLEDGE, CREATE, NESTED, NETLINK_NETFILTER, attribute
from nethook.prefix import BITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.host.conntrack import Entry

NEW_CONNECTION, DELETE_CONNECTION = 0x100, 0x102
ORIGINAL, REPLY, TIMEOUT, ZONE = 1, 2, 7, 18
SECONDS = 600
AT_ONCE = 100


def track(entries: Iterable[Entry], zone: int = 0) -> None:
    """Have the kernel of this network namespace track these connections, each from a source port of its own."""
    messages = [_message(each, 1024 + number % 60_000, zone) for number, each in enumerate(entries)]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        for start in range(0, len(messages), AT_ONCE):
            _send(kernel, messages[start : start + AT_ONCE])


def forget() -> None:
    """Have the kernel of this network namespace forget all connections."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        _send(kernel, [pack("IHHII", 20, DELETE_CONNECTION, 1 | ACKNOWLEDGE, 0, 0) + bytes(4)])


def _send(kernel: socket.socket, messages: Sequence[bytes]) -> None:
    kernel.send(b"".join(messages))
    for _ in messages:
        (status,) = unpack_from("i", kernel.recv(65536), 16)
        if status:
            raise OSError(-status, "the kernel does not track this connection")


def _message(entry: Entry, source_port: int, zone: int) -> bytes:
    to, source, at, left_as = (number.to_bytes(BITS[entry.family] // 8, "big") for number in entry.addresses)
    body = (
        pack("BBH", socket.AF_INET if entry.family == 4 else socket.AF_INET6, 0, 0)
        + _direction(ORIGINAL, entry, (source, to), (source_port, entry.port))
        + _direction(REPLY, entry, (at, left_as), (entry.port, source_port))
        + attribute(TIMEOUT, pack(">I", SECONDS))
        + (attribute(ZONE, pack(">H", zone)) if zone else b"")
    )
    return pack("IHHII", 16 + len(body), NEW_CONNECTION, 1 | CREATE | ACKNOWLEDGE, 0, 0) + body


def _direction(number: int, entry: Entry, addresses: tuple[bytes, bytes], ports: tuple[int, int]) -> bytes:
    first = 1 if entry.family == 4 else 3
    ip = b"".join(attribute(first + place, each) for place, each in enumerate(addresses))
    port = b"".join(attribute(2 + place, pack(">H", each)) for place, each in enumerate(ports))
    protocol = attribute(1, bytes([entry.protocol])) + port
    return attribute(number | NESTED, attribute(1 | NESTED, ip) + attribute(2 | NESTED, protocol))
