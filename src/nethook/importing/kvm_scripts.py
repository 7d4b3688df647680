"""Lines with addForward of doccaz/kvm-scripts, in a hook script of bash or Python.

The two forms, from its README.md and qemu-hook-script: https://github.com/doccaz/kvm-scripts

    addForward VM PORT GUEST-IP GUEST-PORT
    addForward VM NIC IP PORT BRIDGE GUEST-IP GUEST-PORT PROTOCOLS
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from nethook.config.listening import LAST_PORT, number_of, parse_ports
from nethook.config.text import excerpt
from nethook.importing.found import PROTOCOLS, Found, Remark, checked_guest, left_out
from nethook.importing.tree import LeftOutError, address_at
from nethook.prefix import BITS, Prefix, is_safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.config.listening import Ports
    from nethook.config.text import Place
    from nethook.importing.tree import Source

CALL = re.compile(r"^[ \t]*addForward(?=[ \t(])(?![ \t]*\([ \t]*\))(.*)$", re.MULTILINE)
"""A call at the beginning of a line, and not its definition in bash, ``addForward() {``."""
ADDRESS = re.compile(r"^[ \t]*(\$IP|ip|/\S*/ip)[ \t]+addr(ess)?[ \t]+\$\{?IP_ACTION\b", re.MULTILINE)
"""The line that adds the address to the NIC, which is a comment in the script as it is shipped."""
PYTHON = re.compile(r"""\(\s*((?:"[^"]*"|'[^']*')\s*(?:,\s*(?:"[^"]*"|'[^']*'|[0-9]+)\s*)*)\)\s*(?:#.*)?$""")
FORMS = "addForward has 4 words, VM PORT GUEST-IP GUEST-PORT, or 8, VM NIC IP PORT BRIDGE GUEST-IP GUEST-PORT PROTOCOL"
ANY = Prefix(4, 0, BITS[4])
RANGES = (
    "iptables chose any of the ports {} for a connection to one of {}; now each port goes to one: the first to the "
    "first, and so on"
)


def is_one(source: Source) -> bool:
    """Return whether a line of the file calls addForward."""
    return any(CALL.finditer(source.text))


def items(source: Source) -> Iterator[Found | Remark]:
    """Yield what the script forwards, line by line."""
    text = source.text.replace("\\\n", "  ")  # the same places
    has_own_addresses = bool(ADDRESS.search(text))
    for match in CALL.finditer(text):
        place = source.place(match.start() + len(match[0]) - len(match[0].lstrip()))
        try:
            yield from _of_line(_words(match[1], place), place, has_own_addresses=has_own_addresses)
        except LeftOutError as error:
            yield left_out(error, "")


def _words(text: str, place: Place) -> list[str]:
    """Return the words of a call."""
    call = PYTHON.match(text.strip())
    if call:
        return [word.strip("\"'") for word in re.findall(r"\"[^\"]*\"|'[^']*'|[0-9]+", call[1])]
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    words = []
    try:
        for word in lexer:
            if word.strip(";&|") == "":  # another command follows
                break
            words.append(word)
    except ValueError as error:
        raise LeftOutError(place, f"this line is not understood: {error}") from None
    for word in words:
        if any(char in word for char in "$`*?(){}"):
            raise LeftOutError(place, f"{excerpt(word)} is known only when the script runs: write the line yourself")
    return words


def _of_line(words: list[str], place: Place, *, has_own_addresses: bool) -> Iterator[Found | Remark]:
    if len(words) == 4:
        guest, port, target, to_port = words
        nic = bridge = ""
        listening, protocols = ANY, ["tcp"]
    elif len(words) == 8:
        guest, nic, address, port, bridge, target, to_port, protocol = words
        listening = address_at(address, place)
        protocols = [name for name in PROTOCOLS if name in protocol.lower()]
        if not protocols:
            raise LeftOutError(place, f"ports of {excerpt(protocol)} cannot be forwarded, only those of tcp and udp")
    else:
        raise LeftOutError(place, f"{FORMS}; this line has {len(words)}")
    checked_guest(guest, place)
    ports, to_ports = _ports(port, place), _ports(to_port, place)
    if number_of(to_ports) not in {1, number_of(ports)}:
        raise LeftOutError(place, f"{excerpt(port)} are not as many ports as {excerpt(to_port)}")
    if number_of(to_ports) > 1 and to_ports != ports:
        yield Remark(place, "", RANGES.format(to_port, port), is_loss=False)
    proxy = nic if has_own_addresses and is_safe(nic) else ""
    for name in protocols:
        yield Found(
            place, "", guest, listening, address_at(target, place), name, ports, to_ports, proxy=proxy, bridge=bridge
        )
    if len(protocols) > 1 and ports == to_ports == ((1, LAST_PORT),):
        what = f"if nothing else uses {listening}, the whole address is simpler: write {listening} without ports"
        yield Remark(
            place,
            "",
            f"{what}; then ping goes to the guest, too, and what it sends leaves as this address",
            is_loss=False,
        )


def _ports(text: str, place: Place) -> Ports:
    """Return ports as iptables takes them: a range has a colon, or in a target a hyphen."""
    try:
        return parse_ports(text.replace(":", "-"))
    except ValueError:
        raise LeftOutError(place, f"{excerpt(text)} is not a port or range of ports") from None
