"""Sets of the fake host's nftables, and their elements."""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING

from nethook.host.fake.answer import NotFaked, Refused
from nethook.prefix import block_text, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.nftables import Element

NO_SUCH = "No such file or directory"
NOT_PROCESSED = "Could not process rule: "
FIELDS = {"ifname", "ether_addr", "iface_index"}
ADDRESSES = {"ipv4_addr", "ipv6_addr"}
PAYLOAD = "@th,64,128"
_FIELD = re.compile(r'(?:"(?P<quoted>[^"]*)"|(?P<word>[^\s,"]+))(?P<end> \. |, |$)')


class Set:
    """A set: its definition, and its elements as the program has them: intervals are in the notation of prefixes."""

    def __init__(self, definition: str) -> None:
        self.definition = definition
        self.elements: set[Element] = set()
        kind, _, rest = definition.partition(" ")
        fields = rest.partition(";")[0].replace("ether saddr", "ether_addr").split(" . ")
        if kind not in {"type", "typeof"} or not {*fields} <= FIELDS | ADDRESSES | {PAYLOAD}:
            raise NotFaked(f"set {{ {definition} }}")
        self.fields = fields
        self.is_interval = "flags interval" in definition

    def copy(self) -> Set:
        """Return one that may be changed without changing this one."""
        made = copy(self)
        made.elements = set(self.elements)
        return made

    def add(self, element: Element) -> None:
        """Add an element; an interval may be added again, and overlaps no other."""
        if self.is_interval and element not in self.elements:
            block = _range(element[-1])
            for other in self.elements:
                first, last = _range(other[-1])
                if other[:-1] == element[:-1] and first <= block[1] and block[0] <= last:
                    raise Refused("interval overlaps with an existing one" if len(element) == 1 else failed("exists"))
        self.elements.add(element)

    def delete(self, element: Element) -> None:
        """Delete an element, which must be there. The kernel finds the interval of a pair by its beginning alone."""
        if self.is_interval and len(element) > 1:
            first = _range(element[-1])[0]
            same = (each for each in self.elements if each[:-1] == element[:-1] and _range(each[-1])[0] == first)
            element = next(same, element)
        if element not in self.elements:
            single = self.is_interval and len(element) == 1
            raise Refused("element does not exist" if single else failed("missing"))
        self.elements.remove(element)

    def parsed(self, text: str) -> Iterator[Element]:
        """Yield the elements that are written in this text."""
        fields: list[str] = []
        at = 0
        while at < len(text):
            found = _FIELD.match(text, at)
            if not found:
                raise NotFaked(f"element {{ {text[at:]} }}")
            fields.append(found["word"] if found["quoted"] is None else found["quoted"].replace("\\*", "*"))
            at = found.end()
            if found["end"] != " . ":
                if len(fields) != len(self.fields):
                    raise NotFaked(f"element {fields} of a set with {self.fields}")
                yield tuple(self._value(kind, field) for kind, field in zip(self.fields, fields))
                fields = []

    def _value(self, kind: str, text: str) -> str:
        if kind == PAYLOAD:
            first, _, last = text.partition("-")
            return block_text(6, int(first, 16), int(last or first, 16))
        return parse_prefix(text).text if kind in ADDRESSES else text


def _range(block: str) -> tuple[int, int]:
    first, _, last = block.partition("-")
    return parse_prefix(first).first, parse_prefix(last or first).last


def failed(why: str) -> str:
    return NOT_PROCESSED + {"missing": NO_SUCH, "exists": "File exists"}[why]
