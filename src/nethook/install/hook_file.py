"""The hook: the file that libvirt runs, where it is, and writing it.

Every executable file in network.d is run (libvirt 6.5 and later), a temporary one too: so that one is made beside it.
A hook of somebody else is never changed.
"""

from __future__ import annotations

import os
import sys
from shlex import quote
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.install import selinux
from nethook.install.interpreter import PACKAGES
from nethook.install.ownership import holds, is_ours
from nethook.install.programs import at_path
from nethook.install.refusal import RefusedError
from nethook.install.step import Step, remove
from nethook.install.stub import PACKAGE, stub
from nethook.install.writing import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.process import Tools
    from nethook.install.daemon import Version

FOLDER = "/etc/libvirt/hooks"
ONLY = f"{FOLDER}/network"
"""The one hook of older versions; newer ones run it besides those in their folder."""
DROP_INS = f"{FOLDER}/network.d"
OURS = f"{DROP_INS}/50-nethook"
DROP_INS_SINCE = (6, 5)
MODE = 0o755
CALL = f'sh {quote(f"{PACKAGE}/lv-setup-routed-ips")} "$@"'
"""The line that runs our hook from a hook of somebody else."""


def place(version: Version) -> str:
    """Where the hook goes for this version of libvirt."""
    return OURS if version >= DROP_INS_SINCE else ONLY


def refuse_foreign(path: str) -> None:
    """RefusedError if somebody else's hook is there, and does not run ours."""
    if is_ours(path) is not False or runs_ours(path):
        return
    what = f"{path} is a hook of somebody else"
    if path == OURS:
        raise RefusedError(f"{what}; give it another name: mv {path} {DROP_INS}/40-other")
    raise RefusedError(
        f"{what}, and libvirt before 6.5 runs no other; let it run ours with this line, before anything in it that "
        f"reads standard input: {CALL}"
    )


def steps(tools: Tools, path: str) -> list[Step]:
    """What is to be done so that this file is the hook for this installation; nothing if it is."""
    todo = []
    data = stub(sys.executable, PACKAGES).encode()
    if not holds(path, data, MODE) and not runs_ours(path):

        def take() -> None:
            write(path, data, MODE, FOLDER, lambda temporary: _verify(tools, temporary))

        todo = [Step(f"write {path}", f"+ {path}", take, ends_run=True), *selinux.relabel(tools, path)]
    if path != ONLY and _is_file_of_ours(ONLY):  # written for an older libvirt
        todo.append(remove(ONLY))
    return todo


def removal() -> list[Step]:
    """What is to be done so that libvirt runs no hook that was installed."""
    return [remove(path) for path in (OURS, ONLY) if _is_file_of_ours(path)]


def copies() -> Iterator[str]:
    """Other executable files with our hook in the folder of hooks, as editors and packagers leave them."""
    try:
        names = sorted(os.listdir(DROP_INS))
    except FileNotFoundError:
        return
    for name in names:
        path = f"{DROP_INS}/{name}"
        if path != OURS and is_ours(path) and os.access(path, os.X_OK):
            yield path


def _is_file_of_ours(path: str) -> bool:
    """Whether it is ours, and no link, as release 0.6 has it."""
    return not os.path.islink(path) and bool(is_ours(path))


def runs_ours(path: str) -> bool:
    """Whether somebody else's hook in the only place has the line that runs ours."""
    if path != ONLY or not os.path.isfile(path) or is_ours(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return any(line.strip() == CALL for line in file)


def _verify(tools: Tools, path: str) -> None:
    """NethookError unless the file ends well for an event that it ignores: a shell, the right bits, no noexec mount."""
    result = tools.run(at_path(path, "x", "ignored-operation", "begin", "-"))
    if result.status != 0:
        raise NethookError(f"a hook cannot run where libvirt looks for it, so none was written: {result.failure}")
