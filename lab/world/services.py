"""Services at several places, which all listen on the same ports and say who they are: who answers, and to whom?

Everything happens in one thread: while a client waits, the services are looked after.
"""

from __future__ import annotations

import errno
import itertools
import select
import socket
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.namespace import Namespace
    from lab.world.packets import Place

PATIENCE = 3.0
"""Seconds until an answer that should come counts as lost."""
TCP, UDP, PING = "tcp", "udp", "ping"
IPV6_FILTER = 32
ECHO = {4: (8, 0), 6: (128, 129)}
"""Types of ICMP: request and reply."""
UNREACHABLE = {4: 3, 6: 1}
FILTERS = {
    4: (255, 1, pack("I", 0xFFFFFFFF ^ 1 << ECHO[4][0])),
    6: (socket.IPPROTO_ICMPV6, 1, (((1 << 256) - 1) ^ 1 << ECHO[6][0]).to_bytes(IPV6_FILTER, "little")),
}
"""Have a socket for all of ICMP hear requests alone: ICMP_FILTER of linux/icmp.h, ICMPV6_FILTER of linux/icmpv6.h."""
IP_HEADER = 20
IPV6_SIZE = 16
QUOTED_PORTS = 48
"""Where in an ICMPv6 error the ports of the quoted packet are."""
ANY_DEVICE = bytes(4)
_IP_TRANSPARENT = 19
_IPV6_TRANSPARENT = 75
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_MAPPED = "::ffff:"
_numbers: Iterator[int] = itertools.count()


class Answer(NamedTuple):
    """Which service was reached ('' if none), as whom it saw the client, and what the client was told ('' if nothing).

    That is the name of the service, or the name of an error.
    """

    who: str
    seen_as: str
    told: str

    @property
    def is_refused(self) -> bool:
        """True if no service was reached, and the client knows."""
        return not self.who and bool(self.told)


class Services:
    """All of them; to be closed."""

    def __init__(self, ports: Sequence[int]) -> None:
        """They will listen on these ports, of tcp and udp, and hear pings."""
        self._ports = ports
        self._poll = select.poll()
        self._heard: dict[int, tuple[str, socket.socket, str]] = {}
        self._reached: dict[bytes, list[str]] = defaultdict(list)
        """The services that a packet of UDP got to, by what is in it."""

    def close(self) -> None:
        """End them."""
        for _, each, _ in self._heard.values():
            each.close()

    def serve(self, name: str, namespace: Namespace) -> None:
        """Start one of this name at all addresses of the namespace."""
        with namespace.entered():
            sockets = [
                (kind, port, socket.socket(socket.AF_INET6, number))
                for kind, number in ((TCP, socket.SOCK_STREAM), (UDP, socket.SOCK_DGRAM))
                for port in self._ports
            ]
            pings = [_raw(family) for family in ECHO]
        for family, made in zip(ECHO, pings):
            made.setsockopt(*FILTERS[family])
        for kind, port, made in sockets:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("::", port))
            if kind == TCP:
                made.listen()
            else:  # to answer from the address that was asked
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            self._add(name, made, kind)
        for made in pings:
            self._add(name, made, PING)

    def _add(self, name: str, made: socket.socket, kind: str) -> None:
        made.setblocking(False)
        self._heard[made.fileno()] = (name, made, kind)
        self._poll.register(made, select.POLLIN)

    def ask(
        self, source: Place, address: str, port: int, protocol: str, *, source_port: int = 0, patience: float = PATIENCE
    ) -> Answer:
        """Ask who is there, from this port or any other."""
        token = _token()
        with ExitStack() as stack:
            client = stack.enter_context(_client(source, protocol, source_port))
            question = _Question(client, token, protocol, 6 if ":" in address else 4)
            errors = stack.enter_context(_errors(source))
            if protocol == TCP and ":" in address:
                self._poll.register(errors, select.POLLIN)
                stack.callback(self._poll.unregister, errors.fileno())
            self._poll.register(client, select.POLLIN if protocol != TCP else select.POLLIN | select.POLLOUT)
            stack.callback(self._poll.unregister, client.fileno())
            try:
                question.put(address, port)
            except OSError as error:
                return Answer("", "", _name(error.errno or 0))
            who = seen_as = ""
            until = time.monotonic() + patience
            while time.monotonic() < until:
                for fd, _ in self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
                    if fd == errors.fileno():
                        if question.is_about(errors.recv(2000)):
                            return Answer("", "", "EHOSTUNREACH")
                    elif fd != client.fileno():
                        who, seen_as = self._look_after(fd, question) or (who, seen_as)
                    elif told := self._told(question):
                        return Answer(who, seen_as, told if protocol != PING or told != PING else who)
            return Answer(who, seen_as, "")

    def reached(self, source: Place, address: str, port: int, fence: tuple[Place, str]) -> list[str]:
        """Send a packet of UDP whose source may be forged. Return the names of the services that it gets to.

        ``fence`` is who asks what address on the same port behind it. That question has to be answered.
        """
        token = _token()
        with _client(source, UDP) as client:
            client.connect((address, port))
            client.send(token)
        behind, question = self.ask(*fence, port, UDP), _Question(client, token, UDP, 4)
        assert behind.told, f"{fence[1]} does not answer to {fence[0].address}: {behind}"
        for fd, _ in self._poll.poll(0):
            self._look_after(fd, question)
        return self._reached[token]

    def _look_after(self, fd: int, question: _Question) -> tuple[str, str] | None:
        """Have the service answer. Returns its name and what it took for the client, if this is about the question."""
        name, heard, kind = self._heard[fd]
        if kind == TCP:
            connection, peer = heard.accept()
            with connection:
                connection.sendall(name.encode())
            return (name, _plain(peer[0])) if question.protocol == TCP else None
        about_it = None
        with suppress(BlockingIOError):
            while True:
                data, ancillary, _, peer = heard.recvmsg(2000, 200)
                if kind == UDP:
                    asked = next(content[:IPV6_SIZE] for _, what, content in ancillary if what == socket.IPV6_PKTINFO)
                    from_there = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked + ANY_DEVICE)]
                    heard.sendmsg([name.encode()], from_there, 0, peer)
                    self._reached[data].append(name)
                if data.endswith(question.token):
                    about_it = name, _plain(peer[0])
        return about_it

    def _told(self, question: _Question) -> str:
        """Return what the client has been told; '' if nothing."""
        client = question.client
        try:
            if question.protocol == TCP:
                failed = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if failed:
                    return _name(failed)
                self._poll.modify(client, select.POLLIN)
            said = client.recv(2000)
        except BlockingIOError:
            return ""
        except OSError as error:
            return _name(error.errno or 0)
        return said.decode() if question.protocol != PING else question.answer(said)


