"""Questions to the kernel over netlink, and one change.

Changes are left to ``nft`` and ``ip``, and most reading too. The exceptions: what every run reads, also the many that
find nothing to do, and the names of bridges, which have to be in our table before anything can fail. ``nft`` writes
each word of a listing by itself and takes 9 µs an element: with 10,000 addresses that is 0.3 s, ten times as long as
the kernel takes to tell. And what most hosts have none of must not cost a process.

Messages, attributes and flags: linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import os
from _socket import SO_RCVTIMEO, SOCK_RAW, SOL_SOCKET, socket
from struct import pack, unpack_from

from nethook.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Span = tuple[bytes, int, int]
    """What the kernel sent, and where within it a list of attributes begins and ends."""

AF_NETLINK, NETLINK_ROUTE, NETLINK_NETFILTER = 16, 0, 12
FAMILIES = {"inet": 1, "arp": 3, "bridge": 7}
NFTABLES = 10 << 8
GET_RULE, GET_SETS, GET_ELEMENTS = NFTABLES | 7, NFTABLES | 10, NFTABLES | 13
NEW_ELEMENTS, DELETE_ELEMENTS = NFTABLES | 12, NFTABLES | 14
BATCH_BEGIN, BATCH_END = 0x10, 0x11
SOL_NETLINK, GET_STRICT_CHECK = 270, 12
REQUEST, ACKNOWLEDGE, DUMP, CREATE, DUMP_INTERRUPTED = 0x1, 0x4, 0x300, 0x400, 0x10
NESTED = 0x8000
ELEMENT_LIST, LIST_ELEMENT, ELEMENT_KEY, DATA_VALUE = 3, 1, 1, 1
"""Numbers of attributes of a set's elements: linux/netfilter/nf_tables.h."""
ERROR, DONE = 2, 3
NUMBER_MASK = 0x3FFF
HEADER, NFTABLES_HEADER, ATTRIBUTE_HEADER = 16, 4, 4
LARGEST_PART = 1 << 18
ATTEMPTS = 5
SECONDS = 4
"""For each part of an answer. The kernel needs milliseconds, but a hook must not wait without an end."""


class Netlink:
    """A connection to one part of the kernel in this network namespace, for a ``with`` block.

    ``about`` says for people which part that is.
    """

    def __init__(self, part: int, about: str) -> None:
        self._about = about
        try:
            self._socket = socket(AF_NETLINK, SOCK_RAW, part)
            self._socket.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("ll", SECONDS, 0))
        except OSError as error:
            raise ReadError(f"cannot ask the kernel for {about}: {error.strerror}") from None

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def filter(self) -> None:
        """Have the kernel send only what the header of a question names. Since Linux 4.20."""
        self._socket.setsockopt(SOL_NETLINK, GET_STRICT_CHECK, 1)

    def dump(self, kind: int, body: bytes) -> list[Span] | None:
        """Return the content of each message that answers this question; None if there is no such thing.

        ReadError if the kernel does not tell.
        """
        request = pack("IHHII", HEADER + len(body), kind, REQUEST | DUMP, 0, 0) + body
        try:
            for _ in range(ATTEMPTS):
                self._socket.send(request)
                found = self._answer()
                if found is not None:
                    return found
        except FileNotFoundError:
            return None
        except BlockingIOError:
            raise ReadError(f"cannot read {self._about}: the kernel has not answered within {SECONDS} s") from None
        except OSError as error:
            raise ReadError(f"cannot read {self._about}: {error.strerror}") from None
        raise ReadError(f"cannot read {self._about}: others keep changing it")

    def change(self, batch: bytes, messages: int) -> None:
        """Send messages that change something, all or none; ReadError if the kernel refuses one of them."""
        try:
            self._socket.send(batch)
            for _ in range(messages):
                self._answer()
        except OSError as error:
            raise ReadError(f"cannot change {self._about}: {error.strerror}") from None

    def _answer(self) -> list[Span] | None:
        """Return all that the kernel sends; None if somebody changed it meanwhile: something may be lacking then."""
        found: list[Span] = []
        interrupted = False
        while True:
            data = self._socket.recv(LARGEST_PART)
            at = 0
            while at < len(data):
                length, kind, flags = unpack_from("IHH", data, at)
                _refuse_shorter(length, HEADER)
                interrupted |= bool(flags & DUMP_INTERRUPTED)
                if kind in {ERROR, DONE}:
                    (status,) = unpack_from("i", data, at + HEADER)
                    if status:
                        raise OSError(-status, os.strerror(-status))
                    return None if interrupted else found
                found.append((data, at + HEADER, at + length))
                at += (length + 3) & ~3


