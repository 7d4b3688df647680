"""Questions to the kernel over netlink, and one change.

Changes are left to ``nft`` and ``ip``, and some reading too. The exceptions: what every run reads, also the many that
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
    Key = tuple[bytes, ...]
    """The key of an element of a set: its beginning, and its end where the set has intervals with several fields."""

ALL = ""
"""Stands for tables of all families."""
AF_NETLINK, NETLINK_ROUTE, NETLINK_NETFILTER = 16, 0, 12
FAMILIES = {ALL: 0, "inet": 1, "ip": 2, "arp": 3, "bridge": 7, "ip6": 10}
NFTABLES = 10 << 8
GET_TABLE, GET_CHAIN, GET_RULE = NFTABLES | 1, NFTABLES | 4, NFTABLES | 7
TABLE_NAME = 1
GET_SETS, GET_ELEMENTS = NFTABLES | 10, NFTABLES | 13
NEW_ELEMENTS, DELETE_ELEMENTS = NFTABLES | 12, NFTABLES | 14
BATCH_BEGIN, BATCH_END = 0x10, 0x11
SOL_NETLINK, GET_STRICT_CHECK = 270, 12
REQUEST, ACKNOWLEDGE, DUMP, CREATE, DUMP_INTERRUPTED = 0x1, 0x4, 0x300, 0x400, 0x10
NESTED = 0x8000
ELEMENT_LIST, LIST_ELEMENT, ELEMENT_KEY, ELEMENT_KEY_END, DATA_VALUE = 3, 1, 1, 10, 1
"""Numbers of attributes of a set's elements: linux/netfilter/nf_tables.h."""
ERROR, DONE = 2, 3
NUMBER_MASK = 0x3FFF
HEADER, NFTABLES_HEADER, ATTRIBUTE_HEADER = 16, 4, 4
PART = memoryview(bytearray(1 << 18))
"""Where each part of an answer comes in, whatever its size: to get memory for each would take longer than to ask."""
ATTEMPTS = 5
CUT = "cannot read what the kernel sends: a part of it has no length, or is cut"
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
        """Have the kernel send only what the header of a question names. Since Linux 4.20; ReadError before that."""
        try:
            self._socket.setsockopt(SOL_NETLINK, GET_STRICT_CHECK, 1)
        except OSError as error:
            raise ReadError(f"cannot ask the kernel for a part of its {self._about}: {error.strerror}") from None

    def dump(self, kind: int, body: bytes, flags: int = DUMP) -> list[Span] | None:
        """Return the content of each message that answers this question; None if there is no such thing.

        With the flag ACKNOWLEDGE instead of DUMP it is a question about one thing. ReadError if the kernel does not
        tell.
        """
        request = envelope(kind, flags, body)
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

    def delete(self, kind: int, bodies: Sequence[bytes]) -> int:
        """Send messages that delete one thing each; return how many of these were still there. ReadError if refused."""
        there = len(bodies)
        try:
            self._socket.send(b"".join(envelope(kind, ACKNOWLEDGE, body) for body in bodies))
            for _ in bodies:
                try:
                    self._answer()
                except FileNotFoundError:
                    there -= 1
        except OSError as error:
            raise ReadError(f"cannot change {self._about}: {error.strerror}") from None
        return there

    def _answer(self) -> list[Span] | None:
        """Return all that the kernel sends; None if somebody changed it meanwhile: something may be lacking then."""
        found: list[Span] = []
        interrupted = False
        while True:
            data = bytes(PART[: self._socket.recv_into(PART)])
            at = 0
            while at < len(data):
                length, kind, flags = unpack_from("IHH", data, at) if at + HEADER <= len(data) else (0, 0, 0)
                if length < HEADER or at + length > len(data):
                    raise ReadError(CUT)
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
    """A connection to nftables, for a ``with`` block, about tables of one family, which is nft's word, or of ALL."""

    def __init__(self, family: str) -> None:
        self._family = FAMILIES[family]
        self._netlink = Netlink(NETLINK_NETFILTER, "nftables")

    def __enter__(self) -> Nftables:
        return self

    def __exit__(self, *_: object) -> None:
        self._netlink.__exit__()

    def dump(self, kind: int, *names: str) -> list[Span] | None:
        """Return all rules of a table or chain, or all elements of a set, by these ``names``; without one, all tables.

        None if there is no such set. ReadError if the kernel does not tell.
        """
        return self._ask(kind, enumerate(names, start=1), DUMP)  # the table has attribute 1, what is within it 2

    def chain(self, table: str, name: str) -> Span | None:
        """Return what the kernel tells of this chain; None if there is no such chain. ReadError."""
        found = self._ask(GET_CHAIN, ((1, table), (3, name)), ACKNOWLEDGE)
        if found is not None and len(found) != 1:
            raise ReadError(f"cannot read nftables: the kernel tells of {len(found)} chains {name}")
        return found[0] if found else None

    def _ask(self, kind: int, names: Iterable[tuple[int, str]], flags: int) -> list[Span] | None:
        body = pack("BBH", self._family, 0, 0) + _names(names)
        found = self._netlink.dump(kind, body, flags)
        return found and [(data, begin + NFTABLES_HEADER, end) for data, begin, end in found]

    def change(self, table: str, new: Mapping[str, Sequence[Key]], gone: Mapping[str, Sequence[Key]]) -> None:
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
            batch = [envelope(BATCH_BEGIN, 0, subsystem), *parts, envelope(BATCH_END, 0, subsystem)]
            self._netlink.change(b"".join(batch), len(parts))

    def _message(self, kind: int, flags: int, body: bytes) -> bytes:
        return envelope(kind, flags | ACKNOWLEDGE, pack("BBH", self._family, 0, 0) + body)


