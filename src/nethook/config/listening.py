"""Texts of addresses and service ports: where a forward listens, and where it leads.

    203.0.113.1:80,8000-8010/tcp,udp    [2001:db8:7::1]:443    203.0.113.5    2001:db8:7::5

The functions return values, or raise ValueError without an explanation: ``listening_refusal`` explains.
"""

from __future__ import annotations

from nethook.prefix import BITS, Prefix, is_address, parse_address, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Ports = tuple[tuple[int, int], ...]
    """Single ports and ranges: the first and the last port of each. None is in two of them."""

LAST_PORT = 65535
PROTOCOLS = {"tcp": ("tcp",), "udp": ("udp",), "tcp,udp": ("tcp", "udp"), "udp,tcp": ("tcp", "udp")}
TCP = PROTOCOLS["tcp"]


def parse_listening(text: str, known: dict[str, Prefix]) -> tuple[Prefix, Ports, tuple[str, ...]]:
    """Return the address of ``ADDRESS[:PORTS[/PROTOCOLS]]`` as a prefix, the ports and the protocols.

    Ports and protocols are empty for a whole address. ``known`` has addresses that were read before, and gets this one.
    """
    address, colon, listed = text.partition(":")
    if ":" in listed:
        address, colon, listed = _divided(text)
    prefix = known.get(address)
    if prefix is None:
        prefix = known[address] = listening_address(address)
    if not colon:
        if not prefix.first:
            raise ValueError("any address of the host needs ports")
        return prefix, (), ()
    ports, slash, protocols = listed.partition("/")
    if not slash:
        return prefix, parse_ports(ports), TCP
    if protocols not in PROTOCOLS:
        protocols = protocols.lower()
    if protocols not in PROTOCOLS:
        raise ValueError("not tcp or udp")
    return prefix, parse_ports(ports), PROTOCOLS[protocols]


def parse_target(text: str) -> tuple[Prefix | None, Ports]:
    """Return address and ports of ``ADDRESS``, ``PORTS`` or ``ADDRESS:PORTS``; without an address None."""
    if "." not in text and ":" not in text:
        return None, parse_ports(text)
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    address, colon, listed = text.partition(":")
    if ":" in listed:
        address, colon, listed = _divided(text)
    return _address(address), parse_ports(listed) if colon else ()


def _divided(text: str) -> tuple[str, str, str]:
    """Return an IPv6 address, the colon before its ports, and the ports; '' and '' if it has none."""
    if text.startswith("["):
        address, bracket, listed = text[1:].partition("]:")
        if not bracket or ":" not in address:
            raise ValueError("no IPv6 address in brackets, or no port after it")
        return address, ":", listed
    if is_ambiguous(text):
        raise ValueError("an address, or one with a port")
    return text, "", ""


def is_ambiguous(address: str) -> bool:
    """Return whether the end of an IPv6 address may be meant as a port: ``2001:db8::1:443``."""
    before, _, end = address.rpartition(":")
    return end.isdigit() and "::" in before and is_address(before)


def _address(text: str) -> Prefix:
    family, number = parse_address(text)
    return Prefix(family, number, BITS[family])


def listening_address(text: str) -> Prefix:
    """Return an address at which a forward can listen; 0.0.0.0 and :: are any address of the host."""
    prefix = _address(text)
    if prefix.first and unroutable_kind(prefix):
        raise ValueError("no address for a forward")
    return prefix


def parse_ports(text: str) -> Ports:
    """Return the ports of a list such as ``80,443,8000-8010``, in its order."""
    if text.isdigit():
        port = parse_port(text)
        return ((port, port),)
    ports = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        ports.append((parse_port(first), parse_port(last if dash else first)))
    behind = 0
    for first_port, last_port in sorted(ports):
        if not behind < first_port <= last_port:
            raise ValueError("a range from high to low, or a port twice")
        behind = last_port
    return tuple(ports)


def parse_port(text: str) -> int:
    """Return the number of a port."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) <= 5:
        port = int(text)
        if port <= LAST_PORT:
            return port
    raise ValueError("not a port")


def range_text(first: int, last: int) -> str:
    """Return a port or a range as it is written in files, and as nft writes it."""
    return str(first) if first == last else f"{first}-{last}"


def ports_text(ports: Iterable[tuple[int, int]]) -> str:
    """Return ports as parse_ports takes them."""
    return ",".join(range_text(first, last) for first, last in ports)


def number_of(ports: Ports) -> int:
    """Return how many ports these are."""
    return sum(last - first + 1 for first, last in ports)


def with_ports(address: Prefix, ports: Iterable[tuple[int, int]] = ()) -> str:
    """Return an address, or one with ports, as parse_listening and parse_target take it."""
    listed = ports_text(ports)
    if listed:
        return f"[{address}]:{listed}" if address.family == 6 else f"{address}:{listed}"
    return in_full(address) if is_ambiguous(address.text) else address.text


def in_full(address: Prefix) -> str:
    """Return an IPv6 address without ``::``, so that its end cannot be taken for a port."""
    return ":".join(f"{address.first >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
