"""Starting programs that have to succeed, or whose success is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.host.process import Call

if TYPE_CHECKING:
    from nethook.host.process import Tools

SECONDS = "3"
"""How long a program that is started by its path may take: less than ``Tools`` waits, so that nothing is left."""


def must(tools: Tools, *argv: str) -> None:
    """Run it. NethookError, with what it said, if it fails."""
    result = tools.run(Call(argv))
    if result.status != 0:
        raise NethookError(result.failure)


def succeeds(tools: Tools, *argv: str) -> bool:
    """Whether it ends with success."""
    return tools.run(Call(argv)).status == 0


def at_path(path: str, *arguments: str) -> Call:
    """What runs the program of this path, as the hook does: ``Tools`` finds programs by name only."""
    return Call(("timeout", SECONDS, path, *arguments))
