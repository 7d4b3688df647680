"""``nethook status --watch``: the overview live, with rates instead of counts."""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING

from nethook.config.text import one_line
from nethook.errors import NethookError
from nethook.exit_status import OK
from nethook.host.traffic import Traffic
from nethook.status.status_text import messages, status_text
from nethook.status.traffic_text import RATES
from nethook.terminal import folded, is_dumb, takes_colours, width_of
from nethook.terminal.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from nethook.parts.routes import Place
    from nethook.status.overview import Overview

SECONDS = 2.0
HINT = "every 2 s; q quits"


def watch(look: Callable[[], Overview]) -> int:
    """Show what ``look`` finds, until q or Ctrl-C. What goes wrong meanwhile is shown, and tried again."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NethookError("--watch needs a terminal; for programs there is --json")
    if is_dumb():
        raise NethookError("--watch needs a terminal that can be painted, and this one is dumb (TERM=dumb)")
    rates = Rates()
    try:
        with Screen() as screen:
            while True:
                text = _text(look, rates)
                screen.paint(f"nethook status, {time.strftime('%H:%M:%S')}, {HINT}\n", text)
                if screen.is_left(SECONDS):
                    return OK
    except KeyboardInterrupt:
        return OK


def stream(look: Callable[[], str]) -> int:
    """Print what ``look`` returns, a line each time, until nobody reads it any more. Return the exit status."""
    reader = select.poll()
    reader.register(sys.stdout, 0)  # its end is told in any case
    while True:
        print(look(), flush=True)
        if reader.poll(SECONDS * 1000):
            return OK


def _text(look: Callable[[], Overview], rates: Rates) -> str:
    try:
        found = look()
    except NethookError as error:
        return one_line(str(error))
    rates.take(found, time.monotonic())
    width = width_of(sys.stdout)
    text = status_text(found, width, RATES, coloured=takes_colours(sys.stdout))
    said = (folded(message, width) if width else message for message in messages(found))
    return "\n\n".join(filter(None, (text, *said)))


class Rates:
    """Turns counts into what they grew by since the last time, per second."""

    def __init__(self) -> None:
        self._before: dict[Place, tuple[Traffic | None, Traffic | None]] = {}
        self._at = 0.0

    def take(self, found: Overview, now: float) -> None:
        """Replace the overview's counts by rates; ``now`` is in seconds."""
        seconds = now - self._at
        before, self._before, self._at = self._before, {}, now
        for forward in found.forwards:
            key = forward.line.key, forward.target
            count = None if forward.bytes is None else Traffic(0, forward.bytes)
            self._before[key] = count, None
            rate = _growth(before.get(key, (None, None))[0], count, seconds)
            forward.bytes = rate.bytes if rate else None
        for state in found.lines:
            counts = state.received, state.sent
            self._before[state.place] = counts
            was = before.get(state.place, (None, None))
            state.received, state.sent = (_growth(*pair, seconds) for pair in zip(was, counts))


def _growth(before: Traffic | None, count: Traffic | None, seconds: float) -> Traffic | None:
    """Return the growth per second; None if one of them is not known, or the counter began anew."""
    if before is None or count is None or count.bytes < before.bytes:
        return None
    return Traffic(round((count.packets - before.packets) / seconds), round((count.bytes - before.bytes) / seconds))