class _Question:
    """What a client asks."""

    def __init__(self, client: socket.socket, token: bytes, protocol: str, family: int) -> None:
        self.client = client
        self.token = token
        self.protocol = protocol
        self._family = family

    def put(self, address: str, port: int) -> None:
        """Ask; OSError if that is refused at once."""
        if self.protocol == PING:
            self.client.sendto(self._request(), (address, 0))
            return
        failed = self.client.connect_ex((address, port))
        if failed not in {0, errno.EINPROGRESS}:
            raise OSError(failed, "")
        if self.protocol == UDP:
            self.client.send(self.token)

    def answer(self, said: bytes) -> str:
        """Return PING if this is the reply to a ping, an error if it tells of one, '' if it is about something else."""
        if self.token not in said:
            return ""
        kind = said[IP_HEADER if self._family == 4 else 0]
        return {ECHO[self._family][1]: PING, UNREACHABLE[self._family]: "EHOSTUNREACH"}.get(kind, "")

    def is_about(self, error: bytes) -> bool:
        """Return whether an ICMPv6 error is about this connection, by the ports in the packet that it quotes."""
        port = self.client.getsockname()[1].to_bytes(2, "big")
        return error[0] == UNREACHABLE[6] and error[QUOTED_PORTS : QUOTED_PORTS + 2] == port

    def _request(self) -> bytes:
        data = self.token + b" " * (len(self.token) % 2)
        self.token = data
        request = pack("!BBHHH", ECHO[self._family][0], 0, 0, 1, 1) + data
        if self._family == 6:  # the kernel adds the checksum
            return request
        total = sum(int.from_bytes(request[at : at + 2], "big") for at in range(0, len(request), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return request[:2] + pack("!H", ~total & 0xFFFF) + request[4:]


def _token() -> bytes:
    return f"nethook question {next(_numbers)} ".encode()


def _client(source: Place, protocol: str, port: int = 0) -> socket.socket:
    """A socket there. It may be bound to an address that the place does not have, as who forges does."""
    family = 6 if ":" in source.address else 4
    with source.namespace.entered():
        if protocol == PING:
            made = _raw(family)
        else:
            kind = socket.SOCK_STREAM if protocol == TCP else socket.SOCK_DGRAM
            made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)
    made.setblocking(False)
    if family == 6:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, int(protocol == UDP))
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
        made.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, int(protocol == UDP))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((source.address, port))
    return made


def _errors(source: Place) -> socket.socket:
    """A socket that hears ICMPv6: if an error comes while TCP is still connecting, the client knows after 1 s only."""
    with source.namespace.entered():
        made = _raw(6)
    made.setblocking(False)
    return made


def _raw(family: int) -> socket.socket:
    if family == 4:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


def _plain(address: str) -> str:
    return address[len(_MAPPED) :] if address.startswith(_MAPPED) else address


def _name(number: int) -> str:
    return errno.errorcode.get(number, str(number))
