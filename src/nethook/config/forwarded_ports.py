"""The file ``forwarded-ports``: which ports of which address go to which guest.

Each line has an address with ports, or a whole address; a network, and options. Addresses and ports have the same rules
of precedence as the kernel's maps: ``from=`` before none, a port before a range, a range before a whole address, and an
address before ``0.0.0.0`` or ``::``, any address of the host. A wrong line costs only that line, and all mistakes are
reported at once. If two lines have the same port, the first one counts.

The network ``-`` is the host itself: a port of a range, of a whole address or of any address stays with it. Such a line
changes nothing where no other line has the port.
"""

from __future__ import annotations

from nethook.config.claims import Claims
from nethook.config.forward_options import AS_HOST, FORWARD_OPTIONS, NO, YES, parse_sources
from nethook.config.listening import LAST_PORT, number_of, parse_listening, parse_target, ports_text, with_ports
from nethook.config.options import behind_network, may_be_option, read_options
from nethook.config.text import Entry, LineError, Reader, excerpt
from nethook.prefix import Ordered, disjoint, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.config.claims import Mistake
    from nethook.config.listening import Ports
    from nethook.config.routed_ips import RoutedIP
    from nethook.config.text import Line, Problem, Source, Word
    from nethook.prefix import Prefix

HOST_ITSELF = "-"
"""The network of ports that stay with the host. A network of libvirt with that very name needs quotes."""


class Span:
    """Ports of one protocol, ``first`` to ``last``, and ``to``, the port of the guest to which ``first`` goes.

    A span has several ports only if each goes to the same port of the guest.
    """

    __slots__ = ("first", "last", "protocol", "to")

    def __init__(self, protocol: str, first: int, last: int, to: int) -> None:
        self.protocol = protocol
        self.first = first
        self.last = last
        self.to = to

    def __repr__(self) -> str:
        return f"Span({self.protocol!r}, {self.first}, {self.last}, {self.to})"


class Forward(Entry):
    """A line of the file: a listening address, ports, the network of the guest, and options.

    ``prefix`` is the listening address; 0.0.0.0 and :: are any address of the host. Without ``ports``, and so without
    ``protocols`` and ``spans``, all of the address is forwarded.
    """

    __slots__ = (
        *("_spans", "address", "family", "is_any", "is_hosts", "is_whole"),
        *("outgoing", "ports", "protocols", "sources", "to", "to_ports"),
    )

    def __init__(
        self,
        listening: tuple[Prefix, Ports, tuple[str, ...]],
        line: Line,
        words: Sequence[Word],
        options: Mapping[str, str],
    ) -> None:
        """Make a forward of the ``words`` of a line; the first two are the listening part and the network."""
        prefix, self.ports, self.protocols = listening
        super().__init__(prefix, line, words, options)
        self.address = prefix.text
        """The listening address."""
        self.family = prefix.family
        """The IP family, 4 or 6."""
        self.is_whole = not self.ports
        """True if all of the address is forwarded."""
        self.is_any = not prefix.first
        """True if the ports of any address of the host are forwarded."""
        self.is_hosts = words[1].source == HOST_ITSELF
        self.to: str | None = None
        """The address of the guest, or None."""
        self.to_ports: Ports = ()
        """The ports of the guest, if not the same."""
        if "to" in options:
            address, self.to_ports = parse_target(options["to"])
            self.to = address.text if address else None
        self.sources: tuple[Prefix, ...] = parse_sources(options["from"]) if "from" in options else ()
        """The prefixes that may use the forward; empty: everybody."""
        self.outgoing = options.get("outgoing") == YES if self.ports else options.get("outgoing") != NO
        """True if what the guest sends from there leaves with the listening address and ports."""
        self._spans: tuple[Span, ...] | None = None

    @property
    def text(self) -> str:
        """The listening part in its canonical spelling, which the file may have."""
        text = with_ports(self.prefix, self.ports)
        return f"{text}/{','.join(self.protocols)}" if self.ports else text

    @property
    def key(self) -> str:
        """The text that tells it from all other right lines: several may have the same ports for other clients."""
        return f"{self.text} from {self.options['from']}" if self.sources else self.text

    def text_of(self, protocol: str, first: int, last: int) -> str:
        """Return the address with these ports."""
        text = with_ports(self.prefix, [(first, last)] if protocol else ())
        return f"{text}/{protocol}" if protocol else text

    def covers(self, protocol: str, port: int) -> bool:
        """Return whether this is one of the ports of the line."""
        return any(span.protocol == protocol and span.first <= port <= span.last for span in self.spans)

    def takes(self, address: str, protocol: str, port: int) -> bool:
        """Return whether the line is about this port of this address of the host, and gives it to a guest."""
        is_at = self.address == address or (self.is_any and (":" in address) == (self.family == 6))
        return not self.is_hosts and is_at and (self.is_whole or self.covers(protocol, port))

    @property
    def target_ports(self) -> Ports:
        """The ports of the guest."""
        return self.to_ports or self.ports

    def text_at(self, address: str) -> str:
        """Return this address of the guest, with the guest's ports, as the option ``to=`` takes it."""
        return with_ports(parse_prefix(address), self.target_ports)

    @property
    def as_host(self) -> bool:
        """True if the guest sees the address of its bridge instead of the client's."""
        return self.options.get("as") == AS_HOST

    @property
    def spans(self) -> tuple[Span, ...]:
        """The ports, one protocol after the other, as the kernel's maps have them.

        A range is one span for each port if these go to other ports, or if a set for them has no intervals.
        """
        if self._spans is None:
            triples = [(first, last, first) for first, last in self.ports]
            goes_elsewhere = self.to_ports and self.to_ports != self.ports
            if goes_elsewhere or self.outgoing or self.is_hosts or self.is_any or self.as_host:
                targets = list(_singly(self.target_ports))
                targets = targets if targets[1:] else targets * number_of(self.ports)
                triples = [(port, port, to) for port, to in zip(_singly(self.ports), targets)]
            self._spans = tuple([Span(protocol, *triple) for protocol in self.protocols for triple in triples])
        return self._spans


