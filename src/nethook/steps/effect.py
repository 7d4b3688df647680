"""The effects of steps on the kernel, for people and for programs: one effect is one line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from nethook.config import RoutedIP

ADD: Final = "+"
REMOVE: Final = "-"
REPLACE: Final = "~"

WORDS: dict[str, str] = {}
"""The text of each kind of effect, with places for prefix, bridge and ``to``. Each part enters its own.

A kind without an entry has only its note.
"""


class Effect:
    """One thing that is added, removed or replaced.

    ``kind`` is one of WORDS, or table, arp, gate or rule (of release 0.6, or for a former mark bit). ``prefix`` and
    ``bridge`` are '' where they have no meaning, and so is ``to``: the next hop of a route, the MAC of a NIC, an
    uplink, one of our tables. ``line`` is the line of the configuration that wants it, ``note`` what else has to be
    said.
    """

    __slots__ = ("bridge", "kind", "line", "note", "prefix", "sign", "to")

    def __init__(
        self,
        sign: str,
        kind: str,
        *,
        prefix: str = "",
        bridge: str = "",
        to: str = "",
        line: RoutedIP | None = None,
        note: str = "",
    ) -> None:
        self.sign = sign
        self.kind = kind
        self.prefix = prefix
        self.bridge = bridge
        self.to = to
        self.line = line
        self.note = note

    def __str__(self) -> str:
        return f"{self.sign} {self.text}"

    @property
    def text(self) -> str:
        """The effect for people, without the sign."""
        words = WORDS.get(self.kind)
        if words is None:
            return f"{self.kind} {self.note}"
        text = words.format(prefix=self.prefix, bridge=self.bridge, to=self.to)
        if self.kind == "route" and self.to:
            text += f" via {self.to}"
        if self.note:
            text += f", {self.note}"
        if self.line:
            guest = f", guest {self.line.guest}" if self.line.guest else ""
            text += f" ({self.line.network}{guest}), {self.line.place.file}:{self.line.place.line}"
        return text
