"""Sends the smallest UDP packets to an address, as fast as one CPU can: ``python3 -m bench.sender ADDRESS SECONDS``.

With ``--new CONNECTIONS`` instead of the seconds, it sends one packet of each of so many connections.

A packet for each call from Python would measure Python. ``sendmmsg`` takes many packets at a call; the kernel then
spends the time on carrying each of them to its guest, on this same CPU, before it returns. Prints how many seconds
it took.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PAYLOAD = bytes(18)
"""Together with the headers of Ethernet, IP and UDP and the check sum a frame of 64 bytes, the smallest."""
PACKETS_PER_CALL = 64
PORT = 9


FIRST_PORT = 1024
_sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg


class _Buffer(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """``struct msghdr``; zero means absent."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """``struct mmsghdr``."""

    _fields_ = (("header", _Header), ("sent_length", ctypes.c_uint))


def send(address: str, seconds: float) -> float:
    """Send for about so many seconds; returns how many they were."""
    messages = _messages([PAYLOAD] * PACKETS_PER_CALL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect((address, PORT))
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            # An error, for example an ICMP message from a host that rejects, belongs to what is measured.
            _sendmmsg(connection.fileno(), messages, PACKETS_PER_CALL, 0)
    return elapsed


def send_new(address: str, connections: int) -> float:
    """Send the first packet of so many connections, each from a port of its own; returns how many seconds it took."""
    ports = range(FIRST_PORT, FIRST_PORT + connections)
    header = Struct(">HHHH")  # ports, length, and no check sum
    calls = [
        _messages([header.pack(port, PORT, header.size + len(PAYLOAD), 0) + PAYLOAD for port in some])
        for some in (ports[at : at + PACKETS_PER_CALL] for at in range(0, connections, PACKETS_PER_CALL))
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.connect((address, 0))
        start = time.perf_counter()
        for messages in calls:
            _sendmmsg(raw.fileno(), messages, len(messages), 0)
        return time.perf_counter() - start


def _messages(contents: Sequence[bytes]) -> ctypes.Array[_Message]:
    messages = (_Message * len(contents))()
    for message, content in zip(messages, contents):
        message.header.buffers = ctypes.pointer(_Buffer(content, len(content)))
        message.header.buffer_count = 1
    return messages


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    address, *options = sys.argv[1:]
    print(send_new(address, int(options[1])) if options[0] == "--new" else send(address, float(options[0])))
