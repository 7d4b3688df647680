"""The log of the service: stderr, with the priorities that the journal understands if it is the journal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.host import Host
from nethook.host.service_manager import reads_priorities

if TYPE_CHECKING:
    from collections.abc import Iterable


class Journal(Host):
    """A host whose log is stderr."""

    __slots__ = ()

    def log(self, priority: int, lines: Iterable[str]) -> None:
        """Write each line with this priority, which is one of ``syslog``'s."""
        start = f"<{priority}>" if reads_priorities() else "nethook: "
        for line in lines:
            print(f"{start}{line}", file=sys.stderr, flush=True)
