"""What is wrong in a file, where, and what to write instead."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.net.prefix import Prefix


# Longer than any address or option that is nearly right, short enough for a line of syslog.
_EXCERPT = 60
# A typing error is in a short word, and comparing takes quadratic time.
_LONGEST_WORD = 40


class Place:
    """A position in a file; line and column count from 1, in characters. Line 0 stands for the whole file."""

    __slots__ = ("column", "file", "line")

    def __init__(self, file: str, line: int = 0, column: int = 0) -> None:
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem:
    """One thing that the person who wrote the file has to mend.

    ``text`` is the source line, to show a caret below ``place.column``; it is empty for a whole file.
    ``prefix`` is the prefix that the line is about, None where that cannot be told. ``mistakes`` is how many it stands
    for.
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
    """The beginning of something that people wrote, for use within a sentence."""
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def one_line(text: str) -> str:
    """The text with everything escaped that could break or forge a line of a log."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def suggestion(word: str, known: Sequence[str]) -> str:
    """Advice that names the known word nearest to this one, or all of them where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms, only where there is something to say

    near = get_close_matches(word[:_LONGEST_WORD].lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"write one of: {', '.join(known)}"