def _singly(ports: Ports) -> Iterable[int]:
    return (port for first, last in ports for port in range(first, last + 1))


MOST = 100_000
"""The most entries. With more, reading alone takes longer than an event may."""


def parse_forwarded_ports(sources: Iterable[Source]) -> tuple[list[Forward], list[Problem]]:
    """Return the forwards of all files, in order, and the problems. A source is a file's name and content.

    The prefix of a problem is the listening address. Nobody knows which ports a wrong line is about.
    """
    reader = _Reader()
    problems = reader.read(sources)
    return reader.forwards, problems


class _Reader(Reader):
    """Collects forwards."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards: list[Forward] = []
        self._claims = Claims()
        self._known: dict[str, Prefix] = {}
        self._entries = 0

    def why_too_full(self) -> tuple[str, str] | None:
        """Return why there are more entries than can be in force."""
        if self._entries <= MOST:
            return None
        what = f"at most {MOST} ports can be in force, where a range that keeps its ports counts as one"
        return what, "write ranges, which keep their ports without to=, or move some of them to another host"

    def may_be_right(self, words: list[Word]) -> bool:
        """Return whether the line begins as it should, and seems to have a network and options."""
        try:
            parse_listening(words[0].text, self._known)
        except ValueError:
            return False
        return len(words) > 1 and all(may_be_option(word, FORWARD_OPTIONS) for word in words[2:])

    def read_words(self, line: Line, words: list[Word]) -> None:
        """Add the forward of this line, or its mistakes."""
        errors: list[LineError] = []
        listening = None
        try:
            listening = parse_listening(words[0].text, self._known)
            prefix: Prefix | None = listening[0]
        except ValueError:
            from nethook.config.listening_refusal import listening_refusal  # noqa: PLC0415 - only for mistakes

            prefix, error = listening_refusal(words[0])
            errors.append(error)
        options = read_options(behind_network(words, FORWARD_OPTIONS, errors), FORWARD_OPTIONS, prefix, errors)
        if errors or words[1].source.startswith(":"):
            from nethook.config.listening_refusal import spaced  # noqa: PLC0415 - only for mistakes

            error_of_space = spaced(words)
            if error_of_space:
                errors = [error_of_space]
        if errors or listening is None:
            self.add(errors, line, prefix)
            return
        forward = Forward(listening, line, words, options)
        mistake = _misfit(forward)
        if not mistake:
            self._entries += max(len(forward.spans), 1) * max(len(forward.sources), 1)
            if self._entries > MOST:
                return
            mistake = self._claims.take(forward)
        if mistake:
            self.add([_error(words, mistake)], line, prefix)
        else:
            self.forwards.append(forward)


def _error(words: Sequence[Word], mistake: Mistake) -> LineError:
    """Return the mistake of the option with this key, or of the listening part, with its column."""
    key, what, advice = mistake
    named = [word.column for word in words[2:] if key and word.text.startswith(f"{key}=")]
    return LineError((named or [words[0].column])[0], what, advice)


def _misfit(line: Forward) -> Mistake | None:
    """Return what does not fit together in a line of right words; None if all does."""
    if len(line.options) == 1 and line.guest and line.ports and not line.is_hosts:  # as most lines are
        return None
    if line.is_hosts:
        return _misfit_of_host(line)
    if not line.guest and not line.to:
        if line.to_ports:
            return "to", f"to={line.options['to']} has no address, and guest= is missing", "add guest=NAME"
        advice = "add guest=NAME, or to=ADDRESS with the address that the guest has on the network"
        return "", f"the line does not say which guest {line.text} is for", advice
    if line.is_whole:
        return _misfit_of_whole(line)
    return _misfit_of_ports(line) or (_misfit_of_any(line) if line.is_any else None)


def _misfit_of_host(line: Forward) -> Mistake | None:
    for key in line.options:
        return key, f"{line.text} stays with the host, so {key}= has no meaning", f"remove {key}="
    if line.is_any:
        advice = "write a line with the address for each address of which the port stays with the host"
        return "", f"{line.prefix} stands for any address, and a port stays with the host at one address", advice
    if line.is_whole:
        what = f"an address stays with the host if no line has it, and {line.text} has no port"
        return "", what, f"write the port that stays with the host, such as {with_ports(line.prefix, [(22, 22)])}"
    return None


def _misfit_of_whole(line: Forward) -> Mistake | None:
    options = line.options
    if line.to_ports:
        here = f"{with_ports(line.prefix, line.to_ports)} for a port"
        advice = f"write to={line.to} for all of it, or {here}" if line.to else f"remove to=, or write {here}"
        return "to", f"to={options['to']} has a port, but the line forwards all of {line.prefix}", advice
    if options.get("outgoing") == YES:
        what = f"outgoing=yes is not needed: what the guest sends leaves as {line.prefix}, a whole address"
        return "outgoing", what, "remove outgoing=yes"
    if line.as_host:
        advice = f"remove as=host, or write ports, such as {with_ports(line.prefix, [(80, 80)])}"
        return "as", f"as=host is for ports, but the line forwards all of {line.prefix}", advice
    return None


def _misfit_of_ports(line: Forward) -> Mistake | None:
    here, there = number_of(line.ports), number_of(line.target_ports)
    if there not in {1, here}:
        begin = line.target_ports[0][0]
        fitting = _target_text(line, min(begin, LAST_PORT - here + 1), here)
        advice = f"write to={fitting}" + (", or one port for all" if here > 1 else "")
        what = f"to={line.options['to']} has {there} port{'s' * (there != 1)}, {ports_text(line.ports)} has {here}"
        return "to", what, advice
    if line.outgoing and there < here:
        what = f"several ports go to port {ports_text(line.target_ports)}, and what it sends can leave from only one"
        return "outgoing", what, "remove outgoing=yes, or write a line for one of the ports"
    return None


def _target_text(line: Forward, begin: int, number: int) -> str:
    """Return to= with as many ports."""
    ports = [(begin, begin + number - 1)]
    return with_ports(parse_prefix(line.to), ports) if line.to else ports_text(ports)


NEEDS_ADDRESS = {
    "from": "from= limits who may use one address",
    "as": "as=host is for the ports of one address",
    "proxy": "proxy= makes the host answer for one address",
}


def _misfit_of_any(line: Forward) -> Mistake | None:
    if line.outgoing:
        what = f"outgoing=yes makes packets leave from one address, and {line.prefix} stands for any"
        return "outgoing", what, f"write the address instead of {line.prefix}"
    for key, what in NEEDS_ADDRESS.items():
        if key in line.options:
            return key, f"{what}, and {line.prefix} stands for any", f"write the address instead of {line.prefix}"
    return None


def beside_routed(forwards: Sequence[Forward], routed_ips: Sequence[RoutedIP]) -> list[tuple[Forward, Problem]]:
    """Return the forwards that cannot be in force beside these routed IPs, each with its problem.

    A port of a routed address may be forwarded. The other ports go to the guest that has the address.
    """
    concerned = [line for line in forwards if line.is_whole or line.is_hosts]
    if not concerned:
        return []
    lines = {routed.prefix: routed for routed in reversed(routed_ips)}
    around = Ordered(disjoint(lines))
    found = []
    for line in concerned:
        prefix = around.around(line.prefix)
        if prefix:
            routed = lines.get(line.prefix) or lines[prefix]
            found.append((line, line.problem(*_beside(line, routed))))
    return found


def _beside(line: Forward, routed: RoutedIP) -> tuple[str, str]:
    where = f"{line.prefix} is routed to network {excerpt(routed.network)}, by {routed.prefix} at {routed.place}"
    if line.is_hosts:
        return f"{where}, so its ports do not stay with the host", "remove the line"
    if routed.prefix == line.prefix:
        return where, f"keep one of the two lines, or forward ports, such as {with_ports(line.prefix, [(80, 80)])}"
    return where, "forward ports of it, or route prefixes without this address"
