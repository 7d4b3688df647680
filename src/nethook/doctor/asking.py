"""Asking guests on a bridge for addresses, with ARP or NDP: who answers.

The kernel's own neighbour entries are not changed, and not believed: they may be minutes old.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Answers = dict[str, set[str]]
    """The MAC addresses that answer, by address."""

SECONDS = 1.2
ASKED = (0.0, 0.4, 0.8)
"""The times of the questions, in seconds. There are several, because a guest may miss one."""
AT_ONCE = 64
ETH_P_ARP, REQUEST, REPLY = 0x0806, 1, 2
ARP = struct.Struct("!HHBBH6s4s6s4s")
SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_LINK_LAYER, TARGET_LINK_LAYER = 1, 2
ICMP6_FILTER = 1
HOPS = 255


def arp(bridge: str, addresses: Sequence[str], sender: str) -> Answers:
    """Ask with ARP (RFC 826)."""
    mac = _mac(bridge)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP)) as line:
        line.bind((bridge, ETH_P_ARP))

        def send(address: str) -> None:
            question = ARP.pack(
                1, 0x0800, 6, 4, REQUEST, mac, socket.inet_aton(sender), bytes(6), socket.inet_aton(address)
            )
            line.sendto(question, (bridge, ETH_P_ARP, 0, 0, b"\xff" * 6))

        def understand(data: bytes) -> tuple[str, bytes] | None:
            if len(data) < ARP.size:
                return None
            *_, operation, theirs, of, _, _ = ARP.unpack_from(data)
            return (socket.inet_ntoa(of), theirs) if operation == REPLY else None

        return _collect(line, addresses, send, understand)


def ndp(bridge: str, addresses: Sequence[str], sender: str) -> Answers:
    """Ask with neighbour solicitations (RFC 4861); the kernel chooses the sender's address and the checksum."""
    del sender
    mac = _mac(bridge)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode() + b"\0")
        for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
            line.setsockopt(socket.IPPROTO_IPV6, option, HOPS)
        wanted = [0xFFFFFFFF] * 8
        wanted[ADVERTISEMENT >> 5] &= ~(1 << (ADVERTISEMENT & 31))
        line.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *wanted))
        index = socket.if_nametoindex(bridge)

        def send(address: str) -> None:
            packed = socket.inet_pton(socket.AF_INET6, address)
            option = bytes([SOURCE_LINK_LAYER, 1]) + mac
            group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + packed[-3:])
            line.sendto(bytes([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]) + packed + option, (group, 0, 0, index))

        def understand(data: bytes) -> tuple[str, bytes] | None:
            if len(data) < 24 or data[0] != ADVERTISEMENT:
                return None
            theirs = data[26:32] if len(data) >= 32 and data[24] == TARGET_LINK_LAYER else b""
            return socket.inet_ntop(socket.AF_INET6, data[8:24]), theirs

        return _collect(line, addresses, send, understand)


def _collect(line: socket.socket, addresses: Sequence[str], send: Any, understand: Any) -> Answers:
    """Ask for each address until all are answered or time is up, and wait a little longer for second answers."""
    answers: Answers = {}
    started = time.monotonic()
    times = list(ASKED)
    end = started + SECONDS

    def hear(seconds: float) -> None:
        while select.select([line], [], [], seconds)[0]:
            heard = understand(line.recv(2048))
            seconds = 0
            if heard:
                address, mac = heard
                answers.setdefault(address, set()).add(mac.hex(":") or "a guest")

    while True:
        now = time.monotonic()
        if times and now >= started + times[0]:
            times.pop(0)
            for number, address in enumerate(addresses, 1):
                if address not in answers:
                    send(address)
                if number % AT_ONCE == 0:  # so that no answer is lost, because too many wait to be read
                    hear(0)
        if all(address in answers for address in addresses):
            end = min(end, now + 0.1)
            addresses = []
        if now >= end:
            return answers
        until = min(end, started + times[0]) if times else end
        hear(max(0.0, until - time.monotonic()))


def _mac(bridge: str) -> bytes:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as line:
        line.bind((bridge, 0))
        address: bytes = line.getsockname()[4]
        return address
