"""Small files: settings and state that the kernel shows as files, and our own in ``/run/nethook``.

The files in ``/run/nethook`` hold what the kernel cannot tell. They go with it at the next boot.
"""

from __future__ import annotations

import os


def read(path: str) -> str | None:
    """Return the text of the file; None if there is none. OSError if it cannot be read.

    The kernel says ProcessLookupError for a file of a process that has ended since it was opened.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return None


def sysctl(name: str) -> int | None:
    """Return the value of a number below /proc/sys, its name with slashes; None if the kernel does not have it."""
    try:
        return int(read(f"/proc/sys/{name}") or "")
    except ValueError:
        return None


def write(path: str, text: str) -> None:
    """Write into a file that is there, such as a setting of the kernel; OSError if that fails."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def recorded(path: str) -> str:
    """Return the text of a file of ours, with whatever bytes names consist of; '' if there is none. OSError."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def record(path: str, text: str) -> None:
    """Make a file of ours hold this text, in one step; OSError if that fails. The caller holds the lock."""
    beside = f"{path}.new"
    try:
        with open(beside, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.replace(beside, path)
    except OSError:
        if os.path.isfile(beside):
            os.unlink(beside)
        raise


def remove(path: str) -> None:
    """Remove a file of ours, if it is there; OSError if that fails."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def names(folder: str) -> list[str]:
    """Return the names of the files in this folder; none if there is no such folder. OSError if they are not known."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
