"""Values: addresses, prefixes, names of devices. Nothing in here touches the machine.

Prefixes are as cheap as the hook needs them. The standard library's ``ipaddress`` costs 4 ms of import and 10 µs a
network, which is a tenth of a hook run and most of one with 10,000 addresses. The C library does the same work:
``inet_pton`` is as strict (no leading zeros, no short forms) and ``inet_ntop`` writes what ``ip`` and ``nft`` print,
because they call it too. Keys can therefore be compared as text with what those tools list.
"""

from __future__ import annotations

# The C parts of the modules ``bisect`` and ``socket``: importing ``socket`` itself costs 6 ms for names that are not
# needed here, and ``bisect``, which only passes on, 0.1 ms.
from _bisect import bisect_right
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BITS = {4: 32, 6: 128}
_AF = {4: AF_INET, 6: AF_INET6}


def address_text(family: int, number: int) -> str:
    """Return the address with this number (network byte order) as the kernel's tools print it."""
    return inet_ntop(_AF[family], number.to_bytes(BITS[family] // 8, "big"))


def block_text(family: int, first: int, last: int) -> str:
    """Return a range of addresses as nft prints it: as a prefix if it is one."""
    size = last - first + 1
    if size & (size - 1) == 0 and first % size == 0:
        return Prefix(family, first, BITS[family] - size.bit_length() + 1).text
    return f"{address_text(family, first)}-{address_text(family, last)}"


def parse_address(text: str) -> tuple[int, int]:
    """Return family (4 or 6) and number of one address; ValueError if it is none."""
    family = 6 if ":" in text else 4
    try:
        return family, int.from_bytes(inet_pton(_AF[family], text), "big")
    except OSError:
        raise ValueError(f"not an IP address: {text}") from None


class Prefix:
    """An IPv4 or IPv6 block of addresses; one address is a block of full length.

    ``family`` is 4 or 6, ``first`` and ``last`` are addresses as numbers, ``length`` is the number of fixed bits,
    ``text`` is the canonical form, which for one address has no length: ``203.0.113.10``, ``2001:db8::/64``.
    """

    __slots__ = ("family", "first", "length", "text")

    def __init__(self, family: int, first: int, length: int) -> None:
        self.family = family
        self.first = first
        self.length = length
        text = address_text(family, first)
        self.text = text if length == BITS[family] else f"{text}/{length}"

    @property
    def last(self) -> int:
        """The highest address of the block."""
        return self.first | self.host_mask

    @property
    def host_mask(self) -> int:
        """The bits that are free within the block."""
        return (1 << (BITS[self.family] - self.length)) - 1

    @property
    def is_address(self) -> bool:
        """True if the block is one single address."""
        return self.length == BITS[self.family]

    def addresses(self) -> list[str]:
        """Return all its addresses, in canonical text."""
        if self.is_address:
            return [self.text]
        return [address_text(self.family, number) for number in range(self.first, self.last + 1)]

    def lies_in(self, other: Prefix) -> bool:
        """Return whether all of its addresses are in the other block, too."""
        return self.family == other.family and other.first <= self.first and self.last <= other.last

    def overlaps(self, other: Prefix) -> bool:
        """Return whether they have an address in common: then one of the two blocks lies in the other."""
        return self.lies_in(other) or other.lies_in(self)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Prefix({self.text})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prefix) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def parse_prefix(text: str) -> Prefix:
    """Return the block that ``ADDRESS`` or ``ADDRESS/LENGTH`` names.

    ValueError if it is none, or if bits are set behind the length.
    """
    address, slash, length_text = text.partition("/")
    family, first = parse_address(address)
    if not slash:
        return Prefix(family, first, BITS[family])
    if not (length_text.isascii() and length_text.isdigit()) or int(length_text) > BITS[family]:
        raise ValueError(f"not a prefix length: {length_text}")
    prefix = Prefix(family, first, int(length_text))
    if first & prefix.host_mask:
        block = Prefix(family, first & ~prefix.host_mask, prefix.length)
        raise ValueError(": ".join(set_behind_length(text, block)))
    return prefix


def is_address(text: str) -> bool:
    """Return whether parse_address takes it."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def is_prefix(text: str) -> bool:
    """Return whether parse_prefix takes it."""
    try:
        parse_prefix(text)
    except ValueError:
        return False
    return True


def set_behind_length(text: str, block: Prefix) -> tuple[str, str]:
    """Return the mistake of ``ADDRESS/LENGTH`` if the address is not the first of its block, and what to write."""
    address = text.partition("/")[0]
    what = f"{text} does not begin at a /{block.length} boundary"
    return what, f"write {block} for the block, {address} for the address"


def outermost(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """Return the single addresses, and the prefixes that lie in no other one, as interval sets need them."""
    chosen: list[Prefix] = []
    blocks: list[Prefix] = []
    for prefix in prefixes:
        (chosen if prefix.is_address else blocks).append(prefix)
    last = {4: -1, 6: -1}
    for prefix in sorted(blocks, key=lambda block: (block.first, block.length)):
        if prefix.first > last[prefix.family]:
            last[prefix.family] = prefix.last
            chosen.append(prefix)
    return chosen


def disjoint(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """Return those of the prefixes, single addresses too, that lie in no other one; in order."""
    chosen: list[Prefix] = []
    for prefix in sorted(prefixes, key=in_order):
        if not chosen or not prefix.lies_in(chosen[-1]):
            chosen.append(prefix)
    return chosen


def without(block: Prefix, holes: Sequence[Prefix]) -> list[Prefix]:
    """Return the rest of the block as prefixes. The holes lie in it, and not in each other."""
    if not holes:
        return [block]
    if holes[0].length == block.length:
        return []
    length = block.length + 1
    lower = Prefix(block.family, block.first, length)
    upper = Prefix(block.family, block.first | 1 << BITS[block.family] - length, length)
    return [rest for half in (lower, upper) for rest in without(half, [hole for hole in holes if hole.lies_in(half)])]


class Ordered:
    """Prefixes, to be found by where they lie."""

    __slots__ = ("_keys", "_prefixes")

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._prefixes = sorted(prefixes, key=in_order)
        self._keys = [in_order(prefix) for prefix in self._prefixes]

    def within(self, block: Prefix) -> list[Prefix]:
        """Return those that lie in the block and are not the same; in order."""
        first = last = bisect_right(self._keys, in_order(block))
        while last < len(self._prefixes) and self._prefixes[last].lies_in(block):
            last += 1
        return self._prefixes[first:last]

    def around(self, block: Prefix) -> Prefix | None:
        """Return the one that the block lies in or is; none of the prefixes must lie in another."""
        at = bisect_right(self._keys, in_order(block)) - 1
        return self._prefixes[at] if at >= 0 and block.lies_in(self._prefixes[at]) else None


class Longest:
    """Prefixes, of which one can find the longest around an address, as a router does."""

    __slots__ = ("_lengths", "_prefixes")

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._prefixes = {in_order(prefix): prefix for prefix in prefixes}
        self._lengths = {
            family: sorted({length for of, _, length in self._prefixes if of == family}, reverse=True)
            for family in BITS
        }

    def around(self, block: Prefix) -> Prefix | None:
        """Return the longest of the prefixes in which the block lies; None if it lies in none."""
        bits = BITS[block.family]
        for length in self._lengths[block.family]:
            if length <= block.length:
                host_bits = bits - length
                found = self._prefixes.get((block.family, (block.first >> host_bits) << host_bits, length))
                if found:
                    return found
        return None


def in_order(prefix: Prefix) -> tuple[int, int, int]:
    """Return a key for sorting: families apart, and a prefix right before those that lie in it."""
    return prefix.family, prefix.first, prefix.length


LINK_LOCAL = "link-local"
# First address, last address, kind: from the IANA special-purpose address registries (RFC 6890). Private and
# documentation blocks are not here, because people route them, the latter in labs.
_KINDS = {
    4: (
        (0x00000000, 0x00FFFFFF, "unspecified"),
        (0x7F000000, 0x7FFFFFFF, "loopback"),
        (0xA9FE0000, 0xA9FEFFFF, LINK_LOCAL),
        (0xE0000000, 0xEFFFFFFF, "multicast"),
        (0xF0000000, 0xFFFFFFFE, "reserved"),
        (0xFFFFFFFF, 0xFFFFFFFF, "broadcast"),
    ),
    6: (
        (0, 0, "unspecified"),
        (1, 1, "loopback"),
        (0xFFFF << 32, (0x10000 << 32) - 1, "IPv4-mapped"),
        (0xFE80 << 112, (0xFEC0 << 112) - 1, LINK_LOCAL),
        (0xFF00 << 112, (1 << 128) - 1, "multicast"),
    ),
}


def is_link_local(address: str) -> bool:
    """Return whether each link may have this address for itself. ValueError if it is none."""
    family, number = parse_address(address)
    return unroutable_kind(Prefix(family, number, BITS[family])) == LINK_LOCAL


def unroutable_kind(prefix: Prefix) -> str | None:
    """Return the kind of addresses in the prefix that cannot be routed to a guest; None if all can be routed."""
    first = prefix.first
    last = prefix.last
    for kind_first, kind_last, kind in _KINDS[prefix.family]:
        if first <= kind_last and last >= kind_first:
            return kind
    return None


# Characters that mean only themselves within a quoted nft string ('*' at its end would be a wildcard).
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@+=,~^")
_ALL_DEVICES = frozenset({"all", "default"})
"""Names that stand for all devices, or for those to come, in /proc/sys/net. The kernel gives them to no device."""
NAME_SIZE = 16
"""The kernel's IFNAMSIZ, with a zero behind the name."""
_MAC_LENGTH = len("52:54:00:12:34:56")
_DIGITS = frozenset("0123456789abcdefABCDEF")


def is_safe(name: str) -> bool:
    """Return whether a device's name can be written as it is into the input of nft and ip, and a path of /proc/sys."""
    is_written = 0 < len(name) < NAME_SIZE and _CHARACTERS.issuperset(name)
    return is_written and name[0] not in "-." and name not in _ALL_DEVICES


def can_exist(name: str) -> bool:
    """Return whether the kernel allows a device of this name. Source: dev_valid_name() in net/core/dev.c."""
    is_short = 0 < len(name.encode("utf-8", "surrogateescape")) < NAME_SIZE
    return is_short and name not in {".", ".."} and not any(char in "/:" or char.isspace() for char in name)


def is_sayable(name: str) -> bool:
    """Return whether nft can write this name of a device. Its strings have no escape for a quotation mark."""
    return can_exist(name) and name.isprintable() and '"' not in name


def quoted(name: str) -> str:
    """Return a sayable name as nft takes it for this device alone: a ``*`` at its end would be a wildcard."""
    return f'"{name[:-1]}\\*"' if name.endswith("*") else f'"{name}"'


def is_mac(text: str) -> bool:
    """Return whether the text is a MAC address as libvirt and the kernel print it: six pairs of hexadecimal digits."""
    parts = text.split(":")
    return len(text) == _MAC_LENGTH and all(len(part) == 2 and _DIGITS.issuperset(part) for part in parts)
