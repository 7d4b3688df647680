r"""A file → its lines → their words, and a mistake in it: what is wrong, where, and what to write instead.

The same for all our files, whatever editor or system a file comes from:

- Words are separated by spaces and tabs.
- ``#`` at the beginning of a word starts a comment. Within a word it is part of the word, because libvirt
  allows it in names: ``lan#2``.
- A word, or the part of it after ``=``, may be in double quotes: ``"my network"``, ``guest="web 1"``. Within
  quotes, ``\"`` is a quote and ``\\`` a backslash; outside, a backslash is an ordinary character.
- A comment may be in any encoding. A byte elsewhere that is not UTF-8 is a mistake of its line alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Union

    from nethook.prefix import Prefix

    Content = Union[bytes, Mapping[int, str]]
    """Of a file: all of it, or some of its lines, by their numbers."""
    Source = tuple[str, Content]
    """The name of a file, and its content."""

# Longer than any address or option with a typing error, and short enough for a line of syslog.
_EXCERPT = 60
# A typing error is in a short word, and comparing takes quadratic time.
_LONGEST_WORD = 40


class Place:
    """A position in a file. Line and column count from 1, in characters; line 0 is the whole file."""

    __slots__ = ("column", "file", "line")

    def __init__(self, file: str, line: int = 0, column: int = 0) -> None:
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem:
    """One mistake in a file that a person should correct.

    ``text`` is the source line, for a caret below ``place.column``; it is empty for a whole file. ``prefix`` is the
    prefix of the line, None if it has none that can be read. ``mistakes`` is the number of mistakes it stands for.
    """

    __slots__ = ("advice", "mistakes", "place", "prefix", "text", "what")

    def __init__(
        self, place: Place, what: str, advice: str, text: str = "", prefix: Prefix | None = None, *, mistakes: int = 1
    ) -> None:
        self.place = place
        self.what = what
        self.advice = advice
        self.text = text
        self.prefix = prefix
        self.mistakes = mistakes

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.what}; {self.advice}")


def excerpt(text: str) -> str:
    """Return the beginning of a text out of a file, for use within a sentence."""
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def one_line(text: str) -> str:
    """Return the text with all characters escaped that could break or forge a line of a log."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def some(texts: Sequence[str], most: int) -> str:
    """Return the first of these texts, as many as ``most``, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return advice that names the known word nearest to this one, or all known words if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - costs 5 ms, and only problems need it

    near = get_close_matches(word[:_LONGEST_WORD].lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from: {', '.join(known)}"


BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MOST_LINES = 200_000
"""No more lines than this are read: each takes a few microseconds, and libvirt waits for the hook."""
MOST_PROBLEMS = 1000
"""Further mistakes are only counted."""
# Nobody writes a longer line, and a foreign file could have a million mistakes in one.
LONGEST_LINE = 4096
QUOTE = '"'
# Also a carriage return, which remains if the last line of a file has no line feed.
WHITE = (" ", "\t", "\r")


class LineError(Exception):
    """A mistake at a column of a line. Whoever catches it knows the line and the file."""

    def __init__(self, column: int, what: str, advice: str) -> None:
        super().__init__(what)
        self.column = column
        self.what = what
        self.advice = advice


class Line:
    """One line of a file. A byte that is not UTF-8 is a lone surrogate in its text, and so spoils no other line."""

    __slots__ = ("file", "number", "text")

    def __init__(self, file: str, number: int, text: str) -> None:
        self.file = file
        self.number = number
        self.text = text

    def place(self, column: int) -> Place:
        """Return the position of a column of this line."""
        return Place(self.file, self.number, column)

    def problem(self, error: LineError, prefix: Prefix | None = None) -> Problem:
        """Return the problem of this line for the error; ``prefix`` is the prefix of the line, if known."""
        # Lone surrogates cannot be printed; each becomes one '?', which keeps the columns.
        text = self.text.encode("utf-8", "replace").decode()
        return Problem(self.place(error.column), error.what, error.advice, text, prefix)


def read_lines(file: str, data: Content, most: int = MOST_LINES) -> Iterator[Line]:
    """Yield the lines of the file, without line ends and byte-order mark.

    After the first ``most`` lines, the rest of the file is yielded as one line. Of some lines by their numbers, all are
    yielded.
    """
    if not isinstance(data, bytes):
        yield from (Line(file, number, text) for number, text in data.items())
        return
    if data.startswith(BYTE_ORDER_MARK):
        data = data[len(BYTE_ORDER_MARK) :]
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n", most), start=1):
        yield Line(file, number, line)


class Entry:
    """A right line of a file that lists addresses: its address or prefix, network, options, and where each of them is.

    ``options`` are by key. Those that much of the program knows have a name of their own.
    """

    __slots__ = (
        *("_line", "_words"),
        *("guest", "network", "options", "prefix", "proxy"),
    )

    is_hosts: bool = False
    """True if the line names no network, because its ports stay with the host."""

    def __init__(self, prefix: Prefix, line: Line, words: Sequence[Word], options: Mapping[str, str]) -> None:
        """Make an entry of the ``words`` of a line; the second is the network, and options follow."""
        self._line = line
        self._words = words
        self.prefix = prefix
        self.network = words[1].text
        self.options = options
        self.guest = options.get("guest")
        """The name of the guest that the line is for, or None."""
        self.proxy = options.get("proxy")
        """The uplink on which the host answers for the prefix, or None."""

    @property
    def mac(self) -> str | None:
        """The MAC address of the guest's NIC, or None."""
        return self.options.get("mac")

    @property
    def text(self) -> str:
        """The first word of the line in its canonical spelling: what the line is about."""
        return self.prefix.text

    @property
    def key(self) -> str:
        """The text that tells it from all other right lines of its file."""
        return self.text

    @property
    def source(self) -> Line:
        """The line of the file as it is written."""
        return self._line

    @property
    def written(self) -> list[str]:
        """The words of the line as they are written, with their quotes."""
        return [word.source for word in self._words]

    @property
    def place(self) -> Place:
        """The position of the address or prefix."""
        return self._line.place(self._words[0].column)

    def problem(self, what: str, advice: str) -> Problem:
        """Return a problem of the address or prefix."""
        return self._line.problem(LineError(self._words[0].column, what, advice), self.prefix)

    def problem_of_network(self, what: str, advice: str) -> Problem:
        """Return a problem of the network."""
        return self._line.problem(LineError(self._words[1].column, what, advice), self.prefix)

    def problem_of_option(self, key: str, what: str, advice: str) -> Problem:
        """Return a problem of one of the options."""
        column = next(word.column for word in self._words[2:] if word.text.startswith(f"{key}="))
        return self._line.problem(LineError(column, what, advice), self.prefix)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prefix}, {self.network!r}, {self.place})"


