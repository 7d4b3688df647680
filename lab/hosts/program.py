"""Installing the program under test into a host the way users do: from a built wheel, with pip."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab.hosts.container import SHARED
from lab.processes import CommandError, run

if TYPE_CHECKING:
    from lab.hosts.host import Host

REPOSITORY = Path(__file__).parents[2]
STATE = """journalctl --no-pager -o short-monotonic -u libvirtd -u nethook -n 50 | grep -Ev 'ethtool|: [+] '
systemctl list-jobs; systemctl --no-pager --lines=0 status libvirtd nethook"""
INSTALL_SECONDS = 300
"""It waits for libvirt, and for systemd."""
HOOK = "/etc/libvirt/hooks/network.d/50-nethook"


def install(host: Host) -> None:
    """Install the wheel and the hook, and put the files in force."""
    put(host)
    try:
        host.run(["nethook", "install", "--yes"], timeout=INSTALL_SECONDS)
    except CommandError as error:  # so that the test says it, wherever it runs; CI shows only the end
        raise CommandError(f"{host.run(['sh', '-c', STATE], check=False).stdout}\n{error}") from None
    host.run(["nethook", "apply"])  # where systemd runs, its unit has done it


def put(host: Host) -> None:
    """Install the wheel alone."""
    wheel = built_wheel()
    shutil.copy(wheel, host.shared)
    pip = ["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-index", "--break-system-packages"]
    host.run([*pip, "--root-user-action=ignore", f"{SHARED}/{wheel.name}"])


@lru_cache
def built_wheel() -> Path:
    """The wheel of the working tree, built once per session.

    Built from a copy, because builds leave files beside the sources.
    """
    folder = Path(tempfile.mkdtemp(prefix="nethook-wheel-"))
    atexit.register(shutil.rmtree, folder)
    files = ["ls-files", "--cached", "--others", "--exclude-standard", "src", "packaging"]
    sources = run(["git", "-C", str(REPOSITORY), *files]).stdout
    for name in ["pyproject.toml", "README.md", "LICENSE", *sources.split()]:
        source = REPOSITORY / name
        if source.exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder], timeout=120)
    return next(folder.glob("*.whl"))
