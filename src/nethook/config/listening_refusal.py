"""The mistake in a listening address, in a guest's address and ports, or in a list of sources.

Imported only if there is one.
"""

from __future__ import annotations

from nethook.config.listening import (
    LAST_PORT,
    PROTOCOLS,
    in_full,
    is_ambiguous,
    listening_address,
    parse_listening,
    parse_port,
    parse_ports,
    with_ports,
)
from nethook.config.refusal import not_four_numbers
from nethook.config.refusal import refusal as prefix_refusal
from nethook.config.text import LineError, Word, excerpt, suggestion
from nethook.prefix import BITS, Prefix, parse_address, parse_prefix, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    Read = TypeVar("Read")
    Reason = tuple[str, str]
    """What is wrong, and what to write instead."""

BEGINNING = "begin the line with an address and ports, such as 203.0.113.1:80 or [2001:db8:7::1]:80"
TARGET = "write the guest's address, port or both, such as 192.168.122.10, 8080 or 192.168.122.10:8080"
PORT = f"write a port from 1 to {LAST_PORT}"
LIST = "write ports such as 80, 80,443 or 8000-8010"
WHOLE = "a line with the whole address, without a port, forwards every protocol"
BOTH = {"all", "any", "both", "*"}
WITHOUT_PORTS = {"icmp", "icmpv6", "ping"}
OTHERS = {"ah", "dccp", "esp", "gre", "sctp", "udplite"}
"""Protocols that people ask for; those with ports, too: the kernel's maps are for tcp and udp."""
SEPARATORS = str.maketrans("+|&;/", ",,,,,")
HYPHENS = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212", "------")


class _WrongError(Exception):
    """A mistake: where in the text it begins, what is wrong, what to write instead, and the address, if it is right."""

    def __init__(self, at: int, what: str, advice: str, address: Prefix | None = None) -> None:
        super().__init__(what)
        self.at = at
        self.what = what
        self.advice = advice
        self.address = address


def listening_refusal(word: Word) -> tuple[Prefix | None, LineError]:
    """Return the mistake in the listening part of a line, and the address, if that is right."""
    try:
        _explain_listening(word.text)
    except _WrongError as wrong:
        column = word.column + wrong.at + (1 if wrong.at and word.is_quoted else 0)
        return wrong.address, LineError(column, wrong.what, wrong.advice)
    return None, LineError(word.column, f"{excerpt(word.text)} is not an address with ports", BEGINNING)


def spaced(words: Sequence[Word]) -> LineError | None:
    """Return the mistake that the listening part of a line has a space within; None if it has none."""
    if len(words) == 1 or words[1].is_quoted or words[1].source == "-":
        return None
    first, second = words[0], words[1]
    joined = first.source + second.source
    if second.source[0] not in ":/,-" and first.source[-1] not in ":/,-":
        if not words[2:] or "=" in words[2].source:  # the second word is the network
            return None
        joined = f"{first.source}{'/' if second.source.lower() in PROTOCOLS else ':'}{second.source}"
    if not _is_listening(joined):
        return None
    what = f"there is a space between {excerpt(first.source)} and {excerpt(second.source)}"
    return LineError(second.column, what, f"write {joined}")


def target_refusal(text: str) -> Reason:
    """Return the mistake in the value of to=, and advice."""
    try:
        _explain_target(text)
    except _WrongError as wrong:
        return wrong.what, wrong.advice
    return f"{excerpt(text)} is not an address or port of a guest", TARGET


def sources_refusal(text: str, prefix: Prefix | None) -> Reason:
    """Return the mistake in the value of from=, and advice; ``prefix`` is the listening address, if that is right."""
    sources: list[Prefix] = []
    for part in text.split(","):
        if not part:
            return (
                f"from={excerpt(text)} has a comma too many",
                "write addresses and prefixes with one comma between them",
            )
        source = _read(parse_prefix, part)
        if source is None or unroutable_kind(source):
            return _source_refusal(part)
        if prefix and source.family != prefix.family:
            what = f"{source} is IPv{source.family}, and {prefix} is IPv{prefix.family}"
            return what, f"write IPv{prefix.family} addresses and prefixes"
        for other in sources:
            if source.overlaps(other):
                inner, outer = (source, other) if source.lies_in(other) else (other, source)
                what = f"{inner} is given twice" if inner == outer else f"{inner} lies in {outer}"
                return what, f"remove {inner}" if inner != outer else "remove one of them"
        sources.append(source)
    raise AssertionError(text)


