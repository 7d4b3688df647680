"""The file ``routed-ips``: which address or prefix is routed to which network.

Each line has an address or prefix, a network, and options. A wrong line costs only that line, and all mistakes are
reported at once. If two lines have the same prefix, the first one counts.
"""

from __future__ import annotations

from nethook.config.options import OPTIONS, behind_network, may_be_option, read_options
from nethook.config.text import Entry, LineError, Reader
from nethook.prefix import parse_prefix, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.config.text import Line, Problem, Source, Word
    from nethook.prefix import Prefix


class RoutedIP(Entry):
    """A line of the file: a prefix, the libvirt network it is routed to, its options, and the position of each word."""

    __slots__ = ("via",)

    def __init__(self, prefix: Prefix, line: Line, words: Sequence[Word], options: Mapping[str, str]) -> None:
        """Make a routed IP of the ``words`` of a line; the first two are prefix and network."""
        super().__init__(prefix, line, words, options)
        self.via = options.get("via")
        """The address of the next hop, or None."""


MOST = 100_000
"""The most addresses and prefixes. With more, reading alone takes longer than an event may."""


def parse_routed_ips(sources: Iterable[Source]) -> tuple[list[RoutedIP], list[Problem]]:
    """Return the routed IPs of all files, in order, and the problems. A source is a file's name and content."""
    reader = _Reader()
    problems = reader.read(sources)
    return list(reader.routed_ips.values()), problems


class _Reader(Reader):
    """Collects routed IPs."""

    def __init__(self) -> None:
        super().__init__()
        self.routed_ips: dict[str, RoutedIP] = {}

    def why_too_full(self) -> tuple[str, str] | None:
        """Return why there are more addresses than can be in force."""
        if len(self.routed_ips) <= MOST:
            return None
        del self.routed_ips[next(reversed(self.routed_ips))]
        advice = "write prefixes instead of single addresses, or move some of them to another host"
        return f"at most {MOST} addresses and prefixes can be in force", advice

    def may_be_right(self, words: list[Word]) -> bool:
        """Return whether the line has a new prefix, and seems to have a network and options."""
        try:
            prefix = parse_prefix(words[0].text)
        except ValueError:
            return False
        is_new = prefix.text not in self.routed_ips
        return len(words) > 1 and is_new and all(may_be_option(word, OPTIONS) for word in words[2:])

    def read_words(self, line: Line, words: list[Word]) -> None:
        """Add the routed IP of this line, or its mistakes."""
        errors: list[LineError] = []
        prefix = _read_prefix(words[0], errors)
        if prefix and prefix.text in self.routed_ips:
            first = self.routed_ips[prefix.text]
            what = f"{prefix} is already at {first.place}" + (f", for guest {first.guest}" if first.guest else "")
            errors.append(LineError(words[0].column, what, "keep one of the two lines"))
        options = read_options(behind_network(words, OPTIONS, errors), OPTIONS, prefix, errors)
        if prefix and not errors:
            self.routed_ips[prefix.text] = RoutedIP(prefix, line, words, options)
        else:
            self.add(errors, line, prefix)


def _read_prefix(word: Word, errors: list[LineError]) -> Prefix | None:
    """Return the word as a prefix, if it can be routed to a guest. Otherwise append the reason to ``errors``."""
    try:
        prefix = parse_prefix(word.text)
        if not unroutable_kind(prefix):
            return prefix
    except ValueError:
        pass
    from nethook.config.refusal import refusal  # noqa: PLC0415 - half as large as all other modules of this room, and seldom needed

    errors.append(LineError(word.column, *refusal(word.text)))
    return None
