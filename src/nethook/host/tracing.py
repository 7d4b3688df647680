"""The kernel's trace of chosen packets: tables of ours that choose them, and hearing what the kernel tells of them.

What makes it hard, and how each point is met:

- Nothing may stay behind, not even after ``kill -9``. Our tables have an owner, which is a socket of this process: the
  kernel deletes them when the socket is closed, and lets nobody else change them. (Linux 5.12.) So ``clear`` has
  nothing to do, and two traces at once do not touch each other.
- Such a table takes rules from its owner's socket alone, so they are made here, and not by ``nft``.
- Where a packet gets lost between two hooks, no rule tells of it. So each hook has a chain of ours at its beginning and
  one at its end, without a rule: that a traced packet passes them is told, too.
- A busy address has 100,000 packets a second. Each rule has a limit in the kernel, and beginnings of connections have
  one of their own.

Numbers: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import os
import socket
from struct import pack, unpack_from
from typing import TYPE_CHECKING

from nethook.errors import NethookError, ReadError
from nethook.host.netlink import (
    ACKNOWLEDGE,
    AF_NETLINK,
    BATCH_BEGIN,
    BATCH_END,
    CREATE,
    ERROR,
    FAMILIES,
    NESTED,
    NETLINK_NETFILTER,
    NFTABLES,
    SECONDS,
    TABLE_NAME,
    attribute,
    envelope,
)
from nethook.host.nft_expressions import number, rule
from nethook.host.packet_choice import chosen_at_hook, chosen_by_connection
from nethook.host.trace_messages import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.host.packet_choice import Choice
    from nethook.host.trace_messages import Told

START = "nethook-trace-"
"""The beginning of the names of our tables; behind it is the number of the process."""
NEW_TABLE, NEW_CHAIN, NEW_RULE = 0, 3, 6
APPEND = 0x800
TABLE_FLAGS, OWNER = 2, 2
"""The attribute of a table that has its flags, and one of these."""
FIRST, LAST, BEHIND_CONNTRACK = -(1 << 31), (1 << 31) - 1, -199
ACCEPT_BY_POLICY = 1
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
"""The hooks of routers and bridges, in the order of their numbers."""
BEGIN, END = "begin", "end"
ANSWERS = {"answers-to": True, "answers-from": False}
"""Chains that choose answers by their connections, and whether these go to the address."""
INET, BRIDGE = "inet", "bridge"
CHOOSING = ("prerouting", "output")
"""The hooks where packets come from, and are chosen."""

GROUP = 9
ADD_MEMBERSHIP, SOL_NETLINK = 1, 270
FORCE_BUFFER, BUFFER = 33, 4 << 20
"""SO_RCVBUFFORCE: room for what the limits let through in some seconds."""
MOST_AT_ONCE = 1000
NO_OWNER = "this kernel cannot make tables that disappear with their owner, which tracing needs (Linux 5.12)"


class Tracer:
    """The trace of chosen packets, for a ``with`` block; ``is_cut``: the kernel had more to tell than we could read.

    ``table`` is the name of our tables. ``has_bridges``: frames on bridges are traced, too.
    """

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.table = f"{START}{os.getpid()}"
        self.is_cut = False
        self.has_bridges = True
        self._owner = _socket()
        self._listener = _socket()
        try:
            self._listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP)
            self._listener.setblocking(False)
            _make(self._owner, self.table, INET, choices)
            try:
                _make(self._owner, self.table, BRIDGE, choices)
            except OSError:  # the kernel has no nftables for bridges, and so there is nothing to trace on them
                self.has_bridges = False
        except OSError as refusal:
            self.close()
            if refusal.errno == errno.EOPNOTSUPP:
                raise NethookError(NO_OWNER) from None
            raise NethookError(f"cannot trace packets: {refusal.strerror}") from None

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop tracing. The kernel deletes our tables."""
        self._owner.close()
        self._listener.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when the kernel has told something."""
        return self._listener.fileno()

    def read(self) -> Iterator[Told]:
        """Yield what was told since the last call. ReadError if it cannot be read."""
        for _ in range(MOST_AT_ONCE):
            try:
                data = self._listener.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as failure:
                if failure.errno != errno.ENOBUFS:
                    raise ReadError(f"cannot read the trace: {failure.strerror}") from None
                self.is_cut = True
                continue
            yield from parsed(data)


def _socket() -> socket.socket:
    made = socket.socket(AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    made.bind((0, 0))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("ll", SECONDS, 0))
    try:
        made.setsockopt(socket.SOL_SOCKET, FORCE_BUFFER, BUFFER)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return made


def _make(owner: socket.socket, table: str, family: str, choices: Sequence[Choice]) -> None:
    """Make one of our tables with all its chains. OSError if the kernel refuses."""
    header = pack("BBH", FAMILIES[family], 0, 0) + attribute(TABLE_NAME, table.encode() + b"\0")
    parts = [(NEW_TABLE, CREATE, attribute(TABLE_FLAGS, number(OWNER)))]
    for hook in HOOKS:
        parts.append((NEW_CHAIN, CREATE, _chain(f"{hook}-{BEGIN}", hook, FIRST)))
        parts.append((NEW_CHAIN, CREATE, _chain(f"{hook}-{END}", hook, LAST)))
    for hook in CHOOSING:
        for expressions in chosen_at_hook(choices, is_bridge=family == BRIDGE):
            parts.append((NEW_RULE, CREATE | APPEND, _rule(f"{hook}-{BEGIN}", expressions)))
    if family == INET:
        for chain, is_to in ANSWERS.items():
            parts.append((NEW_CHAIN, CREATE, _chain(chain, CHOOSING[0], BEHIND_CONNTRACK)))
            of_direction = [choice for choice in choices if choice.is_to == is_to]
            for expressions in chosen_by_connection(of_direction):
                parts.append((NEW_RULE, CREATE | APPEND, _rule(chain, expressions)))
    subsystem = pack("!BBH", 0, 0, NFTABLES >> 8)
    changes = [envelope(NFTABLES | kind, flags | ACKNOWLEDGE, header + body) for kind, flags, body in parts]
    owner.send(b"".join([envelope(BATCH_BEGIN, 0, subsystem), *changes, envelope(BATCH_END, 0, subsystem)]))
    for _ in changes:
        kind, status = unpack_from("4xH10xi", owner.recv(1 << 16))
        if kind == ERROR and status:
            raise OSError(-status, os.strerror(-status))


def _chain(name: str, hook: str, priority: int) -> bytes:
    where = attribute(1, number(HOOKS.index(hook))) + attribute(2, number(priority))
    return (
        attribute(3, name.encode() + b"\0")
        + attribute(4 | NESTED, where)
        + attribute(5, number(ACCEPT_BY_POLICY))
        + attribute(7, b"filter\0")
    )


def _rule(chain: str, expressions: Sequence[bytes]) -> bytes:
    return attribute(2, chain.encode() + b"\0") + rule(expressions)