def _source_refusal(text: str) -> Reason:
    if text in {"any", "all", "*"} or text.endswith("/0"):
        return f"{excerpt(text)} is everybody", "remove from="
    source = _read(parse_prefix, text)
    if source is not None:
        kind = unroutable_kind(source)
        what = f"nothing from {source} can reach a forward: it has {kind} addresses"
        return what, "write the addresses of clients, such as 198.51.100.0/24"
    what, advice = prefix_refusal(text)
    if advice.startswith("begin the line"):
        advice = "write addresses and prefixes, such as 198.51.100.0/24,192.0.2.7"
    return what, advice


def _read(reader: Callable[[str], Read], text: str) -> Read | None:
    try:
        return reader(text)
    except ValueError:
        return None


def _are_ports(*texts: str) -> bool:
    return all(_read(parse_ports, text) is not None for text in texts)


def _is_listening(text: str) -> bool:
    return _read(lambda each: parse_listening(each, {}), text) is not None


def _address_of(text: str) -> Prefix | None:
    found = _read(parse_address, text)
    return Prefix(found[0], found[1], BITS[found[0]]) if found else None


# The listening part.


def _explain_listening(text: str) -> None:
    """Raise the mistake in the listening part of a line."""
    _refuse_missing_address(text)
    listed: str | None
    if text.startswith("["):
        address, listed, at = _in_brackets(text)
    elif text.count(":") > 1:
        address, listed, at = _with_colons(text)
    else:
        _refuse_more_than_an_address(text)
        address, colon, rest = text.partition(":")
        at = len(address) + len(colon)
        listed = rest if colon else None
    prefix = _explain_address(address, listed)
    if listed is None:
        advice = f"write the port, such as {with_ports(prefix, [(80, 80)])}"
        raise _WrongError(0, f"{prefix} stands for any address of the host, so it needs a port", advice, prefix)
    try:
        ports, slash, protocols = listed.partition("/")
        if slash and protocols.lower() not in PROTOCOLS:
            _explain_protocols(protocols, at + len(ports) + 1)
        _explain_ports(ports, at, text)
    except _WrongError as wrong:
        wrong.address = prefix
        raise


def _refuse_missing_address(text: str) -> None:
    if not text:
        raise _WrongError(0, "the address is empty", BEGINNING)
    bare = text.lstrip(":")
    numbers, slash, protocols = bare.partition("/")
    tail = slash + protocols
    if text.startswith("*:"):
        rest = text[2:]
        raise _WrongError(0, "* is not an address", f"write 0.0.0.0:{rest} for IPv4, [::]:{rest} for IPv6")
    if _are_ports(numbers) and (text != bare or not tail or protocols.lower() in PROTOCOLS):
        advice = f"write the address before the port, such as 203.0.113.1:{bare}, or 0.0.0.0:{bare} for any address"
        raise _WrongError(0, f"{excerpt(text)} has no address", advice)
    here, colon, there = numbers.partition(":")
    if colon and _are_ports(here, there):
        raise _WrongError(
            0, f"{excerpt(text)} has no address", f"write 203.0.113.1:{here}{tail} with your address, and to={there}"
        )


def _in_brackets(text: str) -> tuple[str, str, int]:
    """Return address, ports and protocols, and where these begin. The text begins with a bracket."""
    address, bracket, tail = text[1:].partition("]")
    if not bracket:
        raise _WrongError(0, "the bracket [ is not closed", "write ] after the address, such as [2001:db8:7::1]:80")
    if ":" not in address:
        found = _address_of(address)
        advice = f"write {address}{tail}" if found else BEGINNING
        raise _WrongError(0, f"brackets are for IPv6 addresses, not for {excerpt(address)}", advice, found)
    _refuse_length(address, tail)
    prefix = _read(listening_address, address)
    if prefix and tail in {"", ":"}:
        advice = f"write [{prefix}]:80 for port 80, {with_ports(prefix)} for the whole address"
        raise _WrongError(0, f"{text} has no port", advice, prefix)
    if prefix and not tail.startswith(":"):
        raise _WrongError(len(address) + 2, f"there is no : before {excerpt(tail)}", f"write [{prefix}]:80", prefix)
    return address, tail[1:], len(address) + 3


