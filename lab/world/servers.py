"""Servers that say who they are and whom they see, and clients that ask them: who answers at a port, if anybody?"""

from __future__ import annotations

import select
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.namespace import Namespace

PATIENCE = 3.0
"""Seconds until what should answer counts as silent."""
REFUSED, UNREACHABLE, SILENT = "refused", "unreachable", "silent"
MAPPED = "::ffff:"
"""How an IPv4 address begins that a socket of IPv6 sees."""


class Servers:
    """Servers in a namespace at TCP and UDP ports of all addresses. Each answers ``NAME sees ADDRESS``."""

    def __init__(self, namespace: Namespace, name: str, ports: Iterable[int]) -> None:
        self._name = name
        self._sockets: list[socket.socket] = []
        with namespace.entered():
            for port in ports:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    made = socket.socket(socket.AF_INET6, kind)
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    made.bind(("::", port))
                    if kind == socket.SOCK_STREAM:
                        made.listen(64)
                    self._sockets.append(made)
        self._open: list[socket.socket] = []
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._wake.close()
        self._thread.join()
        for each in (*self._sockets, *self._open, self._woken):
            each.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._woken, *self._sockets, *self._open], [], [])
            if self._woken in ready:
                return
            for each in ready:
                if each in self._open:
                    self._go_on(each)
                elif each.type == socket.SOCK_STREAM:
                    accepted, _ = each.accept()
                    self._open.append(accepted)
                else:
                    _, peer = each.recvfrom(1000)
                    each.sendto(self._says(peer[0]), peer)

    def _go_on(self, accepted: socket.socket) -> None:
        """Answer each line of a session."""
        try:
            data = accepted.recv(1000)
            if data:
                accepted.sendall(self._says(accepted.getpeername()[0]))
                return
        except OSError:
            pass
        self._open.remove(accepted)
        accepted.close()

    def _says(self, peer: str) -> bytes:
        return f"{self._name} sees {peer.removeprefix(MAPPED)}".encode()


class Client:
    """A connection, or a flow of UDP, from a namespace to an address and port."""

    def __init__(
        self,
        namespace: Namespace,
        address: str,
        port: int,
        *,
        protocol: str = "tcp",
        source: str = "",
        own_port: int = 0,
    ) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        with namespace.entered():
            self._socket = socket.socket(family, kind)
        self._socket.settimeout(PATIENCE)
        if source or own_port:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((source, own_port))
        self._to = (address, port)
        self._is_connected = False

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def ask(self) -> str:
        """Return what answers: the server's sentence, or REFUSED, UNREACHABLE or SILENT."""
        try:
            if not self._is_connected:
                self._socket.connect(self._to)
                self._is_connected = True
            self._socket.send(b"who?")
            return self._socket.recv(1000).decode() or REFUSED
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return REFUSED
        except TimeoutError:
            return SILENT
        except OSError:
            return UNREACHABLE


def ask(namespace: Namespace, address: str, port: int, *, protocol: str = "tcp", source: str = "") -> str:
    """Return what answers a new client there."""
    client = Client(namespace, address, port, protocol=protocol, source=source)
    try:
        return client.ask()
    finally:
        client.close()
