"""Output for people: problems with a caret, colours, the width of a terminal, and a question."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from nethook.changes import ADD, REMOVE, REPLACE
from nethook.config.text import one_line
from nethook.log import MOST_LOGGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TextIO

    from nethook.changes import Effect
    from nethook.config.text import Problem

COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}

EFFECT_COLOURS = {ADD: "green", REMOVE: "red", REPLACE: "yellow"}
TAB = "\t"


def takes_colours(stream: TextIO) -> bool:
    """Return whether to use colours on this stream. https://no-color.org"""
    return stream.isatty() and not os.environ.get("NO_COLOR") and not is_dumb()


def is_dumb() -> bool:
    """Return whether the terminal understands no control sequences, such as those that move its cursor."""
    return os.environ.get("TERM") == "dumb"


def width_of(stream: TextIO) -> int | None:
    """Return the width of a terminal in columns, None for any other stream."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def columns_of(text: str) -> int:
    """Return the number of columns that the text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_width, text))


def folded(text: str, width: int) -> str:
    """Return the text with its long lines folded; continuation lines are indented by two more columns."""
    from textwrap import fill  # noqa: PLC0415 - only for terminals

    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(
            line
            if columns_of(line) <= width
            else fill(line, width, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
        )
    return "\n".join(lines)


def escaped(text: str, colour: str) -> str:
    """Return the text in one of COLOURS, for a terminal."""
    return f"\033[{COLOURS[colour]}m{text}\033[0m"


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """Return the text in one of COLOURS, if the stream takes colours."""
    return escaped(text, colour) if takes_colours(stream) else text


def painted(effect: Effect, stream: TextIO) -> str:
    """Return the line of an effect, in the colour of its sign."""
    return coloured(one_line(str(effect)), EFFECT_COLOURS[effect.sign], stream)


def show_problems(problems: Iterable[Problem], stream: TextIO) -> None:
    """Print each problem: its place and text, the line with a caret below the column, and the advice."""
    for problem in problems:
        place = coloured(one_line(str(problem.place)), "bold", stream)
        print(f"{place}: {coloured(one_line(problem.what), 'red', stream)}", file=stream)
        if problem.text:
            # Tabs stay tabs, so that the caret is at the right column whatever their width.
            before = problem.text[: problem.place.column - 1]
            margin = "".join(char if char == TAB else " " * _width(char) for char in before)
            shown = "".join(char if char == TAB else one_line(char) for char in problem.text)
            print(f"    {shown}\n    {margin}{coloured('^', 'green', stream)}", file=stream)
        print(f"    {one_line(problem.advice)}", file=stream)


def show_first_problems(problems: Sequence[Problem], stream: TextIO) -> None:
    """Print the first problems, and the number of the others, as the journal should have them."""
    show_problems(problems[:MOST_LOGGED], stream)
    more = sum(problem.mistakes for problem in problems[MOST_LOGGED:])
    if more:
        print(f"{more:,} more mistakes: run `nethook check`", file=stream)


def _width(char: str) -> int:
    """Return the number of columns that a character takes on a terminal when it is shown."""
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - seldom needed

    if not char.isprintable():
        return len(one_line(char))
    return 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1


def can_ask() -> bool:
    """Return whether a person at a terminal can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask, and return True after a yes. False without a terminal, and after an empty answer."""
    if not can_ask():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def choose(question: str, choices: Mapping[str, str]) -> str:
    """Ask until the answer is the letter of one of these choices, and return it.

    The last one, which must do no harm, is the answer without a terminal, and where the input ends.
    """
    *_, last = choices
    while can_ask():
        listed = ", ".join(f"({letter}) {text}" for letter, text in choices.items())
        print(f"{question} {listed}: ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            break
        if answer.strip().lower() in choices:
            return answer.strip().lower()
    return last
