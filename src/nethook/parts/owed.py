"""Prefixes whose connections must be deleted, noted until that is done.

A run that changes where an address is may fail, or be killed, before it has deleted the connections from before. The
next run finds nothing changed and would not know. So they are noted first, and forgotten when conntrack has deleted
them.

They are deleted without the lock. So each run has a file of its own, which it makes as a whole, and removes as a whole:
what another run notes of the same prefix meanwhile stays.
"""

from __future__ import annotations

import os
import time

from nethook.host import recorded
from nethook.net.prefix import is_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "/run/nethook"
START = "owed."


class Owed:
    """Prefixes that are noted, and the files in which they are."""

    __slots__ = ("files", "prefixes")

    def __init__(self, prefixes: Iterable[str] = (), files: Iterable[str] = ()) -> None:
        self.prefixes = set(prefixes)
        self.files = set(files)

    def joined(self, other: Owed) -> Owed:
        """Return what both have."""
        return Owed(self.prefixes | other.prefixes, self.files | other.files)

    def forget(self) -> None:
        """Remove the files; OSError if that fails. One that another run has removed is no failure."""
        for path in self.files:
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue


def read() -> Owed:
    """Return all that is noted; OSError if it cannot be read. The caller holds the lock."""
    owed = Owed()
    try:
        names = os.listdir(FOLDER)
    except FileNotFoundError:
        return owed
    for name in names:
        if name.startswith(START) and not name.endswith(".new"):
            path = f"{FOLDER}/{name}"
            owed.files.add(path)
            # What is none, conntrack would refuse, and it would be tried and logged at each event.
            owed.prefixes.update(filter(is_prefix, recorded.read(path).split()))
    return owed


def note(prefixes: Iterable[str]) -> Owed:
    """Note these prefixes; OSError if that fails."""
    path = f"{FOLDER}/{START}{time.time_ns()}.{os.getpid()}"
    recorded.write(path, "".join(f"{prefix}\n" for prefix in sorted(prefixes)))
    return Owed(prefixes, [path])
