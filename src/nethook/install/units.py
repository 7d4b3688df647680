"""The units of systemd.

- nethook.service applies the files at boot.
- nethook.path, if the administrator enables it, applies them when they change. It watches two of the files itself, and
  starts an instance of nethook-file@.path for each other file.
- nethook-firewalld.service is enabled only where firewalld is installed.

Units that a package of the distribution has installed are only enabled; others are written for this installation. A
foreign unit is never changed.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from nethook.install import firewalld_files, systemd
from nethook.install.own_files import holds, is_ours, write
from nethook.install.package import PACKAGE
from nethook.install.task import RefusedError, Task, remove

if TYPE_CHECKING:
    from nethook.host.process import Tools

SERVICE = "nethook.service"
PATH = "nethook.path"
FILE = "nethook-file@.path"
RELOAD = "nethook-reload.service"
FIREWALLD = "nethook-firewalld.service"
UNITS = (SERVICE, PATH, FILE, RELOAD, FIREWALLD)
FOLDER = "/etc/systemd/system"
PACKAGED = f"/usr/lib/systemd/system/{SERVICE}"
MODE = 0o644


def are_packaged() -> bool:
    """Return whether a package of the distribution has installed the units."""
    return os.path.exists(PACKAGED)


def is_there(unit: str) -> bool:
    """Return whether systemd finds a unit of this name, ours or a package's."""
    return any(os.path.exists(f"{folder}/{unit}") for folder in (FOLDER, os.path.dirname(PACKAGED)))


def text(unit: str, python: str) -> str:
    """Return the text of the unit for this interpreter."""
    template = (PACKAGE / "units" / unit).read_text(encoding="utf-8")
    return template.replace("@PYTHON@", quoted(python))


def quoted(path: str) -> str:
    """Return a path as a word of a command line in a unit: systemd.service(5)."""
    path = path.replace("%", "%%")
    return path if re.fullmatch(r"[\w/.+%-]+", path) else '"' + path.replace("\\", r"\\").replace('"', r"\"") + '"'


def refuse_foreign() -> None:
    """Raise RefusedError if a foreign unit has the name of one of ours."""
    for unit in UNITS:
        path = f"{FOLDER}/{unit}"
        if is_ours(path) is False:
            raise RefusedError(f"{path} is a foreign unit; rename it, or unmask it if it is masked")


def tasks(tools: Tools) -> list[Task]:
    """Return the tasks that write and enable the units, so that addresses are routed now and at boot."""
    todo, changed = _files()
    if changed:
        todo.append(systemd.reread(tools))
    if not systemd.is_enabled(tools, SERVICE):
        todo.append(systemd.enable(tools, SERVICE))
    if {PATH, FILE} & set(changed) and systemd.is_active(tools, PATH):  # its instances restart with it
        todo.append(systemd.restart(tools, PATH))
    if not systemd.is_active(tools, SERVICE):
        todo.append(systemd.start(tools, SERVICE))
    elif SERVICE in changed:
        todo.append(systemd.restart(tools, SERVICE))
    return [*todo, *_beside_firewalld(tools, changed)]


def _beside_firewalld(tools: Tools, changed: list[str]) -> list[Task]:
    """Return the tasks that make FIREWALLD run where firewalld is installed, and only there."""
    is_enabled, is_active = systemd.is_enabled(tools, FIREWALLD), systemd.is_active(tools, FIREWALLD)
    if not firewalld_files.is_installed():
        return [systemd.disable(tools, FIREWALLD)] if is_enabled or is_active else []
    todo = [] if is_enabled else [systemd.enable(tools, FIREWALLD)]
    if not is_active:
        todo.append(systemd.start(tools, FIREWALLD))
    elif FIREWALLD in changed:
        todo.append(systemd.restart(tools, FIREWALLD))
    return todo


def removal(tools: Tools) -> list[Task]:
    """Return the tasks that stop and remove all units of ours."""
    todo = [
        systemd.disable(tools, unit)
        for unit in (FIREWALLD, PATH, SERVICE)
        if is_ours(f"{FOLDER}/{unit}") is not False
        and (systemd.is_enabled(tools, unit) or systemd.is_active(tools, unit))
    ]
    files = [remove(f"{FOLDER}/{unit}") for unit in UNITS if is_ours(f"{FOLDER}/{unit}")]
    return [*todo, *files, systemd.reread(tools)] if files else todo


def _files() -> tuple[list[Task], list[str]]:
    """Return the tasks that write or remove unit files, and the names of those units."""
    if are_packaged():  # files of an earlier installation without a package would override them
        changed = [unit for unit in UNITS if is_ours(f"{FOLDER}/{unit}")]
        return [remove(f"{FOLDER}/{unit}") for unit in changed], changed
    contents = {unit: text(unit, sys.executable).encode() for unit in UNITS}
    changed = [unit for unit, data in contents.items() if not holds(f"{FOLDER}/{unit}", data, MODE)]
    return [_write(f"{FOLDER}/{unit}", contents[unit]) for unit in changed], changed


def _write(path: str, data: bytes) -> Task:
    return Task(
        f"write {path}", f"+ {path}", lambda: write(path, data, MODE, FOLDER, _nothing_to_verify), ends_run=True
    )


def _nothing_to_verify(_: str) -> None:
    pass
