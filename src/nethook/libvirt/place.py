"""Reading XML by exact place: what is elsewhere, such as in somebody's ``<metadata>``, may be called anything."""

from __future__ import annotations

import pyexpat

from nethook.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


DEEPEST = 4
"""Elements within more others than that nobody asks for; a path for each would take quadratic time."""
TEXTS = (
    *("network/name", "networkport/uuid", "networkport/owner/name"),
    *("hookData/network/name", "hookData/networkport/uuid", "hookData/networkport/owner/name"),
)
"""The elements whose text matters. That of others may be megabytes, as in ``<metadata>``."""


class XML:
    """The attributes of each element by the path of tags that leads to it, such as ``network/bridge``, and TEXTS."""

    __slots__ = ("_attributes", "_depth", "_path", "_pieces")

    def __init__(self, xml: bytes, source: str) -> None:
        """ReadError, which names ``source``, if the XML is broken. Takes linear time, whatever the XML is."""
        self._attributes: dict[str, list[dict[str, str]]] = {}
        self._pieces: dict[str, list[str]] = {path: [] for path in TEXTS}
        self._path: list[str] = []
        self._depth = 0
        parser = pyexpat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(xml, True)
        except pyexpat.ExpatError as error:
            raise ReadError(f"{source} is broken: {error}") from None

    def has(self, path: str) -> bool:
        """Return whether there is such an element."""
        return path in self._attributes

    def all(self, path: str) -> Sequence[dict[str, str]]:
        """Return the attributes of each such element."""
        return self._attributes.get(path, ())

    def first(self, path: str) -> dict[str, str]:
        """Return the attributes of the first such element; none if there is no such element."""
        return next(iter(self.all(path)), {})

    def text(self, path: str) -> str:
        """Return the text of the elements at one of the paths of TEXTS; '' if there is none."""
        return "".join(self._pieces[path])

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth <= DEEPEST:
            self._path.append(f"{self._path[-1]}/{tag}" if self._path else tag)
            self._attributes.setdefault(self._path[-1], []).append(attributes)

    def _end(self, tag: str) -> None:
        del tag
        if self._depth <= DEEPEST:
            self._path.pop()
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._depth <= DEEPEST and self._path[-1] in self._pieces:
            self._pieces[self._path[-1]].append(text)
