"""The whole screen of a terminal, painted again and again until q is pressed.

Control sequences: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (alternate screen, cursor, erasing). All
current terminals have them.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

ENTER, LEAVE = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l"
TO_THE_TOP, CLEAR_LINE, CLEAR_BELOW = "\033[H", "\033[K", "\033[J"
MOST_KEYS = 64
KEYS = {
    **dict.fromkeys(("j", "\033[B", "\033OB"), "down"),
    **dict.fromkeys(("k", "\033[A", "\033OA"), "up"),
    **dict.fromkeys((" ", "\033[6~"), "page down"),
    **dict.fromkeys(("b", "\033[5~"), "page up"),
    **dict.fromkeys(("g", "\033[H", "\033OH", "\033[1~"), "first"),
    **dict.fromkeys(("G", "\033[F", "\033OF", "\033[4~"), "last"),
}
"""Keys that scroll, as terminals send them, and as less has them."""
_KEY = re.compile("|".join(map(re.escape, KEYS)))
_SEQUENCE = re.compile("(\033\\[[0-9;]*m)")


class Screen:
    """The screen during a ``with`` block. After it the terminal is as before, whatever ended the block."""

    def __enter__(self) -> Screen:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # all end the block as Ctrl-C does
            signal.signal(number, signal.default_int_handler)
        self._settings = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        sys.stdout.write(ENTER)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)

    def __init__(self) -> None:
        self._head: list[str] = []
        self._lines: list[str] = []
        self._top = 0
        """The first of the lines that is shown."""

    def paint(self, head: str, text: str) -> None:
        """Show only this text, as much of it as fits, below a head that stays when it is scrolled."""
        self._head, self._lines = head.split("\n"), text.split("\n")
        self._repaint()

    def _repaint(self) -> None:
        size = shutil.get_terminal_size()
        lines = [*self._head, *self._lines]
        if len(lines) > size.lines:
            room = self._room(size.lines)
            self._top = max(0, min(self._top, len(self._lines) - room))
            last = self._top + room
            place = f"lines {self._top + 1} to {last} of {len(self._lines)}: scroll with arrows, space, b, g, G"
            lines = [*self._head, *self._lines[self._top : last], place]
        shown = f"{CLEAR_LINE}\n".join(cut(line, size.columns) for line in lines)
        sys.stdout.write(f"{TO_THE_TOP}{shown}{CLEAR_LINE}{CLEAR_BELOW}")
        sys.stdout.flush()

    def _room(self, lines: int) -> int:
        """Return how many lines of the text a window of so many lines shows, beside the head and the last line."""
        return max(1, lines - len(self._head) - 1)

    def is_left(self, seconds: float) -> bool:
        """Wait for so many seconds, and scroll. Return True as soon as q is pressed or standard input is closed."""
        end = time.monotonic() + seconds
        while select.select([sys.stdin], [], [], max(0.0, end - time.monotonic()))[0]:
            keys = os.read(sys.stdin.fileno(), MOST_KEYS).decode("ascii", "replace")
            if not keys or "q" in keys.lower():
                return True
            for key in _KEY.findall(keys):
                self._scroll(KEYS[key])
            self._repaint()
        return False

    def _scroll(self, where: str) -> None:
        page = self._room(shutil.get_terminal_size().lines)
        steps = {
            "down": 1,
            "up": -1,
            "page down": page,
            "page up": -page,
            "first": -self._top,
            "last": len(self._lines),
        }
        self._top = max(0, min(self._top + steps[where], len(self._lines) - page))


def cut(line: str, width: int) -> str:
    """Return the beginning of a line that takes at most this many columns; colours take none."""
    kept = []
    for part in _SEQUENCE.split(line):
        if _SEQUENCE.fullmatch(part):
            kept.append(part)
        else:
            kept.append(part[:width])
            width -= len(kept[-1])
    return "".join(kept)
