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
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

ENTER, LEAVE = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l"
TO_THE_TOP, CLEAR_LINE, CLEAR_BELOW = "\033[H", "\033[K", "\033[J"
MOST_KEYS = 64
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

    def paint(self, text: str) -> None:
        """Show only this text. Lines that do not fit are left out, and the last line tells their number."""
        size = shutil.get_terminal_size()
        lines = text.split("\n")
        if len(lines) > size.lines:
            more = len(lines) - size.lines + 1
            lines = [*lines[: size.lines - 1], f"… {more} more lines: enlarge the window, or name addresses"]
        shown = f"{CLEAR_LINE}\n".join(cut(line, size.columns) for line in lines)
        sys.stdout.write(f"{TO_THE_TOP}{shown}{CLEAR_LINE}{CLEAR_BELOW}")
        sys.stdout.flush()

    def is_left(self, seconds: float) -> bool:
        """Wait for so many seconds. Return True as soon as q is pressed or standard input is closed."""
        if select.select([sys.stdin], [], [], seconds)[0]:
            keys = os.read(sys.stdin.fileno(), MOST_KEYS)
            return not keys or b"q" in keys.lower()
        return False


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
