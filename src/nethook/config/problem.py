"""A mistake in a file: what is wrong, where, and what to write instead."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.net import Prefix


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


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return advice that names the known word nearest to this one, or all known words if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - costs 5 ms, and only problems need it

    near = get_close_matches(word[:_LONGEST_WORD].lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from: {', '.join(known)}"
