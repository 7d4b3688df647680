"""Tracked connections: how to describe some of them in a line of text, and how to delete exactly these over netlink.

The kernel sends only connections with the addresses and ports that are asked for (CTA_FILTER, since Linux 5.8). That
takes a seventh of the time of a whole table. Everything that it sends is compared once more: an older kernel sends the
whole table.

Messages, attributes and flags: linux/netfilter/nfnetlink_conntrack.h, and net/netfilter/nf_conntrack_netlink.c for the
order of attributes in a message and for what a filter does.
"""

from __future__ import annotations

import os
import time
from _socket import AF_INET, AF_INET6
from struct import Struct, error, pack, unpack_from

from nethook.errors import ReadError
from nethook.host.netlink import (
    NESTED,
    NETLINK_NETFILTER,
    NFTABLES_HEADER,
    Netlink,
    attribute,
    attributes,
)
from nethook.prefix import BITS, Prefix, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.host.netlink import Span

    Key = tuple[int, ...]

COUNT = "/proc/sys/net/netfilter/nf_conntrack_count"
"""There is such a file where the kernel tracks connections."""
GET_CONNECTION, DELETE_CONNECTION = 0x101, 0x102
ORIGINAL, REPLY, ID, ZONE, FILTER = 1, 2, 12, 18, 25
OF_IP, OF_PROTOCOL = 1, 2
IP_SOURCE = {4: 1, 6: 3}
NUMBER, SOURCE_PORT, TARGET_PORT = 1, 2, 3
BY_SOURCE, BY_TARGET, BY_NUMBER, BY_TARGET_PORT = 1 << 0, 1 << 1, 1 << 3, 1 << 5
"""Flags of a filter: CTA_FILTER_F_… in net/netfilter/nf_internals.h."""
TUPLES = {
    4: Struct(">8x4s4s4x4s8xB7xH6xH"),
    6: Struct(">8x4s16s4x16s8xB7xH6xH"),
}
"""Source with its header, destination, protocol and both ports, as the kernel puts one behind the other."""
HEADERS = {family: pack("HH", 4 + BITS[family] // 8, number) for family, number in IP_SOURCE.items()}
AF = {4: AF_INET, 6: AF_INET6}
PROTOCOLS = {"tcp": 6, "udp": 17}
LAST_PORT = 65535
MOST_QUESTIONS = 6
"""With more than so many filters, one dump of the whole table is as fast."""
AT_ONCE = 100
"""Deletions in one message, so that all answers have a place in the socket."""


class Entry:
    """A tracked connection: its protocol, the port of its destination, and four addresses as numbers.

    These are destination and source of the first packet as its sender wrote them, who answers, and the address that the
    answers go to.
    """

    __slots__ = ("addresses", "family", "port", "protocol")

    def __init__(self, family: int, addresses: tuple[int, ...], protocol: int, port: int) -> None:
        self.family = family
        self.addresses = addresses
        self.protocol = protocol
        self.port = port


class Connections:
    """A description of tracked connections: all that it says must apply.

    ``to`` and ``source`` are prefixes with the destination and the source of the first packet, as its sender wrote
    them. ``ports`` (``80``, ``5000-5999``) of ``protocol`` (``tcp`` or ``udp``) are of that destination. ``at`` has who
    answers: a forward's guest, or the destination itself if nobody has rewritten it. ``left_as`` has the address that
    the answers go to. ``not_at``: somebody rewrote the destination, and not to this address. ``not_source`` has
    prefixes, with commas between them, none of which has the source.
    """

    __slots__ = ("at", "family", "first", "last", "left_as", "not_at", "not_source", "protocol", "source", "text", "to")

    def __init__(self, **words: str) -> None:
        """Take the words of a description. ValueError if they are none."""
        self.text = " ".join(f"{word}={value}" for word, value in words.items())
        prefixes = {word: parse_prefix(words.pop(word)) for word in ("to", "source", "at", "left_as") if word in words}
        self.to, self.source = prefixes.get("to"), prefixes.get("source")
        self.at, self.left_as = prefixes.get("at"), prefixes.get("left_as")
        self.not_at = parse_prefix(words.pop("not_at")) if "not_at" in words else None
        self.not_source = [parse_prefix(text) for text in words.pop("not_source", "").split(",") if text]
        self.protocol = PROTOCOLS[words.pop("protocol")] if words.get("protocol") in PROTOCOLS else 0
        self.first, self.last = _ports(words.pop("ports")) if self.protocol and "ports" in words else (0, LAST_PORT)
        more = [*self.not_source, *([self.not_at] if self.not_at else [])]
        families = {prefix.family for prefix in (*prefixes.values(), *more)}
        if words or not prefixes or len(families) != 1:
            raise ValueError(f"no description of connections: {self.text}")
        (self.family,) = families

    def __str__(self) -> str:
        return self.text

    @property
    def conditions(self) -> tuple[Prefix | None, ...]:
        """The prefixes around the addresses of an entry, in their order."""
        return self.to, self.source, self.at, self.left_as

    def match(self, entry: Entry) -> bool:
        """Return whether this is one of them."""
        to, source, at, _ = entry.addresses
        return (
            self.family == entry.family
            and self.protocol in {0, entry.protocol}
            and self.first <= entry.port <= self.last
            and all(each is None or _has(each, address) for each, address in zip(self.conditions, entry.addresses))
            and not (self.not_at and (at == to or _has(self.not_at, at)))
            and not any(_has(prefix, source) for prefix in self.not_source)
        )


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not all(port.isascii() and port.isdigit() and int(port) <= LAST_PORT for port in (first, last or first)):
        raise ValueError(f"no ports: {text}")
    return int(first), int(last or first)


def _has(prefix: Prefix, number: int) -> bool:
    return prefix.first <= number <= prefix.last


def described(line: str) -> list[Connections]:
    """Return the connections that a line describes: words as of ``Connections``, or a routed prefix.

    A routed prefix alone describes all connections from it, and those to it whose destination nobody rewrote.
    ValueError if the line is no description.
    """
    if "=" not in line:
        return [Connections(source=line), Connections(to=line, at=line)]
    try:
        return [Connections(**dict(word.split("=", 1) for word in line.split()))]
    except TypeError:  # a word without "="
        raise ValueError(f"no description of connections: {line}") from None


def is_description(line: str) -> bool:
    """Return whether the line describes connections."""
    try:
        return bool(described(line))
    except ValueError:
        return False


class Deleted:
    """The outcome of a deletion: the number of connections deleted for each line, and the lines that are ``left``.

    ``failure`` is a sentence if any are left.
    """

    __slots__ = ("counts", "failure", "left")

    def __init__(self, counts: dict[str, int], left: Sequence[str] = (), failure: str = "") -> None:
        self.counts = counts
        self.left = left
        self.failure = failure


class Search:
    """Descriptions, to find the one of which an entry is: a few look-ups for each entry, however many there are."""

    __slots__ = ("_kinds", "_needles")

    def __init__(self, about: Iterable[tuple[str, Connections]]) -> None:
        """``about`` has each description with its line."""
        self._kinds: dict[tuple[int, int, bool], dict[Key, list[tuple[str, Connections]]]] = {}
        self._needles: set[bytes] = set()
        """Bytes of which every message with a wanted entry has some."""
        for line, each in about:
            which, prefix = next((which, prefix) for which, prefix in enumerate(each.conditions) if prefix)
            bits = BITS[each.family]
            shift = bits - prefix.length
            self._needles.add(prefix.first.to_bytes(bits // 8, "big")[: prefix.length // 8])
            has_port = each.first == each.last
            key = (prefix.first >> shift, *((each.protocol, each.first) if has_port else ()))
            self._kinds.setdefault((which, shift, has_port), {}).setdefault(key, []).append((line, each))

    def promising(self, dumped: Iterable[Span]) -> Iterator[Span]:
        """Yield the messages that may have an entry that is wanted. Cheap: many come in one piece of data."""
        last, is_promising = b"", False
        for span in dumped:
            if span[0] is not last:
                last = span[0]
                is_promising = len(self._needles) > MOST_QUESTIONS or any(each in last for each in self._needles)
            if is_promising:
                yield span

    def line_of(self, entry: Entry) -> str | None:
        """Return the line with a description that the entry matches; None if there is none."""
        found = entry.addresses
        for (which, shift, has_port), by_key in self._kinds.items():
            key = (found[which] >> shift, *((entry.protocol, entry.port) if has_port else ()))
            for line, each in by_key.get(key, ()):
                if each.match(entry):
                    return line
        return None


def delete_connections(lines: Sequence[str], deadline: float) -> Deleted:
    """Delete the connections that these lines describe. At the deadline, in monotonic seconds, it stops."""
    counts = dict.fromkeys(lines, 0)
    if not os.path.exists(COUNT):
        return Deleted(counts)
    about = [(line, each) for line in lines for each in described(line)]
    left = dict.fromkeys(lines)
    try:
        with Netlink(NETLINK_NETFILTER, "tracked connections") as netlink:
            found = _find(netlink, about)
            for line in lines:
                messages = found.get(line, [])
                for start in range(0, len(messages), AT_ONCE):
                    if time.monotonic() > deadline:
                        return Deleted(counts, list(left), "")
                    counts[line] += netlink.delete(DELETE_CONNECTION, messages[start : start + AT_ONCE])
                del left[line]
    except ReadError as failed:
        return Deleted(counts, list(left), str(failed))
    return Deleted(counts)


def _find(netlink: Netlink, about: Sequence[tuple[str, Connections]]) -> dict[str, list[bytes]]:
    """Return for each line what tells the kernel which connection to delete, for each of its connections. ReadError."""
    found: dict[str, dict[bytes, None]] = {}
    for family in BITS:
        of_family = [(line, each) for line, each in about if each.family == family]
        search = Search(of_family)
        for question in questions(family, [each for _, each in of_family]):
            for span in search.promising(netlink.dump(GET_CONNECTION, question) or ()):
                line = search.line_of(_entry(family, span))
                if line is not None:
                    found.setdefault(line, {})[_name(family, span)] = None
    return {line: list(names) for line, names in found.items()}


def questions(family: int, wanted: Sequence[Connections]) -> Iterable[bytes]:
    """Return the questions that bring all that is wanted, each for connections of one family."""
    header = pack("BBH", AF[family], 0, 0)
    for ports in (True, False):
        found = {_filter(each, ports=ports) for each in wanted}
        if len(found) <= MOST_QUESTIONS:
            break
    return [header] if b"" in found or len(found) > MOST_QUESTIONS else [header + each for each in sorted(found)]


def _filter(wanted: Connections, *, ports: bool) -> bytes:
    """Return the attributes with which the kernel leaves out most of what is not wanted, or none.

    Kernels turn the comparison of IPv6 addresses around (6.18: ctnetlink_filter_match_tuple sends all others), so none
    is asked for. ``ports``: protocol and port, too.
    """
    to, source, at, left_as = (
        each.first if each and each.is_address and wanted.family == 4 else None for each in wanted.conditions
    )
    protocol = wanted.protocol if ports else 0
    port = wanted.first if protocol and wanted.first == wanted.last else None
    original = _flags(source, to) | (BY_NUMBER if protocol else 0) | (BY_TARGET_PORT if port is not None else 0)
    reply = _flags(at, left_as)
    if not original and not reply:
        return b""
    flags = attribute(1, pack("I", original)) + attribute(2, pack("I", reply))
    return (
        attribute(FILTER | NESTED, flags)
        + attribute(ORIGINAL | NESTED, _tuple(source, to, protocol, port or 0))
        + attribute(REPLY | NESTED, _tuple(at, left_as, 0, 0))
    )


def _flags(source: int | None, to: int | None) -> int:
    return (BY_SOURCE if source is not None else 0) | (BY_TARGET if to is not None else 0)


def _tuple(source: int | None, to: int | None, protocol: int, port: int) -> bytes:
    """Return the attributes of one direction. The flags say which count; the kernel wants the others all the same."""
    first = IP_SOURCE[4]
    ip = b"".join(attribute(first + place, pack(">I", each or 0)) for place, each in enumerate((source, to)))
    ports = ((SOURCE_PORT, 0), (TARGET_PORT, port))
    of_protocol = attribute(NUMBER, bytes([protocol])) + b"".join(attribute(n, pack(">H", each)) for n, each in ports)
    return attribute(OF_IP | NESTED, ip) + attribute(OF_PROTOCOL | NESTED, of_protocol)


def _entry(family: int, span: Span) -> Entry:
    """Return the connection in a message. ReadError if it does not look as expected."""
    data, begin, _ = span
    begin += NFTABLES_HEADER
    parts, number = TUPLES[family], int.from_bytes
    try:
        header, source, to, protocol, _, port = parts.unpack_from(data, begin)
        reply = begin + ((unpack_from("H", data, begin)[0] + 3) & ~3)
        header_of_reply, at, left_as, *_ = parts.unpack_from(data, reply)
    except error:
        header = header_of_reply = b""
    if header != HEADERS[family] or header_of_reply != header:
        raise ReadError("cannot read tracked connections: the kernel sends one that is not understood")
    found = number(to, "big"), number(source, "big"), number(at, "big"), number(left_as, "big")
    return Entry(family, found, protocol, port if protocol in PROTOCOLS.values() else 0)


def _name(family: int, span: Span) -> bytes:
    """Return what tells the kernel which connection it is: where it began, its zone and its number."""
    data, begin, end = span
    kept = b"".join(
        attribute(number | (NESTED if number == ORIGINAL else 0), data[first:last])
        for number, first, last in attributes(data, begin + NFTABLES_HEADER, end)
        if number in {ORIGINAL, ZONE, ID}
    )
    return pack("BBH", AF[family], 0, 0) + kept
