"""How lines and words are cut: encodings, white space, comments, quotes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.config.text import LineError, in_quotes, read_lines, split_words


def texts(line: str) -> list[str]:
    return [word.text for word in split_words(line)]


def positions(line: str) -> list[tuple[int, str]]:
    return [(word.column, word.source) for word in split_words(line)]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", [""]),
        (b"a b", ["a b"]),
        (b"a\nb\n", ["a", "b", ""]),
        (b"a\r\nb\r\n", ["a", "b", ""]),
        (b"\xef\xbb\xbfa\n", ["a", ""]),
        ("ü\n".encode(), ["ü", ""]),
        (b"\xff\xc3\xbc", ["\udcffü"]),
    ],
)
def test_lines(data: bytes, lines: list[str]) -> None:
    assert [line.text for line in read_lines("file", data)] == lines


def test_lines_are_numbered_from_one() -> None:
    assert [str(line.place(3)) for line in read_lines("file", b"a\nb")] == ["file:1:3", "file:2:3"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        (" \t ", []),
        ("# all of it", []),
        ("\t# all of it", []),
        ("a b", ["a", "b"]),
        ("\ta \t b\t", ["a", "b"]),
        ("a b\r", ["a", "b"]),
        ("a b # c", ["a", "b"]),
        ("a b #c", ["a", "b"]),
        ("a lan#2 c", ["a", "lan#2", "c"]),
        ("a b# c", ["a", "b#", "c"]),
        ('a "#b"', ["a", "#b"]),
        ('a "b # c" d', ["a", "b # c", "d"]),
        ('a "b\tc"', ["a", "b\tc"]),
        ('""', [""]),
        ('guest="web 1"', ["guest=web 1"]),
        ('"guest=web 1"', ["guest=web 1"]),
        (r'"say \"hi\""', ['say "hi"']),
        (r'"C:\\x"', [r"C:\x"]),
        (r'"C:\x"', [r"C:\x"]),
        (r"C:\\x", [r"C:\\x"]),
        ("a # \udcff is of no interest", ["a"]),
        ('a # "nor is this', ["a"]),
        ("naïve\xa0name", ["naïve\xa0name"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert texts(line) == words


def test_columns_count_characters_from_one() -> None:
    assert positions('ü\t"b c"  k="v"\r') == [(1, "ü"), (3, '"b c"'), (10, 'k="v"')]


def test_what_is_in_quotes_is_known() -> None:
    words = split_words('a "a" k="v"')
    assert [word.is_quoted for word in words] == [False, True, True]
    assert [word.end for word in words] == [2, 6, 12]


@pytest.mark.parametrize(
    ("line", "column", "what", "advice"),
    [
        ('a "b', 3, "the quote is not closed", 'write " at the end of the name'),
        ('a "b\\"', 3, "the quote is not closed", 'write " at the end of the name'),
        ('a "b"c', 6, "there is no space after the closing quote", 'add a space, or write \\" for a quote'),
        ('a "b"# c', 6, "there is no space after the closing quote", 'add a space, or write \\" for a quote'),
        ('a b"c d', 4, "there is a quote within a word", 'write "b\\"c"'),
        (
            "a " * 2049,
            4097,
            "the line is longer than 4096 characters",
            "split it, or check that this is the right file",
        ),
        ("a b\udcffc", 4, "the byte 0xff is not UTF-8", "save the file as UTF-8"),
        ('a "ü \udce4"', 6, "the byte 0xe4 is not UTF-8", "save the file as UTF-8"),
    ],
)
def test_wrong_words(line: str, column: int, what: str, advice: str) -> None:
    with pytest.raises(LineError) as caught:
        split_words(line)
    assert (caught.value.column, caught.value.what, caught.value.advice) == (column, what, advice)


@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"))))
def test_quoted_words_come_back_as_they_were(names: list[str]) -> None:
    assert texts("\t".join(in_quotes(name) for name in names)) == names


@given(st.text(st.characters(exclude_characters="\n")))
def test_words_stand_where_they_say(line: str) -> None:
    with suppress(LineError):
        words = split_words(line)
        assert all(line[word.column - 1 : word.end - 1] == word.source for word in words)
