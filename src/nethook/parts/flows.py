"""Connections of an address that moved to another guest: deleting them, and remembering which are still to be deleted.

What makes it hard, and how each point is met:

- A run that changes where an address is may fail, or be killed, before it has deleted the connections from before. The
  next run finds nothing changed and would not know. So the prefix is noted first, and forgotten when conntrack has
  deleted its connections.
- Each deletion goes through the kernel's whole table, which may take seconds. So it is done without the lock. Each run
  has a file of its own for its notes, which it makes and removes as a whole: what another run notes of the same prefix
  meanwhile stays.

https://conntrack-tools.netfilter.org/
"""

from __future__ import annotations

import os
import time

from nethook.host.process import Call
from nethook.net.prefix import is_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.host.host import Host
    from nethook.host.process import Result

TOOL = "conntrack"
NONE_FOUND = "0 flow entries have been deleted"
FOLDER = "/run/nethook"
START = "owed."


def can_be_deleted(host: Host) -> bool:
    """Return whether there is the tool for it, which not every host has; connections then end when they end."""
    return host.has_program(TOOL)


def deletions(prefix: str) -> list[Call]:
    """Return the calls that delete the connections from this prefix and to it, as their first packets had it."""
    family = "ipv6" if ":" in prefix else "ipv4"
    return [Call((TOOL, "-D", "-f", family, end, prefix)) for end in ("--orig-src", "--orig-dst")]


def has_failed(result: Result) -> bool:
    """Return whether a deletion went wrong; that there were no such connections is right, too."""
    return result.status != 0 and NONE_FOUND not in result.err


class Owed:
    """Prefixes whose connections must still be deleted, and the files in which they are noted."""

    __slots__ = ("files", "prefixes")

    def __init__(self, prefixes: Iterable[str] = (), files: Iterable[str] = ()) -> None:
        self.prefixes = set(prefixes)
        self.files = set(files)

    def joined(self, other: Owed) -> Owed:
        """Return what both have."""
        return Owed(self.prefixes | other.prefixes, self.files | other.files)

    def forget(self, host: Host) -> None:
        """Remove the files; OSError if that fails. One that another run has removed is no failure."""
        for path in self.files:
            host.remove(path)


def read(host: Host) -> Owed:
    """Return all that is noted; OSError if it cannot be read. The caller holds the lock."""
    owed = Owed()
    for name in host.names(FOLDER):
        if name.startswith(START) and not name.endswith(".new"):
            path = f"{FOLDER}/{name}"
            owed.files.add(path)
            # conntrack would refuse anything else, and it would be tried and logged at each event.
            owed.prefixes.update(filter(is_prefix, host.recorded(path).split()))
    return owed


def note(host: Host, prefixes: Iterable[str]) -> Owed:
    """Note these prefixes; OSError if that fails."""
    path = f"{FOLDER}/{START}{time.time_ns()}.{os.getpid()}"
    host.record(path, "".join(f"{prefix}\n" for prefix in sorted(prefixes)))
    return Owed(prefixes, [path])
