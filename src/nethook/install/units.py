"""The units: nethook.service applies the files at boot; nethook.path, when they change, for those who enable it.

nethook.path has an instance of nethook-file@.path for each file but two, which it watches itself.
nethook-firewalld.service is enabled where firewalld is installed, and only there.

They are written for this installation, unless a package of the distribution has brought them; then they are only
enabled. A unit of somebody else is never changed.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from nethook.install import firewalld, systemd
from nethook.install.ownership import holds, is_ours
from nethook.install.refusal import RefusedError
from nethook.install.step import Step, remove
from nethook.install.stub import PACKAGE
from nethook.install.writing import write

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
    """Whether a package of the distribution has brought them."""
    return os.path.exists(PACKAGED)


def is_there(unit: str) -> bool:
    """Whether systemd finds a unit of that name, ours or a package's."""
    return any(os.path.exists(f"{folder}/{unit}") for folder in (FOLDER, os.path.dirname(PACKAGED)))


def text(unit: str, python: str) -> str:
    """The unit, for this interpreter."""
    template = (PACKAGE / "units" / unit).read_text(encoding="utf-8")
    return template.replace("@PYTHON@", quoted(python))


def quoted(path: str) -> str:
    """A path as a word of systemd's (systemd.service(5), command lines)."""
    path = path.replace("%", "%%")
    return path if re.fullmatch(r"[\w/.+%-]+", path) else '"' + path.replace("\\", r"\\").replace('"', r"\"") + '"'


def refuse_foreign() -> None:
    """RefusedError if somebody else's unit is where one of ours goes."""
    for unit in UNITS:
        path = f"{FOLDER}/{unit}"
        if is_ours(path) is False:
            raise RefusedError(f"{path} is a unit of somebody else; rename it, or if it is masked, unmask it")


def steps(tools: Tools) -> list[Step]:
    """What is to be done so that the units are there, and addresses are routed now and at boot; nothing if so."""
    todo, changed = _files()
    if changed:
        todo.append(systemd.reread(tools))
    if not systemd.is_enabled(tools, SERVICE):
        todo.append(systemd.enable(tools, SERVICE))
    if {PATH, FILE} & set(changed) and systemd.is_active(tools, PATH):  # what it has started, starts anew with it
        todo.append(systemd.restart(tools, PATH))
    if not systemd.is_active(tools, SERVICE):
        todo.append(systemd.start(tools, SERVICE))
    elif SERVICE in changed:
        todo.append(systemd.restart(tools, SERVICE))
    return [*todo, *_beside_firewalld(tools, changed)]


def _beside_firewalld(tools: Tools, changed: list[str]) -> list[Step]:
    """What is to be done so that FIREWALLD runs where it has to, and nowhere else."""
    is_enabled, is_active = systemd.is_enabled(tools, FIREWALLD), systemd.is_active(tools, FIREWALLD)
    if not firewalld.is_installed():
        return [systemd.disable(tools, FIREWALLD)] if is_enabled or is_active else []
    todo = [] if is_enabled else [systemd.enable(tools, FIREWALLD)]
    if not is_active:
        todo.append(systemd.start(tools, FIREWALLD))
    elif FIREWALLD in changed:
        todo.append(systemd.restart(tools, FIREWALLD))
    return todo


def removal(tools: Tools) -> list[Step]:
    """What is to be done so that no unit of ours is there or in force."""
    todo = [
        systemd.disable(tools, unit)
        for unit in (FIREWALLD, PATH, SERVICE)
        if is_ours(f"{FOLDER}/{unit}") is not False
        and (systemd.is_enabled(tools, unit) or systemd.is_active(tools, unit))
    ]
    files = [remove(f"{FOLDER}/{unit}") for unit in UNITS if is_ours(f"{FOLDER}/{unit}")]
    return [*todo, *files, systemd.reread(tools)] if files else todo


def _files() -> tuple[list[Step], list[str]]:
    """What changes files, and the units whose files it changes."""
    if are_packaged():  # ours of an earlier installation without a package would go before them
        changed = [unit for unit in UNITS if is_ours(f"{FOLDER}/{unit}")]
        return [remove(f"{FOLDER}/{unit}") for unit in changed], changed
    contents = {unit: text(unit, sys.executable).encode() for unit in UNITS}
    changed = [unit for unit, data in contents.items() if not holds(f"{FOLDER}/{unit}", data, MODE)]
    return [_write(f"{FOLDER}/{unit}", contents[unit]) for unit in changed], changed


def _write(path: str, data: bytes) -> Step:
    return Step(
        f"write {path}", f"+ {path}", lambda: write(path, data, MODE, FOLDER, _nothing_to_verify), ends_run=True
    )


def _nothing_to_verify(_: str) -> None:
    pass
