"""The reason why a text is not a prefix that can be routed to a guest. Imported only if there is such a text."""

from __future__ import annotations

from nethook.config.text import excerpt
from nethook.prefix import BITS, Prefix, address_text, is_address, parse_address, set_behind_length, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    Reason = tuple[str, str]
    """What is wrong, and what to write instead."""

_PROVIDER = "write an address or prefix that your provider routes to this host"
_FOUR_NUMBERS = "write four numbers from 0 to 255, such as 203.0.113.10"
_ADDRESS_FIRST = "begin the line with an address or prefix, such as 203.0.113.10 or 2001:db8:7::/64"
_PORTS = "write lines with ports to the file forwarded-ports: forwarded-ports(5)"


def refusal(text: str) -> Reason:
    """Return the reason why the text was refused as an address or prefix, and advice."""
    if "," in text and (reason := _with_commas(text)):
        return reason
    address, slash, length_text = text.partition("/")
    try:
        family, number = parse_address(address)
    except ValueError:
        return _not_an_address(address, slash + length_text)
    length = _length(length_text, BITS[family]) if slash else BITS[family]
    if length is None:
        return _not_a_length(address, length_text, BITS[family])
    host_bits = BITS[family] - length
    block = Prefix(family, (number >> host_bits) << host_bits, length)
    if length == 0:
        return f"{block} is the default route: all traffic of this host would go to the network", _PROVIDER
    kind = unroutable_kind(block)
    if kind is None:
        return set_behind_length(text, block)
    advice = f"write {_without_mapping(block)}" if kind == "IPv4-mapped" and length >= 96 else _PROVIDER
    return f"{block} cannot be routed to a guest, {kind} addresses never are", advice


def _with_commas(text: str) -> Reason | None:
    """Return the reason if the text consists only of addresses and commas, else None."""
    parts = text.strip(",").split(",")
    if not all(is_address(part.partition("/")[0]) for part in parts):
        return None
    if parts[1:]:
        return f"{excerpt(text)} is a list", "write a line for each address or prefix"
    return f"{excerpt(text)} has a comma", f"write {parts[0]}"


def _not_an_address(address: str, tail: str) -> Reason:
    numbers = address.split(".")
    if all(number.isascii() and number.isdigit() for number in numbers):
        return not_four_numbers(numbers, tail)
    host, colon, _ = address.rpartition(":")
    if colon and is_address(host.strip("[]")) and (":" not in host or host.startswith("[")):
        return f"{excerpt(address + tail)} has a port", _PORTS
    bare, zone, _ = address.partition("%")
    if zone and is_address(bare):
        return f"{excerpt(address)} has a zone, but a routed address has none", f"write {bare}{tail}"
    bare = (address + tail).translate({ord(bracket): None for bracket in "[]"})
    if bare != address + tail and is_address(bare.partition("/")[0]):
        return f"{excerpt(address + tail)} has brackets", f"write {bare}"
    if is_address(address.partition("-")[0]):
        return f"{excerpt(address)} is a range", "write a prefix, or a line for each address"
    return f"{excerpt(address + tail)} is not an IP address", _ADDRESS_FIRST


def not_four_numbers(numbers: list[str], tail: str) -> Reason:
    what = f"{excerpt('.'.join(numbers))} is not an IPv4 address"
    plain = [number.lstrip("0") or "0" for number in numbers]
    filled = ".".join(plain + ["0"] * (4 - len(plain)))
    if not is_address(filled):
        return what, _FOUR_NUMBERS
    if len(numbers) == 4:
        return f"{what}: some programs read numbers with leading zeros as octal", f"write {filled}{tail}"
    # Without a length, 10.1 may mean 10.1.0.0 or, as in inet_aton(3), 10.0.0.1.
    return what, f"write {filled}{tail}" if tail else _FOUR_NUMBERS


def _not_a_length(address: str, text: str, bits: int) -> Reason:
    what = f"/{excerpt(text)} is not a prefix length"
    length = _netmask_length(text) if bits == BITS[4] else None
    if length is not None:
        return what, f"write {address}/{length}"
    return what, f"write a number from 1 to {bits} after the slash, or only {address}"


def _length(text: str, bits: int) -> int | None:
    if not (text.isascii() and text.isdigit()) or int(text) > bits:
        return None
    return int(text)


def _netmask_length(text: str) -> int | None:
    """Return the prefix length of a netmask such as 255.255.255.248; None if the text is no netmask."""
    try:
        family, mask = parse_address(text)
    except ValueError:
        return None
    host_mask = mask ^ 0xFFFFFFFF
    if family == 6 or host_mask & (host_mask + 1):
        return None
    return BITS[4] - host_mask.bit_length()


def _without_mapping(block: Prefix) -> str:
    length = block.length - 96
    text = address_text(4, block.first & 0xFFFFFFFF)
    return text if length == BITS[4] else f"{text}/{length}"
