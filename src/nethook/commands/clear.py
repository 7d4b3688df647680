"""``nethook clear``: remove everything that is ours from the kernel."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.commands.report import report
from nethook.config import Configuration, load_settings
from nethook.engine.run import reconcile
from nethook.engine.situation import limited_host, require_root
from nethook.engine.uninterrupted import uninterrupted
from nethook.exit_status import DIFFERENT
from nethook.host.lock import FOLDER, RECORD_LOCK
from nethook.libvirt.record import FILE
from nethook.placement.scope import Scope
from nethook.terminal import confirm

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.host.host import Host

RECORD = {os.path.basename(path) for path in (FILE, RECORD_LOCK)}
"""The record of libvirt's events stays: without it, the next event would take other networks for the outside."""
QUESTION = "Guests lose their routed addresses until the next event of their network, or `nethook apply`. Go on?"


def run(options: Namespace) -> int:
    """Remove everything of ours from the kernel, after a confirmation."""
    require_root("remove routes and rules")
    if not options.yes and not confirm(QUESTION):
        print("nethook: nothing was removed; answer yes, or use --yes", file=sys.stderr)
        return DIFFERENT
    nothing = Configuration(load_settings(), [], [])
    host = limited_host()
    with uninterrupted(), host.locked():
        outcome = reconcile(nothing, [], Scope(), host, is_thorough=True, clears=True)
        if not outcome.failures:
            _forget(host)
        return report(outcome, "clear", "nothing of ours is in the kernel")


def _forget(host: Host) -> None:
    for name in host.names(FOLDER):
        if name not in RECORD:
            host.remove(f"{FOLDER}/{name}")
