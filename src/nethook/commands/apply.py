"""``nethook apply``: make the kernel what files and libvirt say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.commands.report import report
from nethook.commands.situation import SECONDS, require_root, situation
from nethook.config import load
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT
from nethook.kernel.process import Tools
from nethook.lock import Locked, last_run
from nethook.reconcile import reconcile
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.reconcile import Outcome

ATTEMPTS = 10
"""Each is some milliseconds; events come one by one."""


def run(options: Namespace) -> int:
    """Apply, unless a line is wrong and the others are not to be applied without it."""
    require_root("change routes and rules")
    configuration = load()
    show_problems(configuration.problems, sys.stderr)
    if configuration.problems and not options.keep_going:
        print(
            "nethook: nothing was changed, because of these mistakes; mend them, or use --keep-going", file=sys.stderr
        )
        return DIFFERENT
    return report(_apply(configuration, options.networks), "apply", "nothing to do")


def _apply(configuration: Configuration, names: Sequence[str]) -> Outcome:
    """Ask libvirt, take the lock, and reconcile if no other run came between: then libvirt's answer still holds."""
    for _ in range(ATTEMPTS):
        before = last_run()
        now = situation(configuration, names)
        with Locked() as lock:
            if lock.previous == before:
                outcome = reconcile(configuration, now.up, now.scope, Tools(SECONDS), now.others)
                break
    else:
        raise NethookError("libvirt's events keep coming between; nothing was changed, try again")
    now.say_what_is_odd()
    return outcome
