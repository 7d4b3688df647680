"""Removing what a removed package has left: a program in /run, which lasts as long as what is ours in the kernel."""

from __future__ import annotations

import os
from contextlib import suppress
from modulefinder import ModuleFinder
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from nethook.commands.clear import remove_all
from nethook.engine.situation import require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.install import firewalld_files
from nethook.install.package import PACKAGES
from nethook.install.task import patient_host, run_tasks, warn

PROGRAM = "/run/nethook-clear.pyz"
COMMAND = f"/usr/bin/python3 -I {PROGRAM}"
MODE = 0o600
MAIN = "from nethook.packaged.clearing import clear\nclear()\n"


def keep() -> None:
    """Write the program. It has the modules that ``clear`` needs, and no others."""
    new = f"{PROGRAM}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "wb") as file, ZipFile(file, "w") as archive:
        _add(archive, "__main__.py", MAIN)
        for path in _modules():
            with open(path, encoding="utf-8") as module:
                _add(archive, os.path.relpath(path, PACKAGES), module.read())
    os.rename(new, PROGRAM)


def forget() -> None:
    """Remove the program, because the package is there again."""
    with suppress(FileNotFoundError):
        os.unlink(PROGRAM)


def clear() -> None:
    """Remove everything of ours from the kernel and from firewalld, and then this program, if nothing is left."""
    failed = False
    try:
        require_root("remove routes and rules")
        failed = remove_all() != OK
        failed |= run_tasks(firewalld_files.removal(patient_host())) != OK
    except (NethookError, OSError) as error:
        warn(str(error))
        failed = True
    if failed:
        warn(f"not everything was removed; when the cause is removed, try again: {COMMAND}")
        raise SystemExit(DIFFERENT)
    forget()


def _add(archive: ZipFile, name: str, text: str) -> None:
    archive.writestr(ZipInfo(name), text, ZIP_DEFLATED)


def _modules() -> list[str]:
    """Return the paths of our modules that this one imports, at once or later."""
    finder = ModuleFinder(path=[PACKAGES])  # not those of the standard library
    finder.run_script(__file__)
    imported = [str(vars(module)["__file__"]) for name, module in finder.modules.items() if name.startswith("nethook")]
    return sorted({__file__, *imported, f"{PACKAGES}/nethook/packaged/__init__.py"})
