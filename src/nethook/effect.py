"""What a step does to the kernel, for people and for programs: one effect is one line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from nethook.config import RoutedIP

ADD: Final = "+"
REMOVE: Final = "-"
REPLACE: Final = "~"


class Effect:
    """One thing that is added, removed or replaced.

    ``kind`` is that of an object (``kernel/kinds.py``), accept (an address may be used on a bridge), guard (nobody else
    may use it), reserved (only its guest may), bound (only this NIC may), flows (connections are forgotten), bridge,
    isolated, table, gate or rule. ``prefix`` and ``bridge`` are '' where they have no meaning, and so is ``to``, the
    next hop of a route or the MAC of a NIC. ``line`` is the line of the configuration that wants it, ``note`` what else
    there is to say.
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
        """What it is about, without the sign."""
        if self.kind == "route":
            text = f"route {self.prefix} → {self.bridge}" + (f" via {self.to}" if self.to else "")
        elif self.kind == "neighbour":
            text = f"neighbour {self.prefix} → {self.to} on {self.bridge}"
        elif self.kind == "bound":
            text = f"bound {self.prefix} to {self.to}"
        elif self.kind == "reserved":
            text = f"reserved {self.prefix} for its guest"
        elif self.kind == "flows":
            text = f"flows of {self.prefix} from before"
        elif self.kind == "accept":
            text = f"accept {self.prefix} on {self.bridge}"
        elif self.kind == "guard":
            text = f"guard {self.prefix} against forgery"
        elif self.kind == "bridge":
            text = f"bridge {self.bridge} as one of libvirt's"
        elif self.kind == "isolated":
            text = f"bridge {self.bridge} as isolated"
        else:
            return f"{self.kind} {self.note}"
        if self.note:
            text += f", {self.note}"
        if self.line:
            guest = f", guest {self.line.guest}" if self.line.guest else ""
            text += f" ({self.line.network}{guest}), {self.line.place.file}:{self.line.place.line}"
        return text
