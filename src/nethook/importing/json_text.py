"""JSON, with comments of the three usual kinds and with commas before closing brackets, as people write it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from nethook.config.text import excerpt
from nethook.importing.tree import DEEPEST, Node

if TYPE_CHECKING:
    from nethook.importing.tree import Source, Value

TOKEN = re.compile(
    r"""(?P<skip>[ \t\r\n]+|//[^\n]*|\#[^\n]*|/\*.*?\*/)
      |(?P<mark>[{}\[\]:,])
      |(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")
      |(?P<word>[A-Za-z0-9+.-]+)""",
    re.VERBOSE | re.DOTALL,
)
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def read_json(source: Source) -> Node:
    """Return the value in the file. ConfigError if it is broken."""
    reader = _Reader(source)
    node = reader.value(0)
    if reader.kind:
        raise source.error(reader.at, f"{excerpt(reader.piece)} is after the end", "remove it")
    return node


class _Reader:
    """Reads token by token; ``kind`` is '' at the end of the file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._next = 0
        self.at = 0
        self.kind = ""
        self.piece = ""
        self._advance()

    def _advance(self) -> None:
        text = self._source.text
        while True:
            self.at = self._next
            if self.at == len(text):
                self.kind = self.piece = ""
                return
            match = TOKEN.match(text, self.at)
            if match is None:
                raise self._unreadable()
            self._next = match.end()
            if match.lastgroup != "skip":
                self.kind, self.piece = str(match.lastgroup), match.group()
                return

    def _unreadable(self) -> Exception:
        start = self._source.text[self.at]
        if start == '"':
            return self._source.error(self.at, "the quote is not closed on this line", 'write " at the end of the text')
        if self._source.text.startswith("/*", self.at):
            return self._source.error(self.at, "the comment is not closed", "write */ at its end")
        if start == "'":
            return self._source.error(self.at, "JSON has no texts in '", 'write " instead')
        return self._source.error(self.at, f"{start} cannot stand here", "correct the JSON")

    def value(self, depth: int) -> Node:
        """Return the value that begins here, and go behind it."""
        at, kind, piece = self.at, self.kind, self.piece
        if depth > DEEPEST:
            raise self._source.error(at, "this is nested too deeply", "check that this is the right file")
        value: Value
        if piece == "{":
            value = self._mapping(depth)
        elif piece == "[":
            value = self._list(depth)
        else:
            value = self._string() if kind == "string" else self._word()
            self._advance()
        return Node(value, self._source, at)

    def _string(self) -> str:
        try:
            text: str = json.loads(self.piece)
            text.encode()
        except ValueError:
            raise self._source.error(self.at, "this text has an escape that is not valid", "correct the JSON") from None
        return text

    def _word(self) -> Value:
        if self.kind == "word":
            if self.piece in WORDS:
                return WORDS[self.piece]
            if re.fullmatch(r"-?(0|[1-9][0-9]{0,14})", self.piece):
                return int(self.piece)
            if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", self.piece):
                return float(self.piece)
        what = f"{excerpt(self.piece)} is not a value" if self.kind else "the file ends too early"
        raise self._source.error(self.at, what, 'write a number, or a text in "')

    def _mapping(self, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        self._advance()
        while self.piece != "}":
            at = self.at
            if self.kind != "string":
                what = f"{excerpt(self.piece)} is not a key" if self.kind else "the object { is not closed"
                raise self._source.error(at, what, 'write the key in ", or } at the end of the object')
            key = self._string()
            if key in found:
                raise self._source.error(at, f"{excerpt(key)} is given twice", "keep one of them")
            self._advance()
            self._expect(":")
            found[key] = self.value(depth + 1)
            self._separate("}")
        self._advance()
        return found

    def _list(self, depth: int) -> list[Node]:
        found = []
        self._advance()
        while self.piece != "]":
            found.append(self.value(depth + 1))
            self._separate("]")
        self._advance()
        return found

    def _separate(self, closing: str) -> None:
        if self.piece != closing:
            self._expect(",", closing)

    def _expect(self, mark: str, other: str = "") -> None:
        if self.kind != "mark" or self.piece != mark:
            wanted = f"{mark} or {other}" if other else mark
            what = f"{wanted} is missing before {excerpt(self.piece)}" if self.kind else "the file ends too early"
            raise self._source.error(self.at, what, f"write {wanted}")
        self._advance()
