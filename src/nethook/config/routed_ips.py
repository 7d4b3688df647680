"""The file ``routed-ips``: which address or prefix is routed to which network.

One line each: address or prefix, network, options. A wrong line costs that line and no other, and everything
that is wrong is told at once. Where a prefix stands twice, the first line counts.
"""

from __future__ import annotations

from nethook.config.lines import LineError, read_lines
from nethook.config.name import name_refusal
from nethook.config.options import is_option, read_options
from nethook.config.problem import excerpt
from nethook.config.unroutable import unroutable_kind
from nethook.config.words import split_words
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.lines import Line
    from nethook.config.problem import Place, Problem
    from nethook.config.words import Word
    from nethook.prefix import Prefix


class RoutedIP:
    """A line of the file: a prefix, the libvirt network it is routed to, options; where each word stands.

    ``guest`` is the name of the guest that it is bound to, ``mac`` which of its NICs that is, ``via`` the address
    of the next hop behind which it lies; each None without the option.
    """

    __slots__ = (
        *("_line", "_network_column", "_option_columns", "_prefix_column"),
        *("guest", "mac", "network", "prefix", "proxy", "via"),
    )

    def __init__(
        self,
        prefix: Prefix,
        line: Line,
        words: Sequence[Word],
        *,
        guest: str | None = None,
        mac: str | None = None,
        via: str | None = None,
        proxy: str | None = None,
    ) -> None:
        """``words`` are those of the line; the first two are prefix and network."""
        self._line = line
        self._prefix_column = words[0].column
        self._network_column = words[1].column
        self._option_columns = {word.text.partition("=")[0]: word.column for word in words[2:]}
        self.prefix = prefix
        self.network = words[1].text
        self.guest = guest
        self.mac = mac
        self.via = via
        self.proxy = proxy

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self._line.place(self._prefix_column)

    def problem(self, what: str, advice: str) -> Problem:
        """Something wrong with the prefix."""
        return self._line.problem(LineError(self._prefix_column, what, advice), self.prefix)

    def problem_of_network(self, what: str, advice: str) -> Problem:
        """Something wrong with the network."""
        return self._line.problem(LineError(self._network_column, what, advice), self.prefix)

    def problem_of_option(self, key: str, what: str, advice: str) -> Problem:
        """Something wrong with one of its options."""
        return self._line.problem(LineError(self._option_columns[key], what, advice), self.prefix)

    def __repr__(self) -> str:
        return f"RoutedIP({self.prefix}, {self.network!r}, {self.place})"


MOST = 100_000
"""Addresses and prefixes; with more, reading alone takes longer than an event may."""


def parse_routed_ips(sources: Iterable[tuple[str, bytes]]) -> tuple[list[RoutedIP], list[Problem]]:
    """The routed IPs of all files, in order, and all problems. A source is a file's name and content."""
    reader = _Reader()
    for file, data in sources:
        for line in read_lines(file, data):
            reader.read(line)
            if len(reader.routed_ips) > MOST:
                reader.refuse_the_rest(line)
                return list(reader.routed_ips.values()), reader.problems
    return list(reader.routed_ips.values()), reader.problems


class _Reader:
    """Takes line after line; ``routed_ips`` has what is right so far, by the text of the prefix."""

    def __init__(self) -> None:
        self.routed_ips: dict[str, RoutedIP] = {}
        self.problems: list[Problem] = []

    def read(self, line: Line) -> None:
        """Take one line, which may be empty."""
        try:
            words = split_words(line.text)
        except LineError as error:
            self.problems.append(line.problem(error))
        else:
            if words:
                self._read_words(line, words)

    def refuse_the_rest(self, line: Line) -> None:
        """Take back this line; this and all behind it are one problem, that is about any prefix."""
        del self.routed_ips[next(reversed(self.routed_ips))]
        what = f"this line and those behind it are left out: at most {MOST} addresses and prefixes can be in force"
        advice = "write prefixes in the place of single addresses, or use another host for the rest"
        self.problems.append(line.problem(LineError(1, what, advice)))

    def _read_words(self, line: Line, words: list[Word]) -> None:
        errors: list[LineError] = []
        prefix = _read_prefix(words[0], errors)
        if prefix and prefix.text in self.routed_ips:
            first = self.routed_ips[prefix.text]
            what = f"{prefix} is already at {first.place}" + (f", for guest {first.guest}" if first.guest else "")
            errors.append(LineError(words[0].column, what, "keep one of the two lines"))
        options = read_options(_behind_network(words, errors), prefix, errors)
        if prefix and not errors:
            self.routed_ips[prefix.text] = RoutedIP(prefix, line, words, **options)
        else:
            self.problems.extend(line.problem(error, prefix) for error in errors)


def _read_prefix(word: Word, errors: list[LineError]) -> Prefix | None:
    """The prefix that the word is, if it can be routed to a guest."""
    try:
        prefix = parse_prefix(word.text)
        if not unroutable_kind(prefix):
            return prefix
    except ValueError:
        pass
    from nethook.config.refusal import refusal  # noqa: PLC0415 - half as large as all others, seldom needed

    errors.append(LineError(word.column, *refusal(word.text)))
    return None


def _behind_network(words: list[Word], errors: list[LineError]) -> list[Word]:
    """The words behind the network, which is checked."""
    if len(words) == 1:
        advice = "write the name of the libvirt network behind the address"
        errors.append(LineError(words[0].end, "the network is missing", advice))
    elif is_option(words[1]):
        advice = f"write its name before {excerpt(words[1].source)}; a network called so needs quotes"
        errors.append(LineError(words[1].column, "the network is missing", advice))
        return words[1:]
    else:
        reason = name_refusal(words[1].text, "network")
        if reason:
            errors.append(LineError(words[1].column, *reason))
    return words[2:]