def _with_colons(text: str) -> tuple[str, str | None, int]:
    """Return address, ports and protocols, and where these begin. The text has several colons and no bracket."""
    prefix = _address_of(text)
    if prefix:
        if is_ambiguous(text) and not unroutable_kind(prefix):
            before, _, port = text.rpartition(":")
            advice = f"write [{before}]:{port} for the port, {in_full(prefix)} for the address"
            raise _WrongError(0, f"{text} may be an address, or one with a port", advice)
        return text, None, 0
    if not is_ambiguous(text.partition("/")[0]):
        _refuse_length(text, "")
    address, _, rest = text.partition(":")
    prefix = _address_of(address)
    if prefix:
        _explain_colons(prefix, address, rest)
    before, _, end = text.rpartition(":")
    prefix = _read(listening_address, before) if ":" in before else None
    if prefix and end[:1].isdigit():
        what = f"{excerpt(text)} is an IPv6 address with a port, and has no brackets"
        raise _WrongError(0, what, f"write [{before}]:{end}", prefix)
    return text, None, 0


def _explain_colons(prefix: Prefix, address: str, rest: str) -> None:
    """Raise the mistake of an IPv4 address with several colons."""
    at = len(address) + 1
    first, _, second = rest.partition(":")
    if second.lower() in PROTOCOLS and _are_ports(first):
        what = f":{second} is not where the protocol stands"
        raise _WrongError(at + len(first), what, f"write {address}:{first}/{second}", prefix)
    if first.lower() in PROTOCOLS and _are_ports(second):
        what = f"{first} is not where the protocol stands"
        raise _WrongError(at, what, f"write {address}:{second}/{first}", prefix)
    numbers, slash, protocols = second.partition("/")
    if _are_ports(first, numbers):
        what = f"{excerpt(rest)} has two ports"
        tail = slash + protocols
        advice = f"write {address}:{first}{tail} and to={numbers} for another port of the guest"
        is_range = first.isdigit() and numbers.isdigit() and int(first) < int(numbers)
        advice += f", {address}:{first}-{numbers}{tail} for a range" if is_range else ""
        raise _WrongError(at, what, advice, prefix)
    raise _WrongError(at, f"{excerpt(rest)} is not a list of ports", LIST, prefix)


def _refuse_more_than_an_address(text: str) -> None:
    """Raise the mistake that the text has a prefix, a range or a list of addresses. It has no two colons."""
    address, _, rest = text.partition(":")
    _refuse_length(address, f":{rest}" if rest else "")
    parts = address.translate(HYPHENS).replace("-", ",").split(",")
    if parts[1:] and all(_address_of(part) for part in parts):
        raise _WrongError(0, f"{excerpt(address)} is not one address", "write a line for each address")


def _refuse_length(address: str, tail: str) -> None:
    """Raise the mistake that an address has a slash; ``tail`` is what is after the address."""
    before, slash, length = address.partition("/")
    prefix = _address_of(before)
    if prefix and slash:
        if length.lower() in PROTOCOLS:
            what = f"/{length} needs a port before it"
            with_port = with_ports(prefix, [(80, 80)])
            advice = f"write {with_port}/{length} with the port, or only {before} for all of the address"
            raise _WrongError(len(before), what, advice, prefix)
        if length == str(BITS[prefix.family]):
            raise _WrongError(
                len(before), f"a forward is for one address, without /{length}", f"write {before}{tail}", prefix
            )
        what = f"{excerpt(address)} is not one address"
        advice = "write a line for each address; a whole prefix can be routed to a network: routed-ips(5)"
        raise _WrongError(0, what, advice)


