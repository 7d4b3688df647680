"""systemd: the state of units, and the tasks that change it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.host.process import Call
from nethook.install.task import Task, must, succeeds

if TYPE_CHECKING:
    from nethook.host.process import Tools

UNIT_SECONDS = 200.0
"""Longer than systemd itself waits: nethook.service has TimeoutStartSec=3min, because it waits for libvirt's daemon."""


def runs() -> bool:
    """Return whether systemd runs this host: sd_booted(3)."""
    return os.path.isdir("/run/systemd/system")


def is_active(tools: Tools, unit: str) -> bool:
    """Return whether the unit is started."""
    return succeeds(tools, "systemctl", "is-active", "--quiet", unit)


def is_enabled(tools: Tools, unit: str) -> bool:
    """Return whether the unit is started at boot."""
    return succeeds(tools, "systemctl", "is-enabled", "--quiet", unit)


def reread(tools: Tools) -> Task:
    """Return the task that makes systemd read its unit files."""
    return Task(
        "have systemd read its units", "systemd has read its units", lambda: must(tools, "systemctl", "daemon-reload")
    )


def enable(tools: Tools, unit: str) -> Task:
    """Return the task that has the unit started at boot."""
    return Task(f"enable {unit}", f"enabled {unit}", lambda: must(tools, "systemctl", "enable", "--quiet", unit))


def disable(tools: Tools, unit: str) -> Task:
    """Return the task that stops the unit, disables it at boot, and forgets that it has failed."""

    def run() -> None:
        must(tools, "systemctl", "disable", "--now", "--quiet", unit)
        tools.run(Call(("systemctl", "reset-failed", unit)))  # fails if systemd has forgotten the unit, which is fine

    return Task(f"disable {unit}", f"disabled {unit}", run)


def reload(tools: Tools, unit: str) -> Task:
    """Return the task that reloads the unit's configuration."""
    return Task(f"reload {unit}", f"reloaded {unit}", lambda: _to_its_end(tools, "reload", unit))


def start(tools: Tools, unit: str) -> Task:
    """Return the task that starts the unit, and waits until it is started."""
    return Task(f"start {unit}", f"started {unit}", lambda: _to_its_end(tools, "start", unit))


def restart(tools: Tools, unit: str) -> Task:
    """Return the task that restarts the unit, and waits until it is started, however often that was done just now."""

    def run() -> None:
        tools.run(Call(("systemctl", "reset-failed", unit)))  # else systemd refuses the sixth within 10 s
        _to_its_end(tools, "restart", unit)

    return Task(f"restart {unit}", f"restarted {unit}", run)


def _to_its_end(tools: Tools, verb: str, unit: str) -> None:
    """Have systemd do this with a unit, and wait for it. What is done after it has as much time as without it."""
    left = tools.seconds_left
    tools.deadline = time.monotonic() + UNIT_SECONDS
    result = tools.run(Call(("systemctl", verb, unit)))
    tools.deadline = time.monotonic() + left
    if result.status is None:
        raise NethookError(f"{unit} has not finished after {UNIT_SECONDS:.0f} s; look later: systemctl status {unit}")
    if result.status != 0:
        raise NethookError(f"{unit} failed; see: systemctl status {unit}")
