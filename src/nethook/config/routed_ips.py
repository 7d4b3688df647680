"""The file ``routed-ips``: which address or prefix is routed to which network.

One line each: address or prefix, network, options. A wrong line costs that line and no other, and everything
that is wrong is told at once. Where a prefix stands twice, the first line counts.

A file that is none of ours may hold millions of mistakes, and libvirt waits. So only the first mistakes are explained,
behind them only those lines are looked at closely that may be right, and behind MOST_LINES nothing is read.
"""

from __future__ import annotations

from nethook.config.options import is_option, may_be_option, name_refusal, read_options
from nethook.config.problem import Problem, excerpt
from nethook.config.text import MOST_LINES, MOST_PROBLEMS, LineError, read_lines, split_words
from nethook.config.unroutable import unroutable_kind
from nethook.net.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.problem import Place
    from nethook.config.text import Line, Word
    from nethook.net.prefix import Prefix


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
    """Return the routed IPs of all files, in order, and the problems. A source is a file's name and content.

    Of more than MOST_PROBLEMS problems, the last one says how many there are.
    """
    reader = _Reader()
    left = MOST_LINES
    for file, data in sources:
        for line in read_lines(file, data, left):
            if left:
                left -= 1
                reader.read(line)
                if reader.is_too_full:
                    reader.refuse_the_rest(line)
                    return reader.result()
            elif line.text.strip():
                reader.stop(line)
                return reader.result()
    return reader.result()


class _Reader:
    """Takes line after line; ``routed_ips`` has what is right so far, by the text of the prefix."""

    def __init__(self) -> None:
        self._routed_ips: dict[str, RoutedIP] = {}
        self._problems: list[Problem] = []
        self._unexplained = 0
        self._first_unexplained: Place | None = None

    def read(self, line: Line) -> None:
        """Take one line, which may be empty."""
        try:
            words = split_words(line.text)
        except LineError as error:
            self._add([error], line)
        else:
            if words and self._has_to_be_read(words, line):
                self._read_words(line, words)

    @property
    def is_too_full(self) -> bool:
        """Whether there are more addresses than can be in force."""
        return len(self._routed_ips) > MOST

    def refuse_the_rest(self, line: Line) -> None:
        """Take back this line; this and all behind it are one problem, that is about any prefix."""
        del self._routed_ips[next(reversed(self._routed_ips))]
        what = f"this line and those behind it are left out: at most {MOST} addresses and prefixes can be in force"
        advice = "write prefixes in the place of single addresses, or use another host for the rest"
        self._problems.append(line.problem(LineError(1, what, advice)))

    def stop(self, line: Line) -> None:
        """Take the line behind MOST_LINES, which is all that is left of its file."""
        what = f"the files have more than {MOST_LINES:,} lines, and what follows is not read"
        self._problems.append(Problem(line.place(1), what, "remove what is not a line of yours"))

    def result(self) -> tuple[list[RoutedIP], list[Problem]]:
        """Return the routed IPs, and the problems."""
        if self._first_unexplained:  # without a prefix: the lines that are only counted may be about any
            what = f"{self._unexplained:,} more mistakes, from here on"
            advice = "correct those before it first"
            self._problems.append(Problem(self._first_unexplained, what, advice, mistakes=self._unexplained))
        return list(self._routed_ips.values()), self._problems

    def _has_to_be_read(self, words: list[Word], line: Line) -> bool:
        """Return whether the line may be right, or its mistake is to be explained; otherwise count it."""
        if len(self._problems) < MOST_PROBLEMS or self._may_be_right(words):
            return True
        self._count(line)
        return False

    def _may_be_right(self, words: list[Word]) -> bool:
        try:
            prefix = parse_prefix(words[0].text)
        except ValueError:
            return False
        return len(words) > 1 and prefix.text not in self._routed_ips and all(map(may_be_option, words[2:]))

    def _read_words(self, line: Line, words: list[Word]) -> None:
        errors: list[LineError] = []
        prefix = _read_prefix(words[0], errors)
        if prefix and prefix.text in self._routed_ips:
            first = self._routed_ips[prefix.text]
            what = f"{prefix} is already at {first.place}" + (f", for guest {first.guest}" if first.guest else "")
            errors.append(LineError(words[0].column, what, "keep one of the two lines"))
        options = read_options(_behind_network(words, errors), prefix, errors)
        if prefix and not errors:
            self._routed_ips[prefix.text] = RoutedIP(prefix, line, words, **options)
        else:
            self._add(errors, line, prefix)

    def _add(self, errors: list[LineError], line: Line, prefix: Prefix | None = None) -> None:
        for error in errors:
            if len(self._problems) < MOST_PROBLEMS:
                self._problems.append(line.problem(error, prefix))
            else:
                self._count(line)

    def _count(self, line: Line) -> None:
        self._unexplained += 1
        self._first_unexplained = self._first_unexplained or line.place(1)


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
    elif is_option(words[1:]):
        advice = f"write its name before {excerpt(words[1].source)}; a network called so needs quotes"
        errors.append(LineError(words[1].column, "the network is missing", advice))
        return words[1:]
    else:
        reason = name_refusal(words[1].text, "network")
        if reason:
            errors.append(LineError(words[1].column, *reason))
    return words[2:]