def routing(about: str, kind: int, body: bytes) -> list[Span]:
    """Return the content of each message that answers one question to the kernel's routing part.

    ReadError, which names ``about``, if the kernel does not tell.
    """
    with Netlink(NETLINK_ROUTE, about) as netlink:
        return netlink.dump(kind, body) or []


class Nftables:
    """A connection to nftables, for a ``with`` block, about the tables of one family, which is nft's word."""

    def __init__(self, family: str) -> None:
        self._family = FAMILIES[family]
        self._netlink = Netlink(NETLINK_NETFILTER, "nftables")

    def __enter__(self) -> Nftables:
        return self

    def __exit__(self, *_: object) -> None:
        self._netlink.__exit__()

    def dump(self, kind: int, *names: str) -> list[Span] | None:
        """Return all rules of a table or all elements of a set, by these ``names``; None if there is no such set.

        ReadError if the kernel does not tell.
        """
        body = pack("BBH", self._family, 0, 0)
        for number, name in enumerate(names, start=1):  # the table has attribute 1, what is within it 2
            body += _attribute(number, name.encode() + b"\0")
        found = self._netlink.dump(kind, body)
        return found and [(data, begin + NFTABLES_HEADER, end) for data, begin, end in found]

    def change(self, table: str, new: Mapping[str, Sequence[bytes]], gone: Mapping[str, Sequence[bytes]]) -> None:
        """Add and delete elements with these keys, by set, in one transaction. ReadError if the kernel refuses it."""
        kinds = ((NEW_ELEMENTS, new, CREATE), (DELETE_ELEMENTS, gone, 0))
        parts = [
            self._message(kind, flags, _elements(table, name, keys))
            for kind, sets, flags in kinds
            for name, keys in sets.items()
            if keys
        ]
        if parts:
            subsystem = pack("!BBH", 0, 0, NFTABLES >> 8)
            batch = [_envelope(BATCH_BEGIN, 0, subsystem), *parts, _envelope(BATCH_END, 0, subsystem)]
            self._netlink.change(b"".join(batch), len(parts))

    def _message(self, kind: int, flags: int, body: bytes) -> bytes:
        return _envelope(kind, flags | ACKNOWLEDGE, pack("BBH", self._family, 0, 0) + body)


def _envelope(kind: int, flags: int, body: bytes) -> bytes:
    return pack("IHHII", HEADER + len(body), kind, REQUEST | flags, 0, 0) + body


def _attribute(number: int, content: bytes) -> bytes:
    return pack("HH", 4 + len(content), number) + content + bytes(-len(content) % 4)


def _elements(table: str, name: str, keys: Iterable[bytes]) -> bytes:
    """Return the attributes that name a set and these keys in it."""
    listed = b"".join(
        _attribute(
            LIST_ELEMENT | NESTED,
            _attribute(ELEMENT_KEY | NESTED, _attribute(DATA_VALUE, key)),
        )
        for key in keys
    )
    named = b"".join(_attribute(number, text.encode() + b"\0") for number, text in ((1, table), (2, name)))
    return named + _attribute(ELEMENT_LIST | NESTED, listed)


def attributes(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each attribute in this part of a message: its number, and where its content begins and ends."""
    while begin < end:
        length, kind = unpack_from("HH", data, begin)
        _refuse_shorter(length, ATTRIBUTE_HEADER)
        yield kind & NUMBER_MASK, begin + ATTRIBUTE_HEADER, begin + length
        begin += (length + 3) & ~3


def _refuse_shorter(length: int, header: int) -> None:
    """Raise ReadError for a length below that of the header that has it: reading would never end."""
    if length < header:
        raise ReadError("cannot read what the kernel sends: a part of it has no length")
