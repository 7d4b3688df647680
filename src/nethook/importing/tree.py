"""Values in a file, each with its place: what JSON and YAML have in common."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from nethook.config.text import Place, Problem, excerpt
from nethook.errors import ConfigError
from nethook.prefix import BITS, Prefix, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Union

    Value = Union[str, int, float, bool, None, list["Node"], dict[str, "Node"]]

DEEPEST = 20
"""None of the formats nests deeper than 5."""
COMMENTS = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)


class Source:
    """The text of a file, and the place of each character."""

    def __init__(self, name: str, data: bytes) -> None:
        """Read the file. ConfigError if it is not UTF-8."""
        self.name = name
        try:
            self.text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.text = data.decode("utf-8", "replace")
            self._starts = self._line_starts()
            at = len(data[: error.start].decode("utf-8", "replace"))
            what = f"the byte 0x{data[error.start]:02x} is not UTF-8"
            raise self.error(at, what, "save the file as UTF-8") from None
        self._starts = self._line_starts()

    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @property
    def first_significant(self) -> str:
        """The first character that is not white space and not in a comment of JSON; '' if there is none."""
        match = COMMENTS.match(self.text)
        at = match.end() if match else 0
        return self.text[at : at + 1]

    def place(self, at: int) -> Place:
        """Return the place of the character with this index."""
        line = bisect_right(self._starts, at)
        return Place(self.name, line, at - self._starts[line - 1] + 1)

    def error(self, at: int, what: str, advice: str) -> ConfigError:
        """Return the error that the file is wrong at this index."""
        place = self.place(at)
        line = self.text[self._starts[place.line - 1] :].partition("\n")[0].rstrip("\r")
        return ConfigError([Problem(place, what, advice, line)])


class LeftOutError(Exception):
    """A value that cannot be taken over, and why."""

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(why)
        self.place = place
        self.why = why


class Node:
    """A value: text, number, truth, nothing, a list or a mapping, and where it is.

    The methods that return a value of a certain kind raise LeftOutError if it is of another kind.
    """

    __slots__ = ("_at", "_source", "value")

    def __init__(self, value: Value, source: Source, at: int) -> None:
        self.value = value
        self._source = source
        self._at = at

    @property
    def place(self) -> Place:
        """The place of the value."""
        return self._source.place(self._at)

    def error(self, what: str, advice: str) -> ConfigError:
        """Return the error that the file is wrong here."""
        return self._source.error(self._at, what, advice)

    def left_out(self, why: str) -> LeftOutError:
        """Return that this value cannot be taken over."""
        return LeftOutError(self.place, why)

    @property
    def shown(self) -> str:
        """The value, for a sentence."""
        if isinstance(self.value, (list, dict)):
            return "a list" if isinstance(self.value, list) else "an object"
        return excerpt(str(self.value))

    def mapping(self) -> dict[str, Node]:
        """Return the values of a mapping by key."""
        if not isinstance(self.value, dict):
            raise self.left_out(f"this should be an object, not {self.shown}")
        return self.value

    def get(self, key: str) -> Node | None:
        """Return the value of this key of a mapping; None if it is missing or empty."""
        node = self.mapping().get(key)
        return None if node is None or node.value in (None, "") else node

    def need(self, key: str) -> Node:
        """Return the value of this key of a mapping, which must be there."""
        node = self.get(key)
        if node is None:
            raise self.left_out(f"{key} is missing")
        return node

    def nodes(self) -> list[Node]:
        """Return the values of a list."""
        if not isinstance(self.value, list):
            raise self.left_out(f"this should be a list, not {self.shown}")
        return self.value

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            raise self.left_out(f"this should be a text, not {self.shown}")
        return self.value

    def number(self) -> int:
        """Return a whole number, which may be written as text."""
        value = self.value
        if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.left_out(f"this should be a number, not {self.shown}")
        return value

    def address(self) -> Prefix:
        """Return an IP address."""
        return address_at(self.text(), self.place)


def address_at(text: str, place: Place) -> Prefix:
    """Return an IP address; LeftOutError if it is none."""
    try:
        family, number = parse_address(text.strip())
    except ValueError:
        raise LeftOutError(place, f"{excerpt(text)} is not an IP address") from None
    return Prefix(family, number, BITS[family])


def unknown_keys(node: Node, known: set[str]) -> Iterator[tuple[str, Node]]:
    """Yield each key of a mapping that is not known, with its value."""
    return ((key, value) for key, value in node.mapping().items() if key not in known)
