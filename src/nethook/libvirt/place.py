"""Reading XML by exact place: what is elsewhere, such as in somebody's ``<metadata>``, may be called anything."""

from __future__ import annotations

import pyexpat

from nethook.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class XML:
    """The attributes of each element, and its text, by the path of tags that leads to it: ``network/bridge``."""

    __slots__ = ("_attributes", "_path", "_texts")

    def __init__(self, xml: bytes, source: str) -> None:
        """ReadError, which names ``source``, if the XML is broken."""
        self._attributes: dict[str, list[dict[str, str]]] = {}
        self._texts: dict[str, str] = {}
        self._path: list[str] = []
        parser = pyexpat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(xml, True)
        except pyexpat.ExpatError as error:
            raise ReadError(f"{source} is broken: {error}") from None

    def has(self, path: str) -> bool:
        """Whether there is such an element."""
        return path in self._attributes

    def all(self, path: str) -> Sequence[dict[str, str]]:
        """The attributes of each such element."""
        return self._attributes.get(path, ())

    def first(self, path: str) -> dict[str, str]:
        """The attributes of the first such element; none if there is no such element."""
        return next(iter(self.all(path)), {})

    def text(self, path: str) -> str:
        """What such elements have as text; '' if there is none."""
        return self._texts.get(path, "")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        self._attributes.setdefault("/".join(self._path), []).append(attributes)

    def _end(self, tag: str) -> None:
        del tag
        self._path.pop()

    def _text(self, text: str) -> None:
        path = "/".join(self._path)
        self._texts[path] = self._texts.get(path, "") + text
