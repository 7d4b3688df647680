r"""How a line divides into words. The same in all files of this program.

- Words are separated by spaces and tabs.
- ``#`` at the beginning of a word starts a comment. Within a word it is part of the word, because libvirt
  allows it in names: ``lan#2``.
- A word, or what follows its ``=``, may be in double quotes: ``"my network"``, ``guest="web 1"``. Within
  quotes, ``\"`` is a quote and ``\\`` a backslash; outside, a backslash is a character like others.
- What a comment says is never looked at: it may be in whatever encoding.
"""

from __future__ import annotations

from nethook.config.lines import LineError

# Nobody writes such a line; a file that is none of ours could have a million errors in one.
LONGEST_LINE = 4096
QUOTE = '"'
# A carriage return too: one is left where the last line of a file has no line feed.
WHITE = (" ", "\t", "\r")


class Word:
    """A word of a line: the column where it begins, its text, and its source as it stands in the line."""

    __slots__ = ("column", "source", "text")

    def __init__(self, column: int, text: str, source: str) -> None:
        self.column = column
        self.text = text
        self.source = source

    @property
    def end(self) -> int:
        """The column behind the word."""
        return self.column + len(self.source)

    @property
    def is_quoted(self) -> bool:
        """Whether any part of it is in quotes."""
        return self.source != self.text


def split_words(text: str) -> list[Word]:
    """The words of a line, up to a comment; LineError where quotes are wrong or a word is not UTF-8."""
    if len(text) > LONGEST_LINE:
        what = f"the line is longer than {LONGEST_LINE} characters"
        raise LineError(LONGEST_LINE + 1, what, "divide it, or look whether this is the right file")
    # The same columns with one kind of white space, some of it behind each word: finding beats stepping.
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
    """How the text is written as a quoted word."""
    escaped = text.replace("\\", "\\\\").replace(QUOTE, "\\" + QUOTE)
    return QUOTE + escaped + QUOTE


def _word_at(text: str, start: int, end: int) -> Word:
    """The word that begins at ``start`` and ends at ``end``, or later if it has quotes."""
    bare = text[start:end]
    word = _quoted_word(text, start, bare) if QUOTE in bare else Word(start + 1, bare, bare)
    if not word.source.isascii():
        _refuse_bad_bytes(word)
    return word


def _quoted_word(text: str, start: int, bare: str) -> Word:
    """The word that begins at ``start``; ``bare`` is what it would be without a meaning of quotes."""
    unquoted = bare[: bare.index(QUOTE)]
    opening = start + len(unquoted)
    if unquoted and not unquoted.endswith("="):
        raise LineError(opening + 1, "a quote within a word", f"write {in_quotes(bare)}")
    inside, end = _inside_quotes(text, opening)
    if end < len(text) and text[end] not in WHITE:
        raise LineError(end + 1, "no space behind the closing quote", 'write a space, or \\" for a quote in a name')
    return Word(start + 1, unquoted + inside, text[start:end])


def _inside_quotes(text: str, opening: int) -> tuple[str, int]:
    """What the quotes contain, and the index behind the closing one."""
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
