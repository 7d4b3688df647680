"""Sets and maps of the fake host's nftables, and their elements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nethook.host.fake.answer import NotFaked, Refused
from nethook.host.layout import ADDRESS, DEVICE, INDEX, MAC, PORT, PROTOCOL
from nethook.prefix import block_text, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.nftables import Element

NO_SUCH = "No such file or directory"
NOT_PROCESSED = "Could not process rule: "
ADDRESSES = {*ADDRESS.values()}
FIELDS = {DEVICE, MAC, INDEX, PROTOCOL, PORT} | ADDRESSES
PAYLOAD = "@th,64,128"
_FIELD = re.compile(r'(?:"(?P<quoted>[^"]*)"|(?P<word>[^\s,"]+))(?P<end> \. | : |, |$)')


class Set:
    """A set or map: its definition, and its elements as the program has them: intervals are in nft's notation."""

    def __init__(self, definition: str) -> None:
        self.definition = definition
        self.elements: dict[Element, None] = {}
        """In the order in which they were added."""
        kind, _, rest = definition.partition(" ")
        fields, _, data = rest.partition(";")[0].replace("ether saddr", MAC).partition(" : ")
        self.fields = fields.split(" . ")
        self.data = data.split(" . ") if data else []
        if kind not in {"type", "typeof"} or not {*self.fields, *self.data} <= FIELDS | {PAYLOAD}:
            raise NotFaked(f"set {{ {definition} }}")
        self.is_interval = "flags interval" in definition

    def copy(self) -> Set:
        """Return one that may be changed without changing this one."""
        made = object.__new__(Set)
        made.__dict__.update(self.__dict__, elements=dict(self.elements))
        return made

    def add(self, element: Element) -> None:
        """Add an element. It may be there already, but neither its key with other data, nor an interval around it.

        Of intervals with several fields, the kernel looks only whether the lowest or the highest key is in another.
        """
        if element in self.elements:
            return
        key = self._key(element)
        if self.is_interval and len(self.fields) > 1:
            is_refused = any(self._has(other, key, end) for other in self.elements for end in (0, 1))
        elif self.is_interval:
            (block,) = self._ends(key)
            if any(
                first <= block[1] and block[0] <= last for other in self.elements for first, last in self._ends(other)
            ):
                raise Refused("interval overlaps with an existing one")
            is_refused = False
        else:
            is_refused = bool(self.data) and any(self._key(other) == key for other in self.elements)
        if is_refused:
            raise Refused(failed("exists"))
        self.elements[element] = None

    def delete(self, key: Element) -> None:
        """Delete the element with this key. Of intervals with several fields, it is the first with the lowest key."""
        is_single = len(self.fields) == 1 or not self.is_interval
        for element in self.elements:
            if self._key(element) == key if is_single else self._has(element, key, 0):
                del self.elements[element]
                return
        raise Refused("element does not exist" if is_single and self.is_interval else failed("missing"))

    def parsed(self, text: str, *, is_whole: bool = True) -> Iterator[Element]:
        """Yield the elements that are written in this text, or their keys."""
        kinds = [*self.fields, *self.data] if is_whole else self.fields
        fields: list[str] = []
        at = 0
        while at < len(text):
            found = _FIELD.match(text, at)
            if not found:
                raise NotFaked(f"element {{ {text[at:]} }}")
            fields.append(found["word"] if found["quoted"] is None else found["quoted"].replace("\\*", "*"))
            at = found.end()
            if found["end"] == " : " and len(fields) != len(self.fields):
                raise NotFaked(f"key {fields} of {self.fields}")
            if found["end"] in {", ", ""}:
                if len(fields) != len(kinds):
                    raise NotFaked(f"element {fields} of {kinds}")
                yield tuple(_value(kind, field) for kind, field in zip(kinds, fields))
                fields = []

    def _key(self, element: Element) -> Element:
        return element[: len(self.fields)]

    def _ends(self, element: Element) -> list[tuple[Any, Any]]:
        """Return the lowest and the highest value of each field of its key, or of a key."""
        return [_range(kind, text) for kind, text in zip(self.fields, element)]

    def _has(self, element: Element, key: Element, end: int) -> bool:
        """Return whether the lowest key (0) of an interval, or the highest (1), is in this element."""
        return all(first <= ends[end] <= last for (first, last), ends in zip(self._ends(element), self._ends(key)))


def _value(kind: str, text: str) -> str:
    if kind == PAYLOAD:
        first, _, last = text.partition("-")
        return block_text(6, int(first, 16), int(last or first, 16))
    return parse_prefix(text).text if kind in ADDRESSES else text


def _range(kind: str, text: str) -> tuple[Any, Any]:
    first, _, last = text.partition("-")
    if kind in {*ADDRESSES, PAYLOAD}:
        return parse_prefix(first).first, parse_prefix(last or first).last
    if kind == PORT:
        return int(first), int(last or first)
    return text, text


def failed(why: str) -> str:
    return NOT_PROCESSED + {"missing": NO_SUCH, "exists": "File exists"}[why]
