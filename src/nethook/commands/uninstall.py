"""``nethook uninstall``: remove what ``nethook install`` has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.engine.situation import require_root
from nethook.exit_status import OK
from nethook.host.host import Host
from nethook.install import daemon, firewalld, forwarding, hook_file, systemd, units
from nethook.install.step import show, take, warn
from nethook.legacy06 import old_link
from nethook.libvirt import record

if TYPE_CHECKING:
    from argparse import Namespace

SECONDS = 60.0


def run(options: Namespace) -> int:
    """Uninstall, or say what would be done. Returns the exit status."""
    if not options.dry_run:
        require_root("remove the hook")
    tools = Host(SECONDS)
    steps = units.removal(tools) if systemd.runs() else []
    sees_all = firewalld.can_look()
    if not sees_all:
        warn("what of ours is in firewalld's folder is shown to root only: try it with sudo")
    steps += firewalld.removal(tools)  # before libvirt is told: see install
    hook = hook_file.removal()
    if hook:
        steps += [*hook, *daemon.reload(tools)]
    settings = forwarding.removal()
    steps += settings
    link = old_link.target(hook_file.ONLY)
    if link is not None:
        warn(f"{hook_file.ONLY}, the link of release 0.6, stays and runs {link}; to remove it: rm {hook_file.ONLY}")
    if not steps:
        print("nothing of nethook is installed here" if sees_all else "nothing else of nethook is installed here")
        return OK
    if options.dry_run:
        show(steps)
        return OK
    status = take(steps)
    if hook:  # nobody keeps it up to date any more
        record.forget(tools)
    warn("what is in the kernel stays in force, until `nethook clear`")
    if settings:
        warn("forwarding stays on, until the next boot")
    return status
