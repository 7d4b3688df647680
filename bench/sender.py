"""Sends the smallest UDP packets to an address, as fast as one CPU can: ``python3 -m bench.sender ADDRESS SECONDS``.

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

PAYLOAD = bytes(18)
"""Together with the headers of Ethernet, IP and UDP and the check sum a frame of 64 bytes, the smallest."""
PACKETS_PER_CALL = 64
PORT = 9


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
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    buffer = _Buffer(PAYLOAD, len(PAYLOAD))
    messages = (_Message * PACKETS_PER_CALL)()
    for message in messages:
        message.header.buffers = ctypes.pointer(buffer)
        message.header.buffer_count = 1
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect((address, PORT))
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            # An error, for example an ICMP message from a host that rejects, belongs to what is measured.
            sendmmsg(connection.fileno(), messages, PACKETS_PER_CALL, 0)
    return elapsed


if __name__ == "__main__":
    print(send(sys.argv[1], float(sys.argv[2])))
