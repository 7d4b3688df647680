"""Text that may be longer than the terminal: shown by a pager then."""

from __future__ import annotations

import shutil
import sys

from nethook.host.pager import page
from nethook.terminal import is_dumb


def show(text: str, *, pages: bool = True) -> None:
    """Print the text; with ``pages`` in a pager, if a person sits at the terminal and it does not fit."""
    if pages and _does_not_fit(text) and page(f"{text}\n"):
        return
    print(text)


def _does_not_fit(text: str) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or is_dumb():
        return False
    return text.count("\n") + 2 > shutil.get_terminal_size().lines  # one line is the prompt's
