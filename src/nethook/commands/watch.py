"""``nethook watch``: the resident service, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.engine.situation import require_root
from nethook.watch.service import watch

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Keep what is in force as it should be, until SIGTERM."""
    require_root("change routes and rules")
    return watch(is_once=options.once)
