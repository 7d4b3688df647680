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

    from lab.namespace import Namespace

BROADCAST, NOBODY = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
IPV4, ARP, IPV6, EXPERIMENT = 0x0800, 0x0806, 0x86DD, 0x88B5
VLAN, SERVICE_VLAN = 0x8100, 0x88A8
ARP_REQUEST, ARP_REPLY = 1, 2
SOLICITATION, ADVERTISEMENT = 135, 136
UDP, ICMPV6 = 17, 58
UDP_PORT = 4000
ALL_NODES = "ff02::1"
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - nothing is bound to it
SECONDS = 3.0
ETH_P_ALL = 3

_numbers: Iterator[int] = itertools.count()


def frame(source: str, kind: int, content: bytes, destination: str = BROADCAST, tags: tuple[bytes, ...] = ()) -> bytes:
    """An Ethernet frame between two MACs; with these VLAN tags."""
    return _mac(destination) + _mac(source) + b"".join(tags) + pack("!H", kind) + content.ljust(46, b"\0")


def tag(vlan: int, kind: int = VLAN, *, priority: int = 0) -> bytes:
    """A VLAN tag; one of VLAN 0 tells nothing but the priority. IEEE 802.1Q, 9.6."""
    return pack("!HH", kind, priority << 13 | vlan)


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """An ARP packet; sender and target are MAC and address."""
    ends = b"".join(_mac(mac) + _ip(address) for mac, address in (sender, target))
    return pack("!HHBBH", 1, IPV4, 6, 4, operation) + ends


def udp(source: str, destination: str, data: bytes = b"test") -> bytes:
    """An IP packet of either family, with UDP in it. IPv4 needs no checksum there, IPv6 does. RFC 768, RFC 8200 8.1."""
    head = pack("!HHH", UDP_PORT, UDP_PORT, 8 + len(data))
    content = head + pack("!H", 0) + data
    if ":" in source:
        pseudo = _ip(source) + _ip(destination) + pack("!II", len(content), UDP)
        content = head + pack("!H", _checksum(pseudo + content)) + data
        return _ipv6(source, destination, UDP, content)
    head = pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, UDP, 0) + _ip(source) + _ip(destination)
    return head[:10] + pack("!H", _checksum(head)) + head[12:] + content


def neighbour(kind: int, source: str, target: str, mac: str) -> bytes:
    """A neighbour solicitation or advertisement about the target, with a link-layer address. RFC 4861, 4.3 and 4.4."""
    flags, option = (0x20000000, 2) if kind == ADVERTISEMENT else (0, 1)
    content = pack("!BBHI", kind, 0, 0, flags) + _ip(target) + pack("!BB", option, 1) + _mac(mac)
    return _icmpv6(source, ALL_NODES, content)


def is_taken(mac: str, address: str) -> bytes:
    """The frame that asks whether anybody has an address, before its sender uses it. RFC 5227 2.1.1, RFC 4862 5.4.2."""
    if ":" not in address:
        return frame(mac, ARP, arp(ARP_REQUEST, (mac, UNSPECIFIED), (NOBODY, address)))
    end = _ip(address)[-3:].hex()
    content = pack("!BBHI", SOLICITATION, 0, 0, 0) + _ip(address)
    return frame(
        mac, IPV6, _icmpv6("::", f"ff02::1:ff{end[:2]}:{end[2:]}", content), f"33:33:ff:{end[:2]}:{end[2:4]}:{end[4:]}"
    )


def _icmpv6(source: str, destination: str, content: bytes) -> bytes:
    pseudo = _ip(source) + _ip(destination) + pack("!II", len(content), ICMPV6)
    return _ipv6(source, destination, ICMPV6, content[:2] + pack("!H", _checksum(pseudo + content)) + content[4:])


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
    fence = frame(mac, EXPERIMENT, f"fence {next(_numbers)} ".encode())
    with Tap(*receiver) as seeing, Tap(sender, "eth0") as writing:
        writing.send(data)
        writing.send(fence)
        return seeing.sees(data, fence)