def _explain_address(text: str, listed: str | None) -> Prefix:
    """Return the address; raise its mistake if it cannot be forwarded. ``listed`` is what is after its colon."""
    tail = "" if listed is None else f":{listed}"
    prefix = _address_of(text)
    if prefix is None:
        bare, zone, _ = text.partition("%")
        if zone and _address_of(bare):
            right = _explain_address(bare, listed)
            what = f"{excerpt(text)} has a zone, and a forwarded address has none"
            raise _WrongError(0, what, f"write {right}" if listed is None else f"write [{right}]{tail}", right)
        numbers = text.split(".")
        if all(number.isascii() and number.isdigit() for number in numbers):
            raise _WrongError(0, *not_four_numbers(numbers, tail if numbers[3:] else ""))
        if text.replace("-", "").replace(".", "").replace("_", "").isalnum() and not text[:1].isdigit():
            advice = f"write its address, such as 203.0.113.1{tail}"
            raise _WrongError(0, f"{excerpt(text)} is a name, and the kernel forwards addresses", advice)
        raise _WrongError(0, f"{excerpt(text)} is not an IP address", BEGINNING)
    kind = unroutable_kind(prefix)
    if kind and prefix.first:
        what = f"{prefix} cannot be forwarded: clients do not reach {kind} addresses"
        if kind == "IPv4-mapped":
            mapped = Prefix(4, prefix.first & 0xFFFFFFFF, BITS[4])
            raise _WrongError(0, f"{prefix} cannot be forwarded: it is {kind}", f"write {mapped}{tail}", mapped)
        raise _WrongError(0, what, "write the address that clients connect to", prefix)
    return prefix


# Ports and protocols.


def _explain_protocols(text: str, at: int) -> None:
    """Raise the mistake in the protocols, which are not right."""
    small = text.lower()
    parts = small.translate(SEPARATORS).split(",")
    if not text:
        raise _WrongError(
            at, "there is no protocol after the slash", "write /tcp, /udp or /tcp,udp, or remove the slash"
        )
    if small in BOTH or (set(parts) == {"tcp", "udp"} and len(parts) == 2):
        raise _WrongError(at, f"{excerpt(text)} is not a list of protocols", "write /tcp,udp")
    for part in parts:
        if small.count(part) > 1 and part in PROTOCOLS and set(parts) <= {"tcp", "udp"}:
            raise _WrongError(at, f"{part} is given twice", f"write /{','.join(sorted(set(parts)))}")
        if part in WITHOUT_PORTS:
            raise _WrongError(at, f"{part} has no ports", f"remove it; {WHOLE}")
        if part in OTHERS:
            raise _WrongError(
                at, f"ports of {part} cannot be forwarded, only those of tcp and udp", f"remove it; {WHOLE}"
            )
        if part[:-1] in PROTOCOLS and part[-1] in "46":
            raise _WrongError(at, f"there is no protocol {excerpt(part)}", f"write /{part[:-1]}")
        if part.isdigit() and part.isascii():
            raise _WrongError(
                at, f"{excerpt(part)} is not a protocol", "write ports before the slash, and tcp or udp after it"
            )
        if part not in PROTOCOLS:
            raise _WrongError(at, f"there is no protocol {excerpt(part)}", suggestion(part, ("tcp", "udp")))


def _explain_ports(text: str, at: int, whole: str) -> None:
    """Raise the mistake in a list of ports, if there is one. It begins ``at`` this index of ``whole``."""
    if not text:
        advice = "write one after the colon" if whole[at - 1 : at] == ":" else "write one"
        raise _WrongError(at, "there is no port", f"{advice}, such as 80")
    seen: list[tuple[int, int]] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not part:
            raise _WrongError(at, "there is a comma too many", "write one comma between two ports, and no space")
        if dash and not (first and last):
            raise _WrongError(at, f"the range {excerpt(part)} has one end", "write both ends, such as 8000-8010")
        ends = [_explain_port(first, at, part), _explain_port(last if dash else first, at + len(first + dash), part)]
        if ends[0] > ends[1]:
            raise _WrongError(at, f"the range {part} goes from high to low", f"write {last}-{first}")
        for other in seen:
            if other[0] <= ends[1] and ends[0] <= other[1]:
                what = f"port {part} is given twice" if other[0] == other[1] == ends[0] == ends[1] else ""
                between = "-".join(str(end) for end in dict.fromkeys(other))
                raise _WrongError(at, what or f"{part} overlaps {between}", "write each port once")
        seen.append((ends[0], ends[1]))
        at += len(part) + 1


