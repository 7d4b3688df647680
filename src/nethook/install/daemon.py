"""libvirt's daemon: which version it is, and telling it to look for hooks.

It is libvirtd, or virtnetworkd where libvirt has a daemon for each of its parts; a host may have both, of one version.
"""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

from nethook.errors import NethookError, ReadError
from nethook.host.files import read
from nethook.host.process import Call, ToolMissingError
from nethook.install import systemd
from nethook.install.step import Step

if TYPE_CHECKING:
    from nethook.host.process import Tools

    Version = tuple[int, int]

DAEMONS = ("virtnetworkd", "libvirtd")


class NoDaemonError(NethookError):
    """There is no libvirt on this host."""


def version(tools: Tools) -> Version:
    """Major and minor version. NoDaemonError if there is none, ReadError if what it says is not understood."""
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


def reload(tools: Tools) -> list[Step]:
    """Have each daemon that runs look for hooks; one that does not run will do so when it starts."""
    if systemd.runs():
        units = [f"{daemon}.service" for daemon in DAEMONS]
        return [systemd.reload(tools, unit) for unit in units if systemd.is_active(tools, unit)]
    return [_reload_process(daemon, pid) for daemon in DAEMONS for pid in running(daemon)]


def restart(tools: Tools) -> str:
    """The command that restarts the daemon that has the networks."""
    name = next((name for name in DAEMONS if systemd.is_active(tools, f"{name}.service")), DAEMONS[-1])
    return f"systemctl restart {name}.service"


def _reload_process(daemon: str, pid: int) -> Step:
    what = f"{daemon}, process {pid}"
    return Step(f"reload {what}", f"reloaded {what}", lambda: os.kill(pid, signal.SIGHUP))


def running(daemon: str) -> list[int]:
    """The process that the daemon's file says it is, if that is still the daemon."""
    pid = (read(f"/run/{daemon}.pid") or "").strip()
    is_daemon = pid.isdecimal() and (read(f"/proc/{pid}/comm") or "").strip() == daemon
    return [int(pid)] if is_daemon else []
