"""Small files in which the kernel, or a daemon, says something."""

from __future__ import annotations


def read(path: str) -> str | None:
    """What the file says; None if there is none. OSError if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sysctl(name: str) -> int | None:
    """The value of a number below /proc/sys, its name with slashes; None if the kernel does not have it."""
    try:
        return int(read(f"/proc/sys/{name}") or "")
    except ValueError:
        return None
