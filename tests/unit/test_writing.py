"""Lines that are added to a file's content or removed from it: all else stays byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.config.text import BYTE_ORDER_MARK, LONGEST_LINE, LineError, read_lines, split_words
from nethook.config.writing import appended, line_of, name_word, number_of_lines, typed_word, with_line, without_line

NEW = "203.0.113.10  public"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"203.0.113.10  public\n"),
        (b"a b\n", b"a b\n203.0.113.10  public\n"),
        (b"a b", b"a b\n203.0.113.10  public\n"),
        (b"# only a comment", b"# only a comment\n203.0.113.10  public\n"),
        (b"a b\r\n", b"a b\r\n203.0.113.10  public\r\n"),
        (b"a b\r\nc d", b"a b\r\nc d\r\n203.0.113.10  public\r\n"),
        (b"a b\nc d\r\n", b"a b\nc d\r\n203.0.113.10  public\r\n"),
        (b"a b\r\nc d\n", b"a b\r\nc d\n203.0.113.10  public\n"),
        (b"\n\n", b"\n\n203.0.113.10  public\n"),
        (b"\r\n", b"\r\n203.0.113.10  public\r\n"),
        (b"a b\n   ", b"a b\n   \n203.0.113.10  public\n"),
        (b"# \xff\xfe\x00\n", b"# \xff\xfe\x00\n203.0.113.10  public\n"),
        (BYTE_ORDER_MARK, BYTE_ORDER_MARK + b"203.0.113.10  public\n"),
        (BYTE_ORDER_MARK + b"a b\r\n", BYTE_ORDER_MARK + b"a b\r\n203.0.113.10  public\r\n"),
    ],
)
def test_a_line_comes_to_the_end(before: bytes, after: bytes) -> None:
    assert appended(before, [NEW]) == after
    assert appended(before, []) == before
    assert list(read_lines("", after))[number_of_lines(after) - 1].text == NEW


@pytest.mark.parametrize(
    ("before", "number", "after"),
    [
        (b"a\nb\nc\n", 2, b"a\nc\n"),
        (b"a\nb\nc", 3, b"a\nb\n"),
        (b"a\r\nb\r\nc\n", 2, b"a\r\nc\n"),
        (b"a\n", 1, b""),
        (b"a", 1, b""),
        (b"\na\n", 2, b"\n"),
        (BYTE_ORDER_MARK + b"a\nb\n", 1, BYTE_ORDER_MARK + b"b\n"),
        (b"# one\n\ta  b # why\n# two \xff\n", 2, b"# one\n# two \xff\n"),
        (b"a\rb\nc\n", 1, b"c\n"),
    ],
)
def test_a_line_goes(before: bytes, number: int, after: bytes) -> None:
    assert without_line(before, number) == after


@pytest.mark.parametrize("data", [b"a\nb\nc\n", b"a\r\nb\r\nc", BYTE_ORDER_MARK + b"a\nb\n"])
def test_the_other_lines_keep_their_numbers_on_demand(data: bytes) -> None:
    for number in range(1, number_of_lines(data) + 1):
        texts = [line.text for line in read_lines("", data)]
        texts[number - 1] = ""
        found = [line.text for line in read_lines("", without_line(data, number, keeps_numbers=True))]
        assert found == texts


contents = st.lists(
    st.one_of(st.binary(max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r", b"203.0.113.9 x", b"# \xff", b'"'])),
    max_size=12,
).map(b"".join)


@given(st.sampled_from([b"", BYTE_ORDER_MARK]), contents)
def test_what_was_added_can_be_removed(mark: bytes, content: bytes) -> None:
    before = mark + content
    added = appended(before, [NEW])
    after = without_line(added, number_of_lines(added))
    ended = content == b"" or content.endswith(b"\n")
    assert after == before if ended else after in {before + b"\n", before + b"\r\n"}


@given(contents, contents)
def test_nothing_but_the_line_goes(before: bytes, after: bytes) -> None:
    before = before + b"\n" if before else before
    number = before.count(b"\n") + 1
    assert without_line(before + NEW.encode() + b"\n" + after, number) == before + after


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("public", "public"),
        ("my network", '"my network"'),
        ("lan#2", "lan#2"),
        ("#2", '"#2"'),
        ("", '""'),
        ("-", "-"),
        ("guest=web 1", 'guest="web 1"'),
        ('guest="web 1"', 'guest="web 1"'),
        ('"my network"', '"my network"'),
        ('say "hi"', '"say \\"hi\\""'),
        ('guest=a"b', 'guest="a\\"b"'),
        ("a b=c", '"a b=c"'),
        ("from=192.0.2.7,198.51.100.0/24", "from=192.0.2.7,198.51.100.0/24"),
        ("guest=a,b", "guest=a,b"),
        ("guest=", "guest="),
        ("tab\there", '"tab\there"'),
    ],
)
def test_words_of_a_command_line(typed: str, word: str) -> None:
    assert typed_word(typed) == word


def test_no_word_has_a_line_break() -> None:
    with pytest.raises(ValueError, match="line break"):
        typed_word("web\n203.0.113.66 public")


@given(st.lists(st.text(max_size=9), min_size=1, max_size=5))
def test_any_words_are_read_as_they_were_typed(words: list[str]) -> None:
    try:
        line = line_of([typed_word(word) for word in words])
    except ValueError:
        assert any("\n" in word for word in words)
        return
    (read,) = read_lines("", line.encode())
    try:
        found = [word.text for word in split_words(read.text)]
    except LineError:
        assert len(line) > LONGEST_LINE
        return
    as_quoted = [split_words(word)[0].text if typed_word(word) == word else word for word in words]
    assert found == as_quoted


@pytest.mark.parametrize("name", ["web1", "", "#1", "-", "a=b", "a,b", 'q"q', "\\", "/x", ":x"])
def test_a_name_is_read_as_it_is(name: str) -> None:
    (word,) = split_words(name_word(name))
    assert word.text == name


def test_a_line_has_columns() -> None:
    assert line_of(["203.0.113.10", "public"]) == "203.0.113.10  public"
    assert line_of(["203.0.113.10", "public", "guest=a", "via=b"]) == "203.0.113.10  public  guest=a via=b"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a b\nc d # why\r\ne f", b"a b\nNEW # why\r\ne f"),
        (b"a b\n \tc d\n", b"a b\n \tNEW\n"),
        (b'a b\n"c  "   d x="#"\t#\xff', b"a b\nNEW\t#\xff"),
        (b'a b\nc "d\n', b"a b\nNEW\n"),
    ],
)
def test_a_line_takes_the_place_of_another(before: bytes, after: bytes) -> None:
    assert with_line(before, 2, NEW) == after.replace(b"NEW", NEW.encode())


def test_a_mark_at_the_beginning_stays() -> None:
    assert with_line(BYTE_ORDER_MARK + b"a b # c\n", 1, NEW) == BYTE_ORDER_MARK + NEW.encode() + b" # c\n"
