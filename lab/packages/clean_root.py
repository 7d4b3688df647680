"""Running a script in the clean root: on an overlay of it, without a network, and with the time of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.hosts.layered import WORK, inside
from lab.hosts.roots import build_root
from lab.packages.sources import released
from lab.processes import run

if TYPE_CHECKING:
    from pathlib import Path

    from lab.processes import Completed

APART = ["unshare", "--net", "--pid", "--ipc", "--fork", "--kill-child"]
BEGIN = f'umask 022; cd {WORK}; exec 2>&1; eval "$1"'
SECONDS = 300


def run_there(script: str, folder: Path, *, check: bool = True) -> Completed:
    """Run a shell script in there. What it leaves in the folder stays, everything else is thrown away."""
    with inside(str(build_root()), folder) as there:
        environment = ["env", "HOME=/root", f"SOURCE_DATE_EPOCH={released()}"]
        argv = [*APART, *there, *environment, "sh", "-ec", BEGIN, "sh", script]
        return run(argv, check=check, timeout=SECONDS, title=script)
