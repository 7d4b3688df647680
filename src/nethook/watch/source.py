"""A source of changes: what all of them have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES, SETTINGS_FILE
from nethook.config.settings import ROUTE_PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from nethook.host.links import Link


class Interests(NamedTuple):
    """The devices, routes and files that matter for what is in force: sources leave out everything else.

    ``bridges`` are the names of libvirt's bridges, ``uplinks`` those of devices in lines, ``links`` all devices.
    """

    protocol: int = ROUTE_PROTOCOL
    bridges: Collection[str] = ()
    uplinks: Collection[str] = ()
    links: Sequence[Link] = ()
    files: Sequence[str] = (SETTINGS_FILE, *ROUTED_IPS_FILES, *FORWARDED_PORTS_FILES)


class Source:
    """One source, open. Opening or reading it raises OSError if that fails; it is closed and opened again then."""

    name = ""
    is_away = False
    """The other program has ended, or is ending. Do not ask it, because that would start it again."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to hear."""
        raise NotImplementedError

    def read(self) -> Iterable[str]:
        """Return what may have changed since the last call, for the log. Do not wait."""
        raise NotImplementedError

    def follow(self, interests: Interests) -> bool:
        """Hear of this from now on. Return whether it is something new, of which nothing was heard until now."""
        del interests
        return False

    def close(self) -> None:
        """Hear no more."""
