"""``nethook clear``: remove everything that is ours from the kernel."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.commands.result import DIFFERENT, report
from nethook.config import load_settings
from nethook.engine.present import read
from nethook.engine.reconcile import Outcome
from nethook.engine.situation import limited_host, require_root
from nethook.engine.steps import clearance
from nethook.engine.uninterrupted import uninterrupted
from nethook.gates import gates
from nethook.gates.firewalld.files import SETS
from nethook.gates.firewalld.gate import look
from nethook.host.lock import FOLDER, RECORD_LOCK
from nethook.libvirt.record import FILE
from nethook.terminal import confirm

if TYPE_CHECKING:
    from argparse import Namespace

RECORD = {os.path.basename(path) for path in (FILE, RECORD_LOCK)}
"""The record of libvirt's events stays: without it, the next event would take other networks for the outside."""
QUESTION = "Guests lose their routed addresses until the next event of their network, or `nethook apply`. Go on?"


def run(options: Namespace) -> int:
    """Remove everything of ours from the kernel, after a confirmation."""
    require_root("remove routes and rules")
    if not options.yes and not confirm(QUESTION):
        print("nethook: nothing was removed; answer yes, or use --yes", file=sys.stderr)
        return DIFFERENT
    settings = load_settings()
    host = limited_host()
    outcome = Outcome()
    with uninterrupted(), host.locked():
        present, chains, _ = read(settings.route_protocol, gates(host, host.families(), settings.mark_bit), host)
        host.allow_for(len(present.routes))
        closings = [closing for closing in (gate.closing(chain) for gate, chain in chains) if closing]
        firewalld, outcome.failures = look(dict.fromkeys(SETS, ()), host)
        closings += firewalld.changes() if firewalld else []
        outcome.take(clearance(present, closings, settings.route_protocol), host)
        if not outcome.failures:
            _forget()
        return report(outcome, "clear", "nothing of ours is in the kernel")


def _forget() -> None:
    for name in os.listdir(FOLDER):
        if name not in RECORD:
            os.remove(f"{FOLDER}/{name}")
