"""The hook, which is the file that libvirt runs: its path, and writing it.

libvirt 6.5 and later runs every executable file in network.d, even a temporary one. So the temporary file is made
outside that folder. A foreign hook is never changed.
"""

from __future__ import annotations

import os
import sys
from shlex import quote
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.install import confinement
from nethook.install.own_files import holds, is_ours, write
from nethook.install.package import PACKAGE, PACKAGES, at_path, stub
from nethook.install.task import RefusedError, Task, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.process import Tools
    from nethook.install.daemon import Version

FOLDER = "/etc/libvirt/hooks"
ONLY = f"{FOLDER}/network"
"""The only hook of older versions. Newer ones run it, and then the files in DROP_INS."""
DROP_INS = f"{FOLDER}/network.d"
OURS = f"{DROP_INS}/50-nethook"
DROP_INS_SINCE = (6, 5)
MODE = 0o755
CALL = f'sh {quote(f"{PACKAGE}/lv-setup-routed-ips")} "$@"'
"""The line that runs our hook from a foreign hook."""


def path_for(version: Version) -> str:
    """Return the path of the hook for this version of libvirt."""
    return OURS if version >= DROP_INS_SINCE else ONLY


def refuse_foreign(path: str) -> None:
    """Raise RefusedError if a foreign hook is at this path and does not run ours."""
    if is_ours(path) is not False or runs_ours(path):
        return
    what = f"{path} is a foreign hook"
    if path == OURS:
        raise RefusedError(f"{what}; give it another name: mv -n {path} {DROP_INS}/40-other")
    raise RefusedError(
        f"{what}, and libvirt before 6.5 runs no other; add this line to it, before anything that reads standard "
        f"input: {CALL}"
    )


def tasks(tools: Tools, path: str) -> list[Task]:
    """Return the tasks that make this file the hook of this installation; none if it is."""
    todo = []
    data = stub(sys.executable, PACKAGES).encode()
    if not holds(path, data, MODE) and not runs_ours(path):

        def run() -> None:
            write(path, data, MODE, FOLDER, lambda temporary: _verify(tools, temporary))

        todo = [Task(f"write {path}", f"+ {path}", run, ends_run=True), *confinement.relabel(tools, path)]
    if path != ONLY and _is_file_of_ours(ONLY):  # written for an older libvirt
        todo.append(remove(ONLY))
    return todo


def removal() -> list[Task]:
    """Return the tasks that remove every hook that ``nethook install`` wrote."""
    return [remove(path) for path in (OURS, ONLY) if _is_file_of_ours(path)]


def copies() -> Iterator[str]:
    """Yield other executable copies of our hook in its folder, such as those that editors and packagers leave."""
    try:
        names = sorted(os.listdir(DROP_INS))
    except FileNotFoundError:
        return
    for name in names:
        path = f"{DROP_INS}/{name}"
        if path != OURS and is_ours(path) and os.access(path, os.X_OK):
            yield path


def _is_file_of_ours(path: str) -> bool:
    """Return whether it is a file of ours; the link of release 0.6 is none."""
    return not os.path.islink(path) and bool(is_ours(path))


def runs_ours(path: str) -> bool:
    """Return whether a foreign hook at the path ONLY has the line that runs ours."""
    if path != ONLY or not os.path.isfile(path) or is_ours(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return any(line.strip() == CALL for line in file)


def _verify(tools: Tools, path: str) -> None:
    """Raise NethookError unless the file runs: it needs a shell, the right permissions, and no noexec mount."""
    result = tools.run(at_path(path, "x", "ignored-operation", "begin", "-"))
    if result.status != 0:
        raise NethookError(f"a file in {FOLDER} cannot be executed, so no hook was written: {result.failure}")
