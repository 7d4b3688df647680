"""A packet of the host to the guest, which is traced. It goes to nobody but the guest's address, by its bridge."""

from __future__ import annotations

import errno
import os
import socket
from struct import pack
from typing import TYPE_CHECKING

from nethook.host.packet_choice import TCP

if TYPE_CHECKING:
    from nethook.tracing.subject import Subject

ECHO = {4: 8, 6: 128}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
DATA = b"nethook trace --probe"


def probe(subject: Subject) -> str:
    """Send a packet to the guest: an echo request, or one to its port. Returns why it could not be sent, '' if it was.

    To a TCP port, it is the beginning of a connection; to a UDP port, a packet without content.
    """
    bridge = subject.expected.bridge
    if not subject.guest or not bridge:
        return f"nothing was sent to the guest of {subject.name}, because nobody knows where it is"
    family = 6 if ":" in subject.guest else 4
    try:
        if subject.ports:
            port, protocols = subject.ports[0]
            _send_to_port(subject.guest, port, bridge, is_tcp=TCP in protocols)
        else:
            with socket.socket(FAMILIES[family], socket.SOCK_RAW, PROTOCOLS[family]) as line:
                _bind(line, bridge)
                line.sendto(_echo_request(family), (subject.guest, 0))
    except OSError as error:
        return f"no packet could be sent to {subject.guest} on {bridge}: {error.strerror}"
    return ""


def _send_to_port(address: str, port: int, bridge: str, *, is_tcp: bool) -> None:
    kind = socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM
    with socket.socket(FAMILIES[6 if ":" in address else 4], kind | socket.SOCK_NONBLOCK) as client:
        _bind(client, bridge)
        status = client.connect_ex((address, port))
        if status not in {0, errno.EINPROGRESS}:
            raise OSError(status, os.strerror(status))
        if not is_tcp:
            client.send(b"")


def _bind(line: socket.socket, bridge: str) -> None:
    """Have packets leave by this bridge alone, wherever routes lead."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode("utf-8", "surrogateescape") + b"\0")


def _echo_request(family: int) -> bytes:
    """Return an echo request; of IPv6, the kernel makes the checksum."""
    body = pack("!HH", os.getpid() & 0xFFFF, 1) + DATA + bytes(len(DATA) % 2)
    if family == 6:
        return pack("!BBH", ECHO[6], 0, 0) + body
    total = (ECHO[4] << 8) + sum(int.from_bytes(body[at : at + 2], "big") for at in range(0, len(body), 2))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return pack("!BBH", ECHO[4], 0, ~total & 0xFFFF) + body