def families_of_tables(name: str) -> set[str]:
    """Return the families, in nft's words, in which there is a table of this name. ReadError."""
    with Nftables(ALL) as nftables:
        found = nftables.dump(GET_TABLE) or ()
    named = attribute(TABLE_NAME, name.encode() + b"\0")
    # The family is the first byte of the header.
    numbers = {data[begin - NFTABLES_HEADER] for data, begin, end in found if named in data[begin:end]}
    return {family for family, number in FAMILIES.items() if number in numbers}


def envelope(kind: int, flags: int, body: bytes) -> bytes:
    """Return a message to the kernel: a question, or a change."""
    return pack("IHHII", HEADER + len(body), kind, REQUEST | flags, 0, 0) + body


def attribute(number: int, content: bytes) -> bytes:
    """Return an attribute as the kernel takes it."""
    return pack("HH", 4 + len(content), number) + content + bytes(-len(content) % 4)


def _names(names: Iterable[tuple[int, str]]) -> bytes:
    return b"".join(attribute(number, name.encode() + b"\0") for number, name in names)


def _elements(table: str, name: str, keys: Iterable[Key]) -> bytes:
    """Return the attributes that name a set and these keys in it."""
    listed = b"".join(
        attribute(
            LIST_ELEMENT | NESTED,
            b"".join(
                attribute(number | NESTED, attribute(DATA_VALUE, value))
                for number, value in zip((ELEMENT_KEY, ELEMENT_KEY_END), key)
            ),
        )
        for key in keys
    )
    return _names(((1, table), (2, name))) + attribute(ELEMENT_LIST | NESTED, listed)


def attributes(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each attribute in this part of a message: its number, and where its content begins and ends."""
    while begin < end:
        length, kind = unpack_from("HH", data, begin) if begin + ATTRIBUTE_HEADER <= end else (0, 0)
        if length < ATTRIBUTE_HEADER or begin + length > end:
            raise ReadError(CUT)
        yield kind & NUMBER_MASK, begin + ATTRIBUTE_HEADER, begin + length
        begin += (length + 3) & ~3
