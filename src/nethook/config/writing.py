"""Words → a line of a file, and the content of a file with a line more or less; all else stays byte by byte.

The counterpart of ``text.py``, which reads them. No event needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import BYTE_ORDER_MARK, QUOTE, WHITE, LineError, in_quotes, split_words

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE_FEED, CARRIAGE_RETURN = b"\n", b"\r"


def line_of(words: Sequence[str]) -> str:
    """Return the line of these words, each as it stands in a file: the address, the network, and options."""
    return "  ".join([*words[:2], *([" ".join(words[2:])] if words[2:] else [])])


def name_word(name: str) -> str:
    """Return a name as a word of a line."""
    needs_quotes = (
        not name or any(char in name for char in (*WHITE, QUOTE, "=", ",")) or name.startswith(("#", "-", ":", "/"))
    )
    return in_quotes(name) if needs_quotes else name


def typed_word(typed: str) -> str:
    """Return a word of a command line as a word of a line: in quotes where it needs them, unless it has them already.

    ValueError if it has a line break, which no word of a line can have.
    """
    if "\n" in typed:
        raise ValueError("a word with a line break")
    if _is_one_word(typed):
        return typed
    key, equals, value = typed.partition("=")
    return f"{key}={in_quotes(value)}" if equals and _is_one_word(key) else in_quotes(typed)


def _is_one_word(text: str) -> bool:
    try:
        return [word.source for word in split_words(text)] == [text]
    except LineError:
        return False


def appended(data: bytes, lines: Sequence[str]) -> bytes:
    """Return the content with these lines at its end. They end as its last line does; one without an end gets it."""
    end = _end_of_lines(data)
    is_open = data.removeprefix(BYTE_ORDER_MARK) != b"" and not data.endswith(LINE_FEED)
    new = [line.encode("utf-8", "surrogateescape") + end for line in lines]
    return b"".join([data, end if is_open and lines else b"", *new])


def _end_of_lines(data: bytes) -> bytes:
    before = data[: max(data.rfind(LINE_FEED), 0)]
    return CARRIAGE_RETURN + LINE_FEED if before.endswith(CARRIAGE_RETURN) else LINE_FEED


def number_of_lines(data: bytes) -> int:
    """Return how many lines the content has. What comes after the last line end is one, unless it is empty."""
    return len(_lines(data))


def without_line(data: bytes, number: int, *, keeps_numbers: bool = False) -> bytes:
    """Return the content without a line, whose number counts from 1.

    With ``keeps_numbers``, an empty line stays there, so that all other lines have their numbers.
    """
    lines = _lines(data)
    line = lines[number - 1]
    mark = BYTE_ORDER_MARK if number == 1 and line.startswith(BYTE_ORDER_MARK) else b""
    end = LINE_FEED if keeps_numbers and line.endswith(LINE_FEED) else b""
    return b"".join([*lines[: number - 1], mark, end, *lines[number:]])


def with_line(data: bytes, number: int, line: str) -> bytes:
    """Return the content with the words of a line, whose number counts from 1, replaced. Its comment stays."""
    lines = _lines(data)
    old = lines[number - 1].removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    body = old.rstrip("\r\n")
    try:
        words = split_words(body)
        kept = body[words[-1].end - 1 :] if words else ""
    except LineError:  # nobody knows where its words end
        kept = ""
    new = f"{body[: len(body) - len(body.lstrip())]}{line}{kept}{old[len(body) :]}"
    mark = BYTE_ORDER_MARK if number == 1 and data.startswith(BYTE_ORDER_MARK) else b""
    return b"".join([*lines[: number - 1], mark, new.encode("utf-8", "surrogateescape"), *lines[number:]])


def _lines(data: bytes) -> list[bytes]:
    """Return the lines with their ends, divided where ``text.py`` divides them."""
    *ended, rest = data.split(LINE_FEED)
    return [*(line + LINE_FEED for line in ended), *([rest] if rest else [])]
