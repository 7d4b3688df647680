"""The work of maintainer scripts of a package.

The package manager has the files and the service. It does not have the hook: that is there as long as the package is,
but only where libvirt may run it. Nothing here makes an installation fail. It says what to do later.

A removed package leaves what is ours in the kernel, so that guests stay reachable.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook import log
from nethook.commands import install
from nethook.engine import applied
from nethook.errors import NethookError
from nethook.install import daemon, firewalld_files, hook_file, package, systemd, units
from nethook.install.own_files import is_ours
from nethook.install.task import carry_out, patient_host, warn
from nethook.libvirt import record
from nethook.packaged import clearing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.host import Host
    from nethook.install.task import Task

INSTALLED, REMOVED = "installed", "removed"
LATER = "libvirt may not run the hook yet; when that is corrected, run `nethook install`"


def main(arguments: Sequence[str]) -> None:
    """Do the work for a package that is now INSTALLED, or upgraded, or is about to be REMOVED."""
    {INSTALLED: installed, REMOVED: removed}[arguments[0]]()


def installed() -> None:
    """Have libvirt run the hook, and give way to the package's unit. Call it again when libvirt has come."""
    tools = patient_host()
    clearing.forget()
    if systemd.runs():
        if units.former_applies_changes(tools):
            _warn(install.NO_LONGER_AUTOMATIC, tools)
        _carry_out(units.hand_over(tools), tools)
    if is_ours(hook_file.OURS) is None:  # no upgrade: after an upgrade, what was cleared stays cleared
        applied.forget_clear(tools)
    try:
        if _carry_out([*firewalld_files.tasks(tools), *install.hook_tasks(tools, lambda _: True)], tools):
            _warn(LATER, tools)
    except daemon.NoDaemonError:
        _warn("libvirt's daemon is not installed; the hook will be written when it is", tools)
    except NethookError as error:
        _warn(f"{error}", tools)
        _warn(LATER, tools)
    if warning := package.warning_of_others(tools):
        _warn(warning, tools)


def removed() -> None:
    """Remove the hook, and keep a program that removes the rest."""
    tools = patient_host()
    # libvirt need not reload. It looks into the folder at each event, and a reload rewrites the rules of its networks.
    _carry_out(hook_file.removal(), tools)
    record.forget(tools)  # without the hook, it gets out of date
    clearing.keep()
    _warn(
        f"addresses stay routed, and ports forwarded, until the next boot; to end that now: {clearing.COMMAND}", tools
    )


def _carry_out(tasks: Iterable[Task], tools: Host) -> bool:
    """Carry out the tasks; print and log what was done. Return whether something has failed."""
    done, failures = carry_out(tasks, print)
    log.info((f"{each} [package]" for each in done), tools)
    log.errors((f"package: {each}" for each in failures), tools)
    return bool(failures)


def _warn(message: str, tools: Host) -> None:
    """Print and log a message: nobody may read what is printed, as with unattended upgrades."""
    warn(message)
    log.errors([f"package: {message}"], tools)


if __name__ == "__main__":
    main(sys.argv[1:])
