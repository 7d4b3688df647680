"""libvirt's daemon: its version, and reloading it so that it looks for hooks.

The daemon is libvirtd, or virtnetworkd where libvirt is split into modular daemons. A host may have both, of the same
version.
"""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

from nethook.errors import NethookError, ReadError
from nethook.host.process import Call, ToolMissingError
from nethook.install import systemd
from nethook.install.task import Task
from nethook.libvirt.live import DAEMONS, running

if TYPE_CHECKING:
    from nethook.host.process import Tools

    Version = tuple[int, int]

DAEMONS_OF_GUESTS = ("libvirtd", "virtqemud")


class NoDaemonError(NethookError):
    """There is no libvirt on this host."""


def version(tools: Tools) -> Version:
    """Return the daemon's major and minor version. NoDaemonError without a daemon, ReadError if it does not answer."""
    for daemon in DAEMONS:
        try:
            result = tools.run(Call((daemon, "--version")))
        except ToolMissingError:
            continue
        if result.status != 0:
            raise ReadError(result.failure)
        numbers = re.search(r" (\d+)\.(\d+)\.", result.out)  # "libvirtd (libvirt) 9.0.0"
        if numbers is None:
            raise ReadError(result.not_understood)
        return int(numbers[1]), int(numbers[2])
    raise NoDaemonError(
        "libvirt's daemon is not installed; install the package libvirt-daemon-system (Debian, Ubuntu) or "
        "libvirt-daemon (Fedora, RHEL, SUSE)"
    )


def reload(tools: Tools) -> list[Task]:
    """Return the tasks that make each running daemon look for hooks. A stopped one looks for them when it starts."""
    if systemd.runs():
        units = [f"{daemon}.service" for daemon in DAEMONS]
        return [systemd.reload(tools, unit) for unit in units if systemd.is_active(tools, unit)]
    return [_reload_process(daemon, pid) for daemon in DAEMONS for pid in running(daemon)]


def restart(tools: Tools) -> str:
    """Return the command that restarts the daemon of the networks."""
    active = (daemon for daemon in DAEMONS if systemd.is_active(tools, f"{daemon}.service"))
    return f"systemctl restart {next(active, DAEMONS[-1])}.service"


def of_guests(tools: Tools) -> str:
    """Return the unit of the daemon that runs the guests; '' if systemd knows none that runs.

    When it starts, it plugs all running guests into their bridges: qemuProcessNotifyNets in libvirt's
    src/qemu/qemu_process.c.
    """
    if not systemd.runs():
        return ""
    units = [f"{name}.{kind}" for kind in ("service", "socket") for name in DAEMONS_OF_GUESTS]
    active = next((unit for unit in units if systemd.is_active(tools, unit)), "")
    return f"{active.partition('.')[0]}.service" if active else ""


def _reload_process(daemon: str, pid: int) -> Task:
    what = f"{daemon}, process {pid}"
    return Task(f"reload {what}", f"reloaded {what}", lambda: os.kill(pid, signal.SIGHUP))
