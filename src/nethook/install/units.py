"""The unit of systemd: nethook.service, which applies the files at boot and then watches.

A unit that a package of the distribution has installed is only enabled; otherwise it is written for this installation.
A foreign unit is never changed.

Earlier versions had five units. What is left of them is stopped and removed.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from nethook.install import systemd
from nethook.install.own_files import holds, is_ours, write
from nethook.install.package import PACKAGE
from nethook.install.task import RefusedError, Task, remove

if TYPE_CHECKING:
    from nethook.host.process import Tools

SERVICE = "nethook.service"
FORMER_PATH = "nethook.path"
FORMER_LISTENERS = ("nethook-firewalld.service", FORMER_PATH)
"""Units of earlier versions that were enabled; the others were started by these."""
FORMER = (FORMER_PATH, "nethook-file@.path", "nethook-reload.service", "nethook-firewalld.service")
FOLDER = "/etc/systemd/system"
PACKAGED = f"/usr/lib/systemd/system/{SERVICE}"
MODE = 0o644


def are_packaged() -> bool:
    """Return whether a package of the distribution has installed the unit."""
    return os.path.exists(PACKAGED)


def is_there() -> bool:
    """Return whether systemd finds the unit, ours or a package's."""
    return os.path.exists(_path(SERVICE)) or are_packaged()


def text(python: str) -> str:
    """Return the text of the unit for this interpreter."""
    template = (PACKAGE / "units" / SERVICE).read_text(encoding="utf-8")
    return template.replace("@PYTHON@", quoted(python))


def quoted(path: str) -> str:
    """Return a path as a word of a command line in a unit: systemd.service(5)."""
    path = path.replace("%", "%%")
    return path if re.fullmatch(r"[\w/.+%-]+", path) else '"' + path.replace("\\", r"\\").replace('"', r"\"") + '"'


def refuse_foreign() -> None:
    """Raise RefusedError if a foreign unit has the name of ours."""
    if is_ours(_path(SERVICE)) is False:
        raise RefusedError(f"{_path(SERVICE)} is a foreign unit; rename it, or unmask it if it is masked")


def are_current() -> bool:
    """Return whether the units are as this version installs them."""
    return not _former() and not _file()


def former_applies_changes(tools: Tools) -> bool:
    """Return whether a unit of an earlier version applies the files whenever they change."""
    return bool(is_ours(_path(FORMER_PATH))) and systemd.is_enabled(tools, FORMER_PATH)


def tasks(tools: Tools) -> list[Task]:
    """Return the tasks that write and start the unit, so that addresses are routed now and at boot."""
    todo = _without_former(tools)
    written = _file()
    todo += written
    if todo:
        todo.append(systemd.reread(tools))
    if not systemd.is_enabled(tools, SERVICE):
        todo.append(systemd.enable(tools, SERVICE))
    if not systemd.is_active(tools, SERVICE):
        todo.append(systemd.start(tools, SERVICE))
    elif written:
        todo.append(systemd.restart(tools, SERVICE))
    return todo


def removal(tools: Tools) -> list[Task]:
    """Return the tasks that stop and remove all units of ours."""
    todo = _without_former(tools)
    is_foreign = is_ours(_path(SERVICE)) is False
    if not is_foreign and (systemd.is_enabled(tools, SERVICE) or systemd.is_active(tools, SERVICE)):
        todo.append(systemd.disable(tools, SERVICE))
    removed = [remove(_path(SERVICE))] if is_ours(_path(SERVICE)) else []
    return [*todo, *removed, systemd.reread(tools)] if removed or _former() else todo


def hand_over(tools: Tools) -> list[Task]:
    """Return the tasks that stop and remove the units of other installations, which would override a package's."""
    todo = _without_former(tools)
    if is_ours(_path(SERVICE)):
        todo += [systemd.disable(tools, SERVICE), remove(_path(SERVICE))]
    return [*todo, systemd.reread(tools)] if todo else []


def _without_former(tools: Tools) -> list[Task]:
    """Return the tasks that stop and remove the units of an earlier version."""
    units = _former()
    todo = [
        systemd.disable(tools, unit)
        for unit in FORMER_LISTENERS
        if unit in units and (systemd.is_enabled(tools, unit) or systemd.is_active(tools, unit))
    ]
    return [*todo, *(remove(_path(unit)) for unit in units)]


def _former() -> list[str]:
    """Return the units that an earlier version has left."""
    return [unit for unit in FORMER if is_ours(_path(unit))]


def _file() -> list[Task]:
    """Return the task that writes our unit, or removes it where a package has one: ours would override it."""
    path = _path(SERVICE)
    if are_packaged():
        return [remove(path)] if is_ours(path) else []
    data = text(sys.executable).encode()
    if holds(path, data, MODE):
        return []
    return [Task(f"write {path}", f"+ {path}", lambda: write(path, data, MODE, FOLDER, lambda _: None), ends_run=True)]


def _path(unit: str) -> str:
    return f"{FOLDER}/{unit}"
