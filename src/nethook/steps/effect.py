"""What a step does to the kernel, for people and for programs: one effect is one line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from nethook.config import RoutedIP

ADD: Final = "+"
REMOVE: Final = "-"
REPLACE: Final = "~"


_WORDS = {
    "route": "route {prefix} → {bridge}",
    "fallback": "fallback route {prefix}",
    "fallback_rule": "routing rule to {to}, for {prefix}",
    "gateway": "gateway {prefix} on {bridge}",
    "neighbour": "neighbour {prefix} → {to} on {bridge}",
    "proxy": "proxy {prefix} on {to}",
    "proxy_ndp": "proxy_ndp on {to}",
    "ipv6": "IPv6 on {bridge}",
    "no_linklocal_learn": "no_linklocal_learn on {bridge}",
    "accept": "accept {prefix} on {bridge}",
    "guard": "guard {prefix} against forgery",
    "reserved": "reserved {prefix} for its guest",
    "bound": "bound {prefix} to {to}",
    "apart": "apart {prefix} from the bound prefix around it",
    "flows": "flows of {prefix} from before",
    "bridge": "bridge {bridge} as one of libvirt's",
    "isolated": "bridge {bridge} as isolated",
}
"""What each kind is about, for people; that of others is only their note."""


class Effect:
    """One thing that is added, removed or replaced.

    ``kind`` is that of an object (``kernel/kinds.py``), accept (an address may be used on a bridge), guard (nobody else
    may use it), reserved (only its guest may), bound (only this NIC may), apart (what binds the prefix around it is not
    about it), flows (connections are forgotten), ipv6 (a bridge has it), no_linklocal_learn (a bridge's setting),
    proxy_ndp, arp, bridge, isolated, table, gate or rule (of release 0.6, or for a former mark bit). ``prefix`` and
    ``bridge`` are '' where they have no meaning, and so is ``to``: the next hop of a route, the MAC of a NIC, an
    uplink, one of our tables. ``line`` is the line of the configuration that wants it, ``note`` what else is to be
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
        """What it is about, without the sign."""
        words = _WORDS.get(self.kind)
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
