"""The file ``routed-ips``: which address or prefix is routed to which network.

Each line has an address or prefix, a network, and options. A wrong line costs only that line, and all mistakes are
reported at once. If two lines have the same prefix, the first one counts.

A foreign file may have millions of mistakes, and libvirt waits. So only the first MOST_PROBLEMS mistakes are explained.
After them, only lines that may be right are read closely, and after MOST_LINES lines nothing is read.
"""

from __future__ import annotations

from nethook.config.options import is_option, may_be_option, name_refusal, read_options
from nethook.config.text import MOST_LINES, MOST_PROBLEMS, LineError, Problem, excerpt, read_lines, split_words
from nethook.prefix import parse_prefix, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.config.text import Line, Place, Word
    from nethook.prefix import Prefix


class RoutedIP:
    """A line of the file: a prefix, the libvirt network it is routed to, its options, and the position of each word.

    ``options`` are by key. Those that much of the program knows have a name of their own.
    """

    __slots__ = (
        *("_line", "_network_column", "_option_columns", "_prefix_column"),
        *("guest", "network", "options", "prefix", "proxy", "via"),
    )

    def __init__(self, prefix: Prefix, line: Line, words: Sequence[Word], options: Mapping[str, str]) -> None:
        """Make a routed IP of the ``words`` of a line; the first two are prefix and network."""
        self._line = line
        self._prefix_column = words[0].column
        self._network_column = words[1].column
        self._option_columns = {word.text.partition("=")[0]: word.column for word in words[2:]}
        self.prefix = prefix
        self.network = words[1].text
        self.options = options
        self.guest = options.get("guest")
        """The name of the guest that the prefix is bound to, or None."""
        self.via = options.get("via")
        """The address of the next hop, or None."""
        self.proxy = options.get("proxy")
        """The uplink on which the host answers for the prefix, or None."""

    @property
    def mac(self) -> str | None:
        """The MAC address of the guest's NIC, or None."""
        return self.options.get("mac")

    @property
    def place(self) -> Place:
        """The position of the prefix."""
        return self._line.place(self._prefix_column)

    def problem(self, what: str, advice: str) -> Problem:
        """Return a problem of the prefix."""
        return self._line.problem(LineError(self._prefix_column, what, advice), self.prefix)

    def problem_of_network(self, what: str, advice: str) -> Problem:
        """Return a problem of the network."""
        return self._line.problem(LineError(self._network_column, what, advice), self.prefix)

    def problem_of_option(self, key: str, what: str, advice: str) -> Problem:
        """Return a problem of one of the options."""
        return self._line.problem(LineError(self._option_columns[key], what, advice), self.prefix)

    def __repr__(self) -> str:
        return f"RoutedIP({self.prefix}, {self.network!r}, {self.place})"


MOST = 100_000
"""The most addresses and prefixes. With more, reading alone takes longer than an event may."""


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
    """Reads line after line, and collects routed IPs and problems."""

    def __init__(self) -> None:
        self._routed_ips: dict[str, RoutedIP] = {}
        self._problems: list[Problem] = []
        self._unexplained = 0
        self._first_unexplained: Place | None = None

    def read(self, line: Line) -> None:
        """Read one line, which may be empty."""
        try:
            words = split_words(line.text)
        except LineError as error:
            self._add([error], line)
        else:
            if words and self._has_to_be_read(words, line):
                self._read_words(line, words)

    @property
    def is_too_full(self) -> bool:
        """True if there are more addresses than can be in force."""
        return len(self._routed_ips) > MOST

    def refuse_the_rest(self, line: Line) -> None:
        """Drop this line, and report it and all after it as one problem, which may be about any prefix."""
        del self._routed_ips[next(reversed(self._routed_ips))]
        what = f"this line and all after it are ignored: at most {MOST} addresses and prefixes can be in force"
        advice = "write prefixes instead of single addresses, or move some of them to another host"
        self._problems.append(line.problem(LineError(1, what, advice)))

    def stop(self, line: Line) -> None:
        """Report the line after MOST_LINES, which holds the rest of its file."""
        what = f"the files have more than {MOST_LINES:,} lines; from here on they are not read"
        self._problems.append(Problem(line.place(1), what, "remove lines that are not yours"))

    def result(self) -> tuple[list[RoutedIP], list[Problem]]:
        """Return the routed IPs, and the problems."""
        if self._first_unexplained:  # a problem without a prefix, because the counted lines may be about any prefix
            what = f"{self._unexplained:,} more mistakes, from here on"
            advice = "correct the mistakes above first"
            self._problems.append(Problem(self._first_unexplained, what, advice, mistakes=self._unexplained))
        return list(self._routed_ips.values()), self._problems

    def _has_to_be_read(self, words: list[Word], line: Line) -> bool:
        """Return whether to read the line: it may be right, or its mistake will be explained. Otherwise count it."""
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
            self._routed_ips[prefix.text] = RoutedIP(prefix, line, words, options)
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


def _behind_network(words: list[Word], errors: list[LineError]) -> list[Word]:
    """Check the network, append its mistake to ``errors``, and return the words after it."""
    if len(words) == 1:
        advice = "write the name of the libvirt network after the address"
        errors.append(LineError(words[0].end, "the network is missing", advice))
    elif is_option(words[1:]):
        advice = f"write its name before {excerpt(words[1].source)}; a network with that very name needs quotes"
        errors.append(LineError(words[1].column, "the network is missing", advice))
        return words[1:]
    else:
        reason = name_refusal(words[1].text, "network")
        if reason:
            errors.append(LineError(words[1].column, *reason))
    return words[2:]
