"""The subject of a trace: an address of a line, as choices of packets, and their right fate. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config.listening import parse_listening
from nethook.config.text import one_line
from nethook.errors import NethookError
from nethook.host.packet_choice import TCP, UDP, Choice
from nethook.prefix import Prefix, address_text, parse_address, parse_prefix
from nethook.tracing.fate import Expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.config import Configuration
    from nethook.config.forwarded_ports import Forward
    from nethook.placement.forwarded import Forwarding

PROTOCOLS = {"tcp": TCP, "udp": UDP}
SEE = "`nethook status` shows the lines"


class Asked(NamedTuple):
    """A question: a word that is an address in a line, or a forwarded ``ADDRESS:PORT``, and which of its packets.

    ``port`` is 0 for all, and ``peer`` '' for everybody. ``probes``: this host sends to the guest itself.
    """

    word: str
    port: int = 0
    to_guest: bool = True
    from_guest: bool = True
    probes: bool = False
    peer: str = ""

    @property
    def directions(self) -> list[bool]:
        """True for packets to the guest, False for those from it."""
        return [is_to for is_to, is_asked in ((True, self.to_guest), (False, self.from_guest)) if is_asked]


class Subject(NamedTuple):
    """An address, or a port of it, to trace: its ``name`` for people, and the ``choices`` of its packets.

    ``addresses`` are those that packets to the guest go to. ``guest`` is the guest's address, '' while nobody knows it;
    ``ports`` are those at the guest, with their protocols. ``lines`` are the names that doctor has for the lines.
    """

    name: str
    choices: list[Choice]
    addresses: set[str]
    expected: Expected
    guest: str
    lines: list[str]
    ports: tuple[tuple[int, tuple[int, ...]], ...] = ()

    @property
    def address(self) -> str:
        """The address that is traced, without a port."""
        return address_text(self.choices[0].family, self.choices[0].number)


def subject(
    asked: Asked, configuration: Configuration, forwardings: Iterable[Forwarding], bridges: Mapping[str, str]
) -> Subject:
    """Return what somebody asks for. NethookError, which says what to write, if there is no such thing.

    ``forwardings`` are the places that lines of forwarded-ports lead to; ``bridges`` those of libvirt's networks, by
    name.
    """
    found = _subject(asked, configuration, forwardings, bridges)
    if not asked.peer:
        return found
    try:
        family, number = parse_address(asked.peer)
    except ValueError as error:
        raise NethookError(one_line(f"--peer: {error}")) from None
    if any(choice.family != family for choice in found.choices):
        raise NethookError(one_line(f"--peer {asked.peer} is not of the IP family of {found.name}"))
    return found._replace(choices=[choice._replace(peer=number) for choice in found.choices])


def _subject(
    asked: Asked, configuration: Configuration, forwardings: Iterable[Forwarding], bridges: Mapping[str, str]
) -> Subject:
    prefix, asked_port = _read(asked.word)
    port = asked.port or asked_port
    if not prefix.is_address:
        example = Prefix(prefix.family, min(prefix.first + 1, prefix.last), 32 if prefix.family == 4 else 128)
        raise NethookError(f"write one address of {prefix}, such as {example}: packets are traced for one address")
    leading = [each for each in forwardings if _leads(each.line, prefix.text, port)]
    if leading:
        return _forwarded(prefix, port, leading, asked)
    around = [line for line in configuration.routed_ips if prefix.lies_in(line.prefix)]
    if not around:
        raise NethookError(one_line(_unknown(prefix, port, configuration)))
    line = max(around, key=lambda line: line.prefix.length)
    choices = [Choice(prefix.family, prefix.first, is_to, port) for is_to in asked.directions]
    expected = Expected(bridges.get(line.network, ""), is_rewritten=False)
    ports = ((port, (TCP, UDP)),) if port else ()
    name = _at(prefix, port) if port else prefix.text
    return Subject(name, choices, {prefix.text}, expected, prefix.text, [prefix.text], ports)


def _read(word: str) -> tuple[Prefix, int]:
    """Return the address, or the prefix, and the port; 0 without one."""
    try:
        return parse_prefix(word), 0
    except ValueError as error:
        try:
            prefix, ports, _ = parse_listening(word, {})
        except ValueError:
            raise NethookError(one_line(f"{error}; write an address, or ADDRESS:PORT; {SEE}")) from None
    (first, last), *more = ports or ((0, 0),)
    if more or first != last:
        raise NethookError(one_line(f"{word} has several ports: write one of them, such as {_at(prefix, first)}"))
    return prefix, first


def _leads(line: Forward, address: str, port: int) -> bool:
    if line.is_whole or not port:
        return line.is_whole and line.address == address
    return any(line.takes(address, protocol, port) for protocol in line.protocols)


def _unknown(prefix: Prefix, port: int, configuration: Configuration) -> str:
    here = [line for line in configuration.forwards if line.prefix == prefix and line.ports]
    if any(line.is_hosts and port and line.covers(protocol, port) for line in here for protocol in line.protocols):
        return f"{_at(prefix, port)} stays with this host, so no guest gets its packets"
    if here:
        what = f"no line forwards port {port} of {prefix}" if port else f"only ports of {prefix} are forwarded"
        return f"{what}: write one that is, such as {_at(prefix, here[0].ports[0][0])}; {SEE}"
    wrong = "; but the files have mistakes, run nethook check" if configuration.problems else ""
    return f"no line of the files names {prefix}, nor a prefix around it{wrong}; write an address of a line: {SEE}"


def _at(prefix: Prefix, port: int) -> str:
    return f"[{prefix}]:{port}" if prefix.family == 6 else f"{prefix}:{port}"


def _forwarded(prefix: Prefix, port: int, leading: Sequence[Forwarding], asked: Asked) -> Subject:
    """Return the subject of lines that lead to guests: packets to the listening address, and what the guest answers."""
    protocols = tuple(dict.fromkeys(PROTOCOLS[protocol] for each in leading for protocol in each.line.protocols))
    first = leading[0]
    choices: dict[Choice, None] = {}
    ports = []
    for is_to in asked.directions:
        choices[Choice(prefix.family, prefix.first, is_to, port, protocols)] = None
    for each in leading:
        at_guest = 0 if each.line.is_whole else _port_at_guest(each.line, port)
        if at_guest:
            ports.append((at_guest, tuple(PROTOCOLS[protocol] for protocol in each.line.protocols)))
        target = parse_prefix(each.target) if each.target else None
        for is_to in asked.directions:
            if target and (asked.probes or not is_to):
                choices[Choice(target.family, target.first, is_to, at_guest or port, protocols)] = None
    name = _at(prefix, port) if port else prefix.text
    expected = Expected(first.bridge, is_rewritten=True)
    addresses = {prefix.text, *(each.target for each in leading if each.target)}
    lines = [each.line.text for each in leading]
    return Subject(name, [*choices], addresses, expected, first.target, lines, tuple(ports))


def _port_at_guest(line: Forward, port: int) -> int:
    found = (
        span.to + (port - span.first if span.last > span.first else 0)
        for span in line.spans
        if span.first <= port <= span.last
    )
    return next(found, port)
