"""``nethook wait``: wait until addresses are routed, or ports forwarded."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from nethook.config.text import one_line
from nethook.engine.situation import asked_about, require_root
from nethook.exit_status import DIFFERENT, OK
from nethook.libvirt.live import LibvirtError
from nethook.placement.forwarded import FORWARDED
from nethook.status.line_states import ROUTED
from nethook.status.overview import overview
from nethook.status.selection import Selection

if TYPE_CHECKING:
    from argparse import Namespace

INTERVAL = 0.5


def run(options: Namespace) -> int:
    """Wait, and return the exit status. When the time is over, say what is still missing."""
    require_root("see what is in force")
    selection = Selection(asked_about(options.addresses))
    until = time.monotonic() + options.seconds
    while True:
        missing = _missing(selection)
        if not missing:
            return OK
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(INTERVAL, left))
    for line in missing:
        print(f"nethook: {line}", file=sys.stderr)
    return DIFFERENT


def _missing(selection: Selection) -> list[str]:
    """Return a sentence for each line that is not in force. NethookError if no line names an address."""
    try:
        found = selection.of(overview())
    except LibvirtError as error:  # it may still be starting
        return [str(error)]
    return [
        one_line(f"{each.line.text} is {each.state}" + (f": {each.reason}" if each.reason else ""))
        for each in found.all
        if each.state not in {ROUTED, FORWARDED}
    ]
