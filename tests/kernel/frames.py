"""Frames as somebody writes them who claims to be somebody else, and whether they arrive.

That one did not arrive is proven by another that nobody has a reason to stop: the sender sends it right behind, from
the same NIC, and a bridge does not change the order.
"""

from __future__ import annotations

import itertools
import socket
from ipaddress import ip_address
from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.namespace import Namespace

BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, IPV6, VLAN, EXPERIMENT = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88B5
ARP_REQUEST, ARP_REPLY = 1, 2
SOLICITATION, ADVERTISEMENT = 135, 136
UDP, ICMPV6 = 17, 58
ALL_NODES = "ff02::1"
SECONDS = 3.0
ETH_P_ALL = 3

_numbers: Iterator[int] = itertools.count()


def frame(source: str, kind: int, content: bytes, destination: str = BROADCAST, tags: tuple[int, ...] = ()) -> bytes:
    """An Ethernet frame between two MACs; with a VLAN tag for each number."""
    head = _mac(destination) + _mac(source)
    return head + b"".join(pack("!HH", VLAN, tag) for tag in tags) + pack("!H", kind) + content.ljust(46, b"\0")


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """An ARP packet; sender and target are MAC and address."""
    ends = b"".join(_mac(mac) + _ip(address) for mac, address in (sender, target))
    return pack("!HHBBH", 1, IPV4, 6, 4, operation) + ends


def udp(source: str, destination: str) -> bytes:
    """An IP packet of either family, with UDP in it whose checksum nobody has to look at."""
    content = pack("!HHHH", 4000, 4000, 12, 0) + b"test"
    if ":" in source:
        return _ipv6(source, destination, UDP, content)
    head = pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, UDP, 0) + _ip(source) + _ip(destination)
    return head[:10] + pack("!H", _checksum(head)) + head[12:] + content


def neighbour(kind: int, source: str, target: str, mac: str) -> bytes:
    """A neighbour solicitation or advertisement about the target, with a link-layer address. RFC 4861, 4.3 and 4.4."""
    flags, option = (0x20000000, 2) if kind == ADVERTISEMENT else (0, 1)
    content = pack("!BBHI", kind, 0, 0, flags) + _ip(target) + pack("!BB", option, 1) + _mac(mac)
    pseudo = _ip(source) + _ip(ALL_NODES) + pack("!II", len(content), ICMPV6)
    content = content[:2] + pack("!H", _checksum(pseudo + content)) + content[4:]
    return _ipv6(source, ALL_NODES, ICMPV6, content)


def _ipv6(source: str, destination: str, header: int, content: bytes) -> bytes:
    return pack("!IHBB", 6 << 28, len(content), header, 255) + _ip(source) + _ip(destination) + content


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ip(text: str) -> bytes:
    return ip_address(text).packed


def _checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


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
        """Whether the frame comes before the fence; TimeoutError if not even that comes. The kernel sets tags aside."""
        untagged = data[:12] + data[12:].removeprefix(pack("!HH", VLAN, 0)).rstrip(b"\0")
        seen = False
        while True:
            found = self._socket.recv(65536)
            seen = seen or found.startswith(untagged)
            if found.startswith(fence):
                return seen


def arrives(sender: Namespace, receiver: tuple[Namespace, str], data: bytes, mac: str) -> bool:
    """Whether a frame that the sender writes to its NIC, whose MAC this is, is seen at the receiver's device."""
    fence = frame(mac, EXPERIMENT, f"fence {next(_numbers)} ".encode())
    with Tap(*receiver) as seeing, Tap(sender, "eth0") as writing:
        writing.send(data)
        writing.send(fence)
        return seeing.sees(data, fence)
