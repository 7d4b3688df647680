"""IP addresses and prefixes, as cheap as the hook needs them.

The standard library's ``ipaddress`` costs 4 ms of import and 10 µs a network, which is a tenth of a hook run
and most of one with 10,000 addresses. The C library does the same work: ``inet_pton`` is as strict
(no leading zeros, no short forms) and ``inet_ntop`` writes what ``ip`` and ``nft`` print, because they
call it too. Keys can therefore be compared as text with what those tools list.
"""

from __future__ import annotations

# The C part of the ``socket`` module: importing ``socket`` itself costs 6 ms for names that are not needed here.
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

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
