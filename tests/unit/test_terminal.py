"""What is printed for people."""

from __future__ import annotations

import io

import pytest

from nethook.config.routed_ips import parse_routed_ips
from nethook.terminal import choose, coloured, columns_of, confirm, folded, show_problems, takes_colours
from nethook.terminal.screen import cut


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(text: str, stream: io.StringIO) -> list[str]:
    """The lines that are printed for a file with this text."""
    _, problems = parse_routed_ips([("routed-ips", text.encode("utf-8", "surrogateescape"))])
    show_problems(problems, stream)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("text", "line", "caret"),
    [
        ("203.0.113.300 public", "203.0.113.300 public", "^"),
        ("\t 203.0.113.300 public", "\t 203.0.113.300 public", "\t ^"),
        ('203.0.113.10 "漢字" x', '203.0.113.10 "漢字" x', " " * 20 + "^"),
        ('203.0.113.10 "e\u0301" x', '203.0.113.10 "e\u0301" x', " " * 17 + "^"),
        ("203.0.113.10 a\x1b[31m x", "203.0.113.10 a\\x1b[31m x", " " * 23 + "^"),
        ("203.0.113.10 \udcff", "203.0.113.10 ?", " " * 13 + "^"),
    ],
)
def test_the_caret_is_below_what_is_wrong(text: str, line: str, caret: str) -> None:
    printed = shown(text, io.StringIO())
    assert printed[1] == f"    {line}"
    assert f"    {caret}" in printed


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("text", "red", Terminal()) == "\033[31mtext\033[0m"
    assert coloured("text", "red", io.StringIO()) == "text"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("text", "red", Terminal()) == "text"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not takes_colours(Terminal())


@pytest.mark.parametrize(
    ("answer", "confirmed"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_a_question_is_answered_at_a_terminal(answer: str, confirmed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert confirm("Sure?") == confirmed
    assert asked.getvalue() == "Sure? [y/N] "


@pytest.mark.parametrize(
    ("answer", "chosen", "times"), [("e\n", "e", 1), ("K\n", "k", 1), ("x\n\ne\n", "e", 3), ("", "d", 1)]
)
def test_one_of_several_answers(answer: str, chosen: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert choose("What now?", {"e": "edit", "k": "keep", "d": "discard"}) == chosen
    assert asked.getvalue() == "What now? (e) edit, (k) keep, (d) discard: " * times


def test_a_question_that_nobody_can_answer_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert not confirm("Sure?")
    assert choose("What now?", {"e": "edit", "d": "discard"}) == "d"
    assert asked.getvalue() == ""


def test_a_line_is_cut_where_the_terminal_ends_and_colours_take_no_room() -> None:
    assert cut("203.0.113.10  routed", 12) == "203.0.113.10"
    assert cut("\033[32mrouted\033[0m and more", 8) == "\033[32mrouted\033[0m a"


def test_a_long_line_goes_on_below_itself() -> None:
    assert folded("one\n  - route 203.0.113.99 there\n", 20) == "one\n  - route\n    203.0.113.99\n    there\n"


def test_wide_characters_take_two_columns() -> None:
    assert [columns_of(text) for text in ("abc", "漢字", "e\u0301")] == [3, 4, 1]
