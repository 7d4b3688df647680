"""Packets that prove what passes and what does not.

That something did not arrive proves little by itself: it may never have been sent. So each probe is also watched where
it enters the host, and a packet that did not arrive counts as stopped only when one that the host itself sent to
the same receiver after it has arrived.
"""

from __future__ import annotations

import itertools
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.namespace import Namespace

PATIENCE = 3.0
"""Seconds until a packet that should come counts as lost."""

_IP_TRANSPARENT = 19
_IPV6_TRANSPARENT = 75
_ETH_P_ALL = 3
_numbers: Iterator[int] = itertools.count()


class ProbeError(Exception):
    """A probe proved nothing: it did not get as far as to the host, or its receiver hears nothing at all."""


class Place(NamedTuple):
    """Somewhere packets come from and go to."""

    namespace: Namespace
    address: str
    device: str
    """The host's device through which its packets enter the host; '' for the host itself."""
    known: str
    """An address here of the same family that the host itself always reaches."""

    def forging(self, address: str) -> Place:
        """The same place, claiming to be this address."""
        return self._replace(address=address)


class Witness:
    """Sees what enters the host. One socket a device for all probes: to close one takes the kernel 20 ms."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        self._sockets: dict[str, socket.socket] = {}

    def close(self) -> None:
        """Look no more."""
        for each in self._sockets.values():
            each.close()

    def look_at(self, device: str) -> socket.socket:
        """A socket from which all can be read that enters through the device from now on."""
        if device not in self._sockets:
            with self._host.entered():
                made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
            made.bind((device, _ETH_P_ALL))
            self._sockets[device] = made
        seeing = self._sockets[device]
        seeing.setblocking(False)
        with suppress(BlockingIOError):
            while seeing.recv(65536):
                pass
        seeing.settimeout(PATIENCE)
        return seeing


def reaches(host: Namespace, witness: Witness, source: Place, destination: Place) -> bool:
    """Whether a UDP packet gets from one to the other; False only after it provably was stopped."""
    token = _token()
    with _bound(destination, "", 0) as receiver:
        port = receiver.getsockname()[1]
        seeing = witness.look_at(source.device)
        with _bound(source, source.address, 0) as sender:
            sender.sendto(token, (destination.address, port))
        _await(seeing, token, f"{source.address} → {destination.address} on {source.device}")
        return _hears(host, receiver, token, (destination.known, port))


def exchange(source: Place, destination: Place) -> str | None:
    """As whom the destination sees the source: the sender of a UDP packet whose reply came back; None without one."""
    token = _token()
    with _bound(destination, "", 0) as receiver, _bound(source, source.address, 0) as sender:
        port = receiver.getsockname()[1]
        sender.sendto(token, (destination.address, port))
        peer = _received(receiver, token)
        if peer is None:
            return None
        reply = _token()
        with _bound(destination, destination.address, port) as replier:
            replier.sendto(reply, peer)
        return peer[0] if _received(sender, reply) else None


def _token() -> bytes:
    return f"nethook test {next(_numbers)} ".encode()


def _bound(place: Place, address: str, port: int) -> socket.socket:
    """A UDP socket at a place. It may be bound to an address that the place does not have, as who forges does."""
    is_ipv6 = ":" in place.address
    with place.namespace.entered():
        made = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(PATIENCE)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_ipv6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    made.bind((address, port))
    return made


def _await(seeing: socket.socket, token: bytes, what: str) -> None:
    try:
        while token not in seeing.recv(65536):
            pass
    except TimeoutError:
        raise ProbeError(f"never came to the host: {what}") from None


def _received(receiver: socket.socket, token: bytes) -> tuple[str, int] | None:
    """Who sent the token, None if it does not come."""
    try:
        while True:
            data, peer = receiver.recvfrom(65536)
            if data == token:
                return peer[0], peer[1]
    except TimeoutError:
        return None


def _hears(host: Namespace, receiver: socket.socket, token: bytes, known: tuple[str, int]) -> bool:
    """Whether the token comes before, or soon after, what the host sends to the receiver now."""
    fence = _token()
    family = socket.AF_INET6 if ":" in known[0] else socket.AF_INET
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as from_host:
        from_host.sendto(fence, known)
    heard = False
    try:
        while True:
            data = receiver.recv(65536)
            heard = heard or data == token
            if data == fence:
                return heard
    except TimeoutError:
        raise ProbeError(f"{known[0]} hears nothing, not even the host") from None
