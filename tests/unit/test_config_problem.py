"""How problems read in a log."""

from __future__ import annotations

from nethook.config.text import LineError, Place, Problem, excerpt, read_lines


def test_a_problem_is_one_sentence_with_its_place() -> None:
    problem = Problem(Place("/etc/f", 3, 5), "this is wrong", "write that", "1.2 x")
    assert str(problem) == "/etc/f:3:5: this is wrong; write that"


def test_a_place_can_be_a_whole_file() -> None:
    assert str(Problem(Place("/etc/f"), "this is wrong", "write that")) == "/etc/f: this is wrong; write that"


def test_nothing_that_people_write_can_forge_a_line_of_the_log() -> None:
    problem = Problem(Place("/etc/\udcff", 1, 1), "no a\r\nroot: all is well\x1b[0m", "ü")
    assert str(problem) == r"/etc/\udcff:1:1: no a\r\nroot: all is well\x1b[0m; ü"


def test_the_source_line_can_be_printed_and_keeps_its_columns() -> None:
    (line,) = read_lines("f", b"a\tb\xff\xfec")
    problem = line.problem(LineError(4, "what", "advice"))
    assert problem.text == "a\tb??c"
    assert problem.place.column == 4


def test_long_words_are_cut() -> None:
    assert excerpt("x" * 60) == "x" * 60
    assert excerpt("x" * 61) == "x" * 60 + "…"