class Reader:
    """Reads the lines of files one by one, and collects what they say and their problems.

    A foreign file may have millions of mistakes, and libvirt waits. So only the first MOST_PROBLEMS mistakes are
    explained. After them, only lines that may be right are read closely, and after MOST_LINES lines nothing is read.

    A class derived from this one knows what the words of a line mean.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._unexplained = 0
        self._first_unexplained: Place | None = None

    def read_words(self, line: Line, words: list[Word]) -> None:
        """Take over what the words of the line say, or ``add`` its mistakes."""
        raise NotImplementedError

    def may_be_right(self, words: list[Word]) -> bool:
        """Return False if the line is certainly wrong. This must be cheap."""
        raise NotImplementedError

    def why_too_full(self) -> tuple[str, str] | None:
        """Return why the line that was read last is one too many, and what to do; None if it is not.

        Such a line must not count, and no line after it is read.
        """
        raise NotImplementedError

    def read(self, sources: Iterable[Source]) -> list[Problem]:
        """Read all files, and return the problems. A source is a file's name and content.

        Of more than MOST_PROBLEMS problems, the last one says how many there are.
        """
        self._read(sources)
        if self._first_unexplained:  # a problem without a prefix, because the counted lines may be about any prefix
            what = f"{self._unexplained:,} more mistakes, from here on"
            advice = "correct the mistakes above first"
            self._problems.append(Problem(self._first_unexplained, what, advice, mistakes=self._unexplained))
        return self._problems

    def add(self, errors: Iterable[LineError], line: Line, prefix: Prefix | None = None) -> None:
        """Add the mistakes of a line, whose prefix is this one, if known."""
        for error in errors:
            if len(self._problems) < MOST_PROBLEMS:
                self._problems.append(line.problem(error, prefix))
            else:
                self._count(line)

    def _read(self, sources: Iterable[Source]) -> None:
        left = MOST_LINES
        for file, data in sources:
            for line in read_lines(file, data, left):
                if left:
                    left -= 1
                    self._read_line(line)
                    full = self.why_too_full()
                    if full:
                        what = f"this line and all after it are ignored: {full[0]}"
                        self._problems.append(line.problem(LineError(1, what, full[1])))
                        return
                elif line.text.strip():  # the line after MOST_LINES, which holds the rest of its file
                    what = f"the files have more than {MOST_LINES:,} lines; from here on they are not read"
                    self._problems.append(Problem(line.place(1), what, "remove lines that are not yours"))
                    return

    def _read_line(self, line: Line) -> None:
        try:
            words = split_words(line.text)
        except LineError as error:
            self.add([error], line)
            return
        if words:
            if len(self._problems) < MOST_PROBLEMS or self.may_be_right(words):
                self.read_words(line, words)
            else:
                self._count(line)

    def _count(self, line: Line) -> None:
        self._unexplained += 1
        self._first_unexplained = self._first_unexplained or line.place(1)


class Word:
    """A word of a line: the column of its beginning, its text, and its source, which may have quotes."""

    __slots__ = ("column", "source", "text")

    def __init__(self, column: int, text: str, source: str) -> None:
        self.column = column
        self.text = text
        self.source = source

    @property
    def end(self) -> int:
        """The column after the word."""
        return self.column + len(self.source)

    @property
    def is_quoted(self) -> bool:
        """True if a part of the word is in quotes."""
        return self.source != self.text


def split_words(text: str) -> list[Word]:
    """Return the words of a line, up to a comment. LineError if quotes are wrong or a word is not UTF-8."""
    if len(text) > LONGEST_LINE:
        what = f"the line is longer than {LONGEST_LINE} characters"
        raise LineError(LONGEST_LINE + 1, what, "split it, or check that this is the right file")
    # The same columns with one kind of white space, and some of it after each word: searching beats stepping.
    spaced = text.replace("\t", " ").replace("\r", " ") + " "
    words = []
    at = 0
    while at < len(text):
        if spaced[at] == " ":
            at += 1
        elif spaced[at] == "#":
            break
        else:
            word = _word_at(text, at, spaced.index(" ", at))
            words.append(word)
            at += len(word.source)
    return words


def in_quotes(text: str) -> str:
    """Return the text as a quoted word."""
    escaped = text.replace("\\", "\\\\").replace(QUOTE, "\\" + QUOTE)
    return QUOTE + escaped + QUOTE


def _word_at(text: str, start: int, end: int) -> Word:
    """Return the word that begins at ``start`` and ends at ``end``, or later if it has quotes."""
    bare = text[start:end]
    word = _quoted_word(text, start, bare) if QUOTE in bare else Word(start + 1, bare, bare)
    if not word.source.isascii():
        _refuse_bad_bytes(word)
    return word


def _quoted_word(text: str, start: int, bare: str) -> Word:
    """Return the word with quotes that begins at ``start``; ``bare`` is its text up to the next white space."""
    unquoted = bare[: bare.index(QUOTE)]
    opening = start + len(unquoted)
    if unquoted and not unquoted.endswith("="):
        raise LineError(opening + 1, "there is a quote within a word", f"write {in_quotes(bare)}")
    inside, end = _inside_quotes(text, opening)
    if end < len(text) and text[end] not in WHITE:
        raise LineError(end + 1, "there is no space after the closing quote", 'add a space, or write \\" for a quote')
    return Word(start + 1, unquoted + inside, text[start:end])


def _inside_quotes(text: str, opening: int) -> tuple[str, int]:
    """Return the text within the quotes, and the index after the closing quote."""
    inside: list[str] = []
    at = opening + 1
    while at < len(text):
        if text[at] == QUOTE:
            return "".join(inside), at + 1
        if text[at] == "\\" and text[at + 1 : at + 2] in (QUOTE, "\\"):
            at += 1
        inside.append(text[at])
        at += 1
    raise LineError(opening + 1, "the quote is not closed", f"write {QUOTE} at the end of the name")


def _refuse_bad_bytes(word: Word) -> None:
    for column, char in enumerate(word.source, start=word.column):
        if "\udc80" <= char <= "\udcff":
            byte = ord(char) & 0xFF
            raise LineError(column, f"the byte 0x{byte:02x} is not UTF-8", "save the file as UTF-8")
