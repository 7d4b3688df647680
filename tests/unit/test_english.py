"""Docstrings and messages are plain English, as far as a program can tell: CONTRIBUTING.md has the rules."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from nethook.install.package import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Documented = ast.Module | ast.ClassDef | ast.FunctionDef

VERBS = {
    *("Add", "Announce", "Apply", "Ask", "Bind", "Call", "Carry", "Check", "Close", "Connect"),
    *("Collect", "Compare", "Create", "Decide", "Delete", "Describe", "Drop", "Examine", "Find"),
    *("Flush", "Forget", "Import", "Install", "Keep", "Let", "Log", "Look", "Make"),
    *("Merge", "Note", "Open", "Parse", "Print", "Put", "Raise", "Read", "Record"),
    *("Remove", "Rename", "Replace", "Report", "Return", "Run", "Send", "Set", "Show"),
    *("Sort", "Start", "Stop", "Take", "Trace", "Turn", "Undo", "Uninstall", "Wait", "Warn"),
    *("Write", "Yield"),
    *("Begin", "Change", "Do", "End", "Enter", "Give", "Handle", "Have", "Hear", "List"),
    *("Pass", "Plug", "Remember", "Say", "Switch", "Tell", "Want", "Watch"),
}
"""The words that a function's docstring may begin with. Add a verb if another one fits better."""

NO_BEGINNING = {
    *("How", "If", "That", "Those", "What", "When", "Where"),
    *("Whether", "Which", "Who", "Whoever", "Whose", "Why"),
}
"""Words that no docstring begins with, because they begin a question and not a statement."""

TRANSLATED = re.compile(r"to mend|\bmends\b|\b(is|are|was) to be\b|\b(as|so) it is said\b|\bwhoever\b|in the place of")
"""Phrases that read as translated."""

FILES = sorted(PACKAGE.rglob("*.py"))


def documented(path: Path) -> Iterator[tuple[str, Documented, str]]:
    """Yield place, node and docstring of the module and of each class and function in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 1)}", node, text


def is_property(node: ast.FunctionDef) -> bool:
    """Return whether the function is a property, whose docstring says what it is."""
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_begin_as_they_should(path: Path) -> None:
    wrong = []
    for place, node, text in documented(path):
        first = re.split(r"\W", text, maxsplit=1)[0]
        is_parameter = getattr(node, "name", "") == "__init__" and text.startswith("``")  # it may only explain those
        is_function = isinstance(node, ast.FunctionDef) and not is_property(node) and not is_parameter
        if (is_function and first not in VERBS) or first in NO_BEGINNING:
            wrong.append(f"{place}: {text.splitlines()[0]}")
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_texts_have_no_phrases_of_a_translation(path: Path) -> None:
    strings = [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [(line, found[0]) for line, text in strings if (found := TRANSLATED.search(text))] == []
