"""The part of YAML that ``incus network forward show`` prints: mappings, lists, and texts with or without quotes.

PyYAML is not used: it is not on every host, and so would only be a second way beside this one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from nethook.config.text import excerpt
from nethook.importing.tree import DEEPEST, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.importing.tree import Source, Value

KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_.-]+)[ ]*:(?=[ ]|$)""")
PRINTED = "nethook understands what `incus network forward show` prints; write the value on one line"
BLOCK = re.compile(r"[|>][+-]?")
EMPTY: dict[str, list[Node] | dict[str, Node] | None] = {"{}": {}, "[]": [], "null": None, "~": None}


class _Line:
    """A line that is not empty: the index of its content in the file, its indentation, and its content."""

    __slots__ = ("at", "content", "indent")

    def __init__(self, at: int, indent: int, content: str) -> None:
        self.at = at
        self.indent = indent
        self.content = content

    def behind(self, length: int) -> _Line:
        """Return the line without its first characters, which count as indentation."""
        rest = self.content[length:]
        skipped = length + len(rest) - len(rest.lstrip(" "))
        return _Line(self.at + skipped, self.indent + skipped, self.content[skipped:])


def read_yaml(source: Source) -> Iterator[Node]:
    """Yield each document of the file. ConfigError if it is not understood."""
    lines: list[_Line] = []
    at = 0
    for text in source.text.split("\n"):
        content = text.strip(" \r")
        if content in {"---", "..."}:
            yield from _document(source, lines)
            lines = []
        elif content and not content.startswith("#"):
            indent = len(text) - len(text.lstrip(" "))
            if content.startswith("\t"):
                raise source.error(at + indent, "YAML has no tabs at the beginning of a line", "write spaces")
            lines.append(_Line(at + indent, indent, content))
        at += len(text) + 1
    yield from _document(source, lines)


def _document(source: Source, lines: list[_Line]) -> Iterator[Node]:
    if lines:
        reader = _Reader(source, lines)
        node = reader.block(0)
        if reader.lines:
            raise reader.error(reader.lines[0], "the indentation is wrong")
        yield node


class _Reader:
    """Reads line by line; ``lines`` are those to come, the next one last."""

    def __init__(self, source: Source, lines: list[_Line]) -> None:
        self._source = source
        self.lines = lines[::-1]

    def error(self, line: _Line, what: str) -> Exception:
        """Return the error that a line is wrong."""
        return self._source.error(line.at, what, PRINTED)

    def block(self, depth: int) -> Node:
        """Return the mapping, list or text that begins on the next line, and go behind it."""
        line = self.lines[-1]
        if depth > DEEPEST:
            raise self.error(line, "this is nested too deeply")
        value: Value
        if _is_item(line):
            value = self._list(depth, line.indent)
        elif KEY.match(line.content):
            value = self._mapping(depth, line.indent)
        else:
            self.lines.pop()
            return self._scalar(line)
        return Node(value, self._source, line.at)

    def _list(self, depth: int, indent: int) -> list[Node]:
        found = []
        while self.lines and self.lines[-1].indent == indent and _is_item(self.lines[-1]):
            line = self.lines.pop()
            rest = line.behind(1)
            if rest.content:
                self.lines.append(rest)
                found.append(self.block(depth + 1))
            else:
                found.append(self._nested(line, depth, indent))
        return found

    def _mapping(self, depth: int, indent: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while self.lines and self.lines[-1].indent == indent and not _is_item(self.lines[-1]):
            line = self.lines.pop()
            match = KEY.match(line.content)
            if not match:
                raise self.error(line, f"{excerpt(line.content)} is not a key with a value")
            key = match[1].strip("\"'")
            if key in found:
                advice = "write a line --- between two forwards" if not depth else "keep one of them"
                raise self._source.error(line.at, f"{excerpt(key)} is given twice", advice)
            rest = line.behind(match.end())
            found[key] = self._scalar(rest) if rest.content else self._nested(line, depth, indent)
        return found

    def _nested(self, line: _Line, depth: int, indent: int) -> Node:
        """Return what belongs to a key or item without a value on its line."""
        if self.lines:
            following = self.lines[-1]
            if following.indent > indent or (following.indent == indent and _is_item(following) and not _is_item(line)):
                return self.block(depth + 1)
        return Node(None, self._source, line.at)

    def _scalar(self, line: _Line) -> Node:
        text = line.content
        value: Value
        if text in EMPTY:
            value = EMPTY[text]
        elif BLOCK.fullmatch(text):
            value = "\n".join(self._deeper(line))
        elif text[0] in "\"'":
            value = self._quoted(line)
        elif text[0] in "&*!{[@`%|>":
            raise self.error(line, f"{excerpt(text)} is not understood")
        else:
            value = " ".join([re.split(r"\s#", text, maxsplit=1)[0].rstrip(), *self._deeper(line)])
        return Node(value, self._source, line.at)

    def _deeper(self, line: _Line) -> list[str]:
        """Return the lines that continue a text."""
        start = self._source.text.rfind("\n", 0, line.at) + 1
        first = self._source.text[start : line.at]
        indent = len(first) - len(first.lstrip(" -"))
        found = []
        while self.lines and self.lines[-1].indent > indent:
            found.append(self.lines.pop().content)
        return found

    def _quoted(self, line: _Line) -> str:
        text = line.content
        pattern = r'("(?:[^"\\]|\\.)*")|(\'(?:[^\']|\'\')*\')'
        match = re.match(rf"(?:{pattern})\s*(?:#.*)?$", text)
        if not match:
            raise self.error(line, "the quote is not closed on this line")
        if match[2]:
            return match[2][1:-1].replace("''", "'")
        try:
            value: str = json.loads(match[1])
            value.encode()
        except ValueError:
            raise self.error(line, "this text has an escape that is not understood") from None
        return value


def _is_item(line: _Line) -> bool:
    return line.content == "-" or line.content.startswith("- ")
