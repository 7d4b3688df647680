"""Signals that whoever started the tests ignores, as ``nohup`` and background jobs of shells do.

A process that ignores a signal passes that on to all it starts, and then a test that sends it waits for nothing. One
that handles it does not: what it starts has the default again.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

IGNORED_BY_CALLERS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def keep_ignored_signals_from_children() -> None:
    """Go on as if they were ignored, but have processes that are started from now on not ignore them."""
    for number in IGNORED_BY_CALLERS:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    del number, frame
