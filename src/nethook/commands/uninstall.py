"""``nethook uninstall``: remove what ``nethook install`` has installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.engine.situation import require_root
from nethook.exit_status import DIFFERENT, OK
from nethook.install import daemon, firewalld_files, forwarding, hook_file, systemd, units
from nethook.install.package import DISTRIBUTED, PACKAGES
from nethook.install.task import patient_host, run_tasks, show, warn
from nethook.legacy06 import old_link
from nethook.libvirt import record

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Uninstall, or print what would be done, and return the exit status."""
    if not options.dry_run:
        require_root("remove the hook")
    tools = patient_host()
    tasks = units.removal(tools) if systemd.runs() else []
    sees_all = firewalld_files.can_look()
    if not sees_all:
        warn("only root can see our files in firewalld's folder: try it with sudo")
    tasks += firewalld_files.removal(tools)  # before libvirt reloads: see install
    hook = hook_file.removal()
    if hook:
        tasks += [*hook, *daemon.reload(tools)]
    settings = forwarding.removal()
    tasks += settings
    link = old_link.target(hook_file.ONLY)
    if link is not None:
        warn(f"{hook_file.ONLY}, the link of release 0.6, stays and runs {link}; to remove it: rm {hook_file.ONLY}")
    if not tasks:
        print("nothing of nethook is installed here" if sees_all else "nothing else of nethook is installed here")
        return OK
    if options.dry_run:
        show(tasks)
        return DIFFERENT
    status = run_tasks(tasks)
    if hook:  # without the hook, the record gets out of date
        record.forget(tools)
    if PACKAGES == DISTRIBUTED:
        warn("the package libvirt-nethook-helper stays: remove it, or run `nethook install` to undo this")
    warn("addresses stay routed, and ports forwarded, until you run `nethook clear`")
    if settings:
        warn("forwarding stays on until the next boot")
    return status
