"""``nethook clear``: remove everything that is ours from the kernel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.commands.report import report
from nethook.config import load_settings
from nethook.engine.cycle import uninterrupted
from nethook.engine.run import clear
from nethook.engine.situation import limited_host, require_root
from nethook.exit_status import DIFFERENT
from nethook.terminal import confirm

if TYPE_CHECKING:
    from argparse import Namespace

QUESTION = "Guests lose their routed addresses until the next event of their network, or `nethook apply`. Go on?"


def run(options: Namespace) -> int:
    """Remove everything of ours from the kernel, after a confirmation."""
    require_root("remove routes and rules")
    if not options.yes and not confirm(QUESTION):
        print("nethook: nothing was removed; answer yes, or use --yes", file=sys.stderr)
        return DIFFERENT
    host = limited_host()
    settings = load_settings(host)
    with uninterrupted(), host.locked():
        return report(clear(settings, host), "clear", "nothing of ours is in the kernel")
