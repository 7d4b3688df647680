"""Files in ``/run/nethook``: what the kernel cannot tell, gone with it at the next boot. Their users hold the lock."""

from __future__ import annotations

import os


def read(path: str) -> str:
    """What the file holds, '' if it is not there; OSError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def write(path: str, text: str) -> None:
    """Make the file hold this, in one step; OSError if that is not possible."""
    beside = f"{path}.new"
    try:
        with open(beside, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.replace(beside, path)
    except OSError:
        if os.path.isfile(beside):
            os.unlink(beside)
        raise
