"""The kernel as a source: nftables, routes, devices, addresses, neighbours.

It leaves out what others do among themselves: tables without a gate, routes and entries with other numbers that lead
to other devices, devices that are neither bridges nor ports of libvirt's bridges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import one_line
from nethook.gates import FIREWALLS
from nethook.host import notifications
from nethook.host.layout import NAME
from nethook.host.links import BRIDGE
from nethook.host.notifications import (
    ADDRESS,
    ELEMENT,
    LINK,
    ROUTING_RULE,
    SET,
    SETTING,
    TABLE,
    program,
)
from nethook.watch.source import Interests, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.notifications import Notice, Notifications

GATE_TABLES = frozenset(table for firewall in FIREWALLS for table in firewall.tables)
HAS_ARTICLE_AN = (ADDRESS, ELEMENT)


class Nftables(Source):
    """Changes of our tables, and of the rules of tables in which a gate stands."""

    name = "nftables"

    def __init__(self) -> None:
        self._socket = notifications.nftables()

    def fileno(self) -> int:
        """Return the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def read(self) -> Iterator[str]:
        """Yield what was changed."""
        for notice in dict.fromkeys(filter(matters, self._socket.read())):  # many may be alike
            what = f"table {notice.table}" if notice.what == TABLE else f"{_one(notice)} in {notice.table}"
            yield _happened(what, notice)
        yield from _lost(self._socket)


def matters(notice: Notice) -> bool:
    """Return whether this change of nftables may be about ours or about a gate."""
    if notice.table.endswith(f" {NAME}"):
        return True
    return notice.table in GATE_TABLES and notice.what not in {ELEMENT, SET}


class Routing(Source):
    """Changes of routes, routing rules, devices, addresses and neighbours that may concern ours."""

    name = "routes"

    def __init__(self) -> None:
        self._socket = notifications.routing()
        self._interests = Interests()
        self._links: dict[int, tuple[str, int, bool | None]] = {}
        self._bridges: set[int] = set()
        self._uplinks: set[int] = set()
        self._addresses: set[tuple[int, bytes]] = set()

    def fileno(self) -> int:
        """Return the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def follow(self, interests: Interests) -> bool:
        """Hear of these devices and of routes with this protocol number, also in what was not read yet."""
        self._interests = interests
        self._links = {
            link.number: (link.name, link.master, self._links.get(link.number, ("", 0, link.is_up))[2])
            for link in interests.links
        }
        self._bridges = {link.number for link in interests.links if link.name in interests.bridges}
        self._uplinks = {link.number for link in interests.links if link.name in interests.uplinks}
        return False

    def read(self) -> Iterator[str]:
        """Yield what was changed."""
        for notice in dict.fromkeys(filter(self.matters, self._socket.read())):
            yield self._text(notice)
        yield from _lost(self._socket)

    def matters(self, notice: Notice) -> bool:
        """Return whether this change may concern ours; remember what it says of devices and addresses."""
        if notice.what == LINK:
            return self._link_matters(notice)
        if notice.what == ADDRESS:
            return self._address_matters(notice)
        if notice.what == SETTING:
            return notice.device in self._bridges | self._uplinks and bool(notice.value)
        is_ours = notice.protocol == self._interests.protocol
        if notice.what == ROUTING_RULE:
            return is_ours
        return is_ours or notice.device in self._bridges

    def _link_matters(self, notice: Notice) -> bool:
        """Return whether a device that matters has come, gone, or changed its name, its bridge or its state."""
        name, master, was_up = self._links.get(notice.device, ("", 0, None))
        if notice.is_deleted:
            self._links.pop(notice.device, None)
        else:
            self._links[notice.device] = notice.name, notice.master, notice.is_up
        is_same = (name, master) == (notice.name, notice.master) and was_up in {None, notice.is_up}
        if is_same and not notice.is_deleted:
            return False
        named = {*self._interests.bridges, *self._interests.uplinks}
        is_port = bool({master, notice.master} & self._bridges)
        return is_port or bool({notice.name, name} & named) or (not name and notice.kind == BRIDGE)

    def _address_matters(self, notice: Notice) -> bool:
        """Return whether an address has come or gone. The kernel tells of one again when a router renews its time."""
        key = notice.device, notice.value
        if notice.is_deleted:
            self._addresses.discard(key)
        elif key in self._addresses:
            return False
        else:
            self._addresses.add(key)
        return notice.device in self._bridges

    def _text(self, notice: Notice) -> str:
        name = self._links.get(notice.device, ("", 0, None))[0] or notice.name
        if notice.what == LINK:
            return _happened(f"device {name}", notice)
        return _happened(f"{_one(notice)} on {name}" if name else _one(notice), notice)


def _one(notice: Notice) -> str:
    return f"{'an' if notice.what in HAS_ARTICLE_AN else 'a'} {notice.what}"


def _happened(what: str, notice: Notice) -> str:
    how = "was deleted" if notice.is_deleted else "was added or changed"
    return f"{what} {how}{_sender(notice)}"


def _sender(notice: Notice) -> str:
    """Return which program did it; '' if that is the kernel, or a program that has ended."""
    name = one_line(program(notice.sender)) if notice.sender else ""
    return f" by {name} (process {notice.sender})" if name else ""


def _lost(socket: Notifications) -> Iterator[str]:
    if socket.is_cut:
        socket.is_cut = False
        yield "more was changed at once than could be told"
