"""The registry of sources, and keeping them open: one that fails is closed, and opened again after a growing pause."""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING

from nethook import log
from nethook.watch.files import Files
from nethook.watch.kernel import Nftables, Routing
from nethook.watch.libvirt_events import Libvirt
from nethook.watch.source import Interests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nethook.watch.source import Source

    Hear = Callable[[str, Sequence[str]], None]
    Say = Callable[[str, Sequence[str]], None]

SOURCES: tuple[type[Source], ...] = (Nftables, Routing, Files, Libvirt)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Sources:
    """All sources. What a source has heard goes to ``hear``, and what is wrong with it to ``say``, with its name."""

    def __init__(self, selector: selectors.BaseSelector, hear: Hear, say: Say) -> None:
        """Have all sources closed, and due to be opened. What is open is in the ``selector``, with its kind."""
        self._selector = selector
        self._hear = hear
        self._say = say
        self._open: dict[type[Source], Source] = {}
        self._closed: dict[type[Source], tuple[float, float]] = dict.fromkeys(SOURCES, (0.0, FIRST_PAUSE))
        """When to open each, and how long to wait if that fails."""
        self._opened: dict[type[Source], tuple[float, float]] = {}
        """Since when each is open, and how long to wait if it fails soon."""
        self._interests = Interests()

    @property
    def due(self) -> float:
        """The time when a source has to be opened; infinite if all are open."""
        return min((at for at, _ in self._closed.values()), default=float("inf"))

    @property
    def is_away(self) -> bool:
        """True if a program that is heard has ended: it must not be asked."""
        return any(source.is_away for source in self._open.values())

    def open(self) -> None:
        """Open the sources that are due. Something may have changed meanwhile."""
        now = time.monotonic()
        for kind, (at, pause) in [*self._closed.items()]:
            if at > now:
                continue
            try:
                source = kind()
            except Exception as error:  # whatever a source does, the others go on
                self._put_off(kind, error, pause)
                continue
            self._open[kind] = source
            self._selector.register(source.fileno(), selectors.EVENT_READ, kind)
            del self._closed[kind]
            self._opened[kind] = now, pause
            if self._follow(kind):
                self._say(kind.name, [])
                if at:
                    self._hear(kind.name, [f"{kind.name} can be heard again"])

    def read(self, kind: type[Source]) -> None:
        """Hear what an open source tells."""
        try:
            told = [*self._open[kind].read()]
        except Exception as error:  # whatever a source does, the others go on
            self._close(kind, error)
        else:
            self._hear(kind.name, told)

    def follow(self, interests: Interests) -> None:
        """Tell all sources what matters from now on."""
        self._interests = interests
        for kind in [*self._open]:
            self._follow(kind)

    def close(self) -> None:
        """Close all."""
        for source in self._open.values():
            source.close()

    def _follow(self, kind: type[Source]) -> bool:
        """Tell an open source what matters. If that fails, close it, and return False."""
        try:
            if self._open[kind].follow(self._interests):
                self._hear(kind.name, [f"other {kind.name} are watched"])
        except Exception as error:
            self._close(kind, error)
            return False
        return True

    def _close(self, kind: type[Source], error: Exception) -> None:
        """Close a source that fails, to open it again after a pause, which grows if it fails soon after that."""
        source = self._open.pop(kind)
        self._selector.unregister(source.fileno())
        source.close()
        since, pause = self._opened.pop(kind)
        has_lasted = time.monotonic() > since + LONGEST_PAUSE
        self._put_off(kind, error, FIRST_PAUSE if has_lasted else pause)

    def _put_off(self, kind: type[Source], error: Exception, pause: float) -> None:
        self._closed[kind] = time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE)
        self._say(kind.name, [f"changes of {kind.name} cannot be heard: {log.where(error)}"])
