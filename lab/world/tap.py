"""Sends whole frames, also forged ones, and sees whether they arrive.

That one did not arrive is proven by another that nobody has a reason to stop: the sender sends it right behind, from
the same NIC, and a bridge does not change the order.
"""

from __future__ import annotations

import itertools
import socket
from struct import pack
from typing import TYPE_CHECKING

from lab.frames import EXPERIMENTAL, SERVICE_VLAN, VLAN, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.namespace import Namespace

SECONDS = 15.0
ETH_P_ALL = 3

_numbers: Iterator[int] = itertools.count()


class Tap:
    """A socket that sends and sees whole frames on a device; to be closed."""

    def __init__(self, namespace: Namespace, device: str) -> None:
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((device, ETH_P_ALL))
        self._socket.settimeout(SECONDS)

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send a frame."""
        self._socket.send(data)

    def sees(self, data: bytes, fence: bytes) -> bool:
        """Whether the frame comes before the fence; TimeoutError if not even that does. The kernel sets a tag aside."""
        is_tagged = data[12:14] in {pack("!H", VLAN), pack("!H", SERVICE_VLAN)}
        untagged = data[:12] + data[16 if is_tagged else 12 :].rstrip(b"\0")
        seen = False
        while True:
            found = self._socket.recv(65536)
            seen = seen or found.startswith(untagged)
            if found.startswith(fence):
                return seen


def arrives(sender: Namespace, receiver: tuple[Namespace, str], data: bytes, mac: str) -> bool:
    """Whether a frame that the sender writes to its NIC, whose MAC this is, is seen at the receiver's device."""
    fence = frame(mac, EXPERIMENTAL, f"fence {next(_numbers)} ".encode())
    with Tap(*receiver) as seeing, Tap(sender, "eth0") as writing:
        writing.send(data)
        writing.send(fence)
        return seeing.sees(data, fence)
