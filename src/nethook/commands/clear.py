"""``nethook clear``: remove everything that is ours from the kernel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.commands.plan import show_effects
from nethook.commands.report import report
from nethook.config import load_settings
from nethook.engine.cycle import uninterrupted
from nethook.engine.plan import decide
from nethook.engine.run import clear, cleared
from nethook.engine.situation import limited_host, require_root
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.terminal import confirm

if TYPE_CHECKING:
    from argparse import Namespace

NOTHING = "nothing of ours is in the kernel"
QUESTION = (
    "Guests lose their routed addresses and forwarded ports until the next event of their network, or `nethook apply`. "
    "Go on?"
)


def run(options: Namespace) -> int:
    """Remove everything of ours from the kernel, after a confirmation."""
    require_root("remove routes and rules")
    if options.dry_run:
        return _show()
    if not options.yes and not confirm(QUESTION):
        print("nethook: nothing was removed; answer yes, or use --yes", file=sys.stderr)
        return DIFFERENT
    return remove_all()


def remove_all() -> int:
    """Remove everything of ours from the kernel, and return the exit status."""
    host = limited_host()
    settings = load_settings(host)
    with uninterrupted(), host.locked():
        outcome = clear(settings, host)
        status = report(outcome, "clear", NOTHING)
    outcome.tell_program(host)
    return status


def _show() -> int:
    """Print what would be removed, and return the exit status."""
    host = limited_host()
    plan = decide(cleared(load_settings(host), host))
    show_effects(plan)
    for failure in plan.failures:
        print(f"nethook: {failure}", file=sys.stderr)
    if not plan.effects and not plan.failures:
        print(f"nethook: {NOTHING}", file=sys.stderr)
    return DIFFERENT if plan.effects else UNKNOWN if plan.failures else OK