def _explain_port(text: str, at: int, part: str) -> int:
    """Return the number of a port; raise its mistake if it is none. ``part`` of the list has it."""
    port = _read(parse_port, text)
    if port:
        return port
    if text.isascii() and text.isdigit():
        plain = text.lstrip("0")
        if not plain:
            raise _WrongError(at, "port 0 does not exist", PORT)
        if len(plain) > 5 or int(plain) > LAST_PORT:
            raise _WrongError(at, f"port {excerpt(text)} is larger than {LAST_PORT}", PORT)
        raise _WrongError(at, f"port {text} has a zero too many", f"write {plain}")
    plain = part.translate(HYPHENS)
    if plain != part and _are_ports(plain):
        raise _WrongError(at, f"{excerpt(part)} has a hyphen that is not -", f"write {plain}")
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if text[len(digits) :].lower() in PROTOCOLS and _are_ports(digits):
        raise _WrongError(at, f"{text} is not a port", f"write {digits}/{text[len(digits) :]}")
    raise _WrongError(at, f"{excerpt(text)} is not a port", LIST)


# The guest's address and ports.


def _explain_target(text: str) -> None:
    """Raise the mistake in the value of to=."""
    if "." not in text and ":" not in text:
        if text[:1].isalpha():
            what = f"{excerpt(text)} is not an address or port"
            raise _WrongError(0, what, f"write guest={excerpt(text)} if this is a guest, or its address")
        _explain_ports(text, 0, text)
    _refuse_other_spelling(text)
    listed: str | None = None
    if text.startswith("["):
        address, bracket, tail = text[1:].partition("]")
        if not bracket or tail[:1] not in {"", ":"}:
            raise _WrongError(0, f"{excerpt(text)} is not an address of a guest", TARGET)
        listed = tail[1:] if tail else None
    elif text.count(":") > 1:
        address = text
    else:
        address, colon, rest = text.partition(":")
        listed = rest if colon else None
    prefix = _address_of(address)
    if prefix is None:
        raise _WrongError(0, f"{excerpt(address)} is not the address of a guest", TARGET)
    if unroutable_kind(prefix):
        what = f"{prefix} cannot be the address of a guest: it is {unroutable_kind(prefix)}"
        raise _WrongError(0, what, "write the address that the guest has on the network, such as 192.168.122.10")
    if listed is not None:
        _explain_ports(listed, 0, text)


def _refuse_other_spelling(text: str) -> None:
    """Raise the mistake that address and port of a guest are written in another way."""
    bare, slash, protocols = text.partition("/")
    if slash and protocols.lower() in PROTOCOLS:
        advice = f"write to={bare}, and /{protocols} after the port in the first column"
        raise _WrongError(0, f"{excerpt(text)} has a protocol", advice)
    if text.startswith(":") and _are_ports(text[1:]):
        raise _WrongError(0, f"{text} has no address before the colon", f"write to={text[1:]}")
    if text.startswith("[") and ":" not in text.partition("]")[0]:
        without = text[1:].replace("]", "", 1)
        raise _WrongError(0, f"{excerpt(text)} has brackets, which are for IPv6 addresses", f"write to={without}")
    before, _, end = text.rpartition(":")
    if is_ambiguous(text) and _address_of(text):
        advice = f"write to=[{before}]:{end} for the port, to={in_full(parse_prefix(text))} for the address"
        raise _WrongError(0, f"{text} may be an address, or one with a port", advice)
    if ":" in before and not text.startswith("[") and _address_of(before) and _are_ports(end):
        raise _WrongError(0, f"{excerpt(text)} has no brackets", f"write to=[{before}]:{end}")
    if slash and _address_of(bare):
        raise _WrongError(0, f"{text} is not one address", TARGET)
