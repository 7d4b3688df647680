"""Whether systemd runs here, and what it does for units: steps for those things that are not so already."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.host.process import Call
from nethook.install.programs import must, succeeds
from nethook.install.step import Step

if TYPE_CHECKING:
    from nethook.host.process import Tools


def runs() -> bool:
    """Whether it is what runs this host: sd_booted(3)."""
    return os.path.isdir("/run/systemd/system")


def is_active(tools: Tools, unit: str) -> bool:
    """Whether the unit is started."""
    return succeeds(tools, "systemctl", "is-active", "--quiet", unit)


def is_enabled(tools: Tools, unit: str) -> bool:
    """Whether the unit is started at boot."""
    return succeeds(tools, "systemctl", "is-enabled", "--quiet", unit)


def reread(tools: Tools) -> Step:
    """Have systemd read its unit files."""
    return Step(
        "have systemd read its units", "systemd has read its units", lambda: must(tools, "systemctl", "daemon-reload")
    )


def enable(tools: Tools, unit: str) -> Step:
    """Have it started at boot."""
    return Step(f"enable {unit}", f"enabled {unit}", lambda: must(tools, "systemctl", "enable", "--quiet", unit))


def disable(tools: Tools, unit: str) -> Step:
    """Stop it, do not have it started at boot, and do not remember it as failed once it is gone."""

    def take() -> None:
        must(tools, "systemctl", "disable", "--now", "--quiet", unit)
        tools.run(Call(("systemctl", "reset-failed", unit)))  # an error if it is not known any more: all the better

    return Step(f"disable {unit}", f"disabled {unit}", take)


def reload(tools: Tools, unit: str) -> Step:
    """Have it read its configuration."""
    return Step(f"reload {unit}", f"reloaded {unit}", lambda: _to_its_end(tools, "reload", unit))


def start(tools: Tools, unit: str) -> Step:
    """Start it, and wait until it is started."""
    return Step(f"start {unit}", f"started {unit}", lambda: _to_its_end(tools, "start", unit))


def restart(tools: Tools, unit: str) -> Step:
    """Start it anew, and wait until it is started."""
    return Step(f"restart {unit}", f"restarted {unit}", lambda: _to_its_end(tools, "restart", unit))


def _to_its_end(tools: Tools, verb: str, unit: str) -> None:
    result = tools.run(Call(("systemctl", verb, unit)))
    # A unit may take longer than we let programs run. It goes on; another start joins it, and waits again.
    while result.status is None and time.monotonic() < tools.deadline:
        result = tools.run(Call(("systemctl", "start", unit)))
    if result.status is None:
        raise NethookError(f"{unit} has not ended yet; later, `systemctl status {unit}` tells how it did")
    if result.status != 0:
        raise NethookError(f"{unit} has failed; `systemctl status {unit}` tells why")
