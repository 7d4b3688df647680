"""A host: its own namespaces for network, mounts and processes, its own ``/etc``, ``/usr``, ``/dev`` and ``/run``.

What is written there exists in memory and in there alone. Everything ends with this process, however it ends: the first
process in there reads from a pipe of ours, and the kernel ends all others with it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab.namespace import Namespace
from lab.processes import Runner
from lab.world.syslog import Syslog

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIVATE_FILES = """
set -e
mount -t tmpfs -o mode=755 nethook-lab /mnt
for folder in "$@"; do
    mkdir -p /mnt/$folder/upper /mnt/$folder/work
    mount -t overlay -o lowerdir=/$folder,upperdir=/mnt/$folder/upper,workdir=/mnt/$folder/work overlay /$folder
done
mount -t tmpfs -o mode=755,size=1m nethook-lab /run
mkdir /run/lock
# Nothing of an installation on this machine counts.
rm -rf /dev/log /etc/nethook /etc/default/routed-ips* /etc/sysconfig/routed-ips* /etc/libvirt/hooks
rm -f /etc/firewalld/policies/00-nethook.xml /etc/firewalld/ipsets/nethook*
mkdir -p /etc/nethook
"""
"""A shell script for a mount namespace, with names of folders of the root: what is written there stays in there."""

_INIT = f"""{PRIVATE_FILES}
echo ready
exec cat >/dev/null
"""


class Machine(Runner):
    """One such host; ``namespace`` is its network, ``syslog`` what its programs have logged."""

    def __init__(self) -> None:
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _INIT]
        unshare += ["sh", "dev", "etc", "usr"]
        self._holder = subprocess.Popen(unshare, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            raise RuntimeError("no namespaces to be had; root is needed")
        pid = self._holder.pid
        self._init = int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii"))
        self.root = Path(f"/proc/{self._init}/root")
        self.namespace = Namespace(f"/proc/{self._init}/ns/net")
        # Without a reader of its own nothing must have to wait for the log.
        self.namespace.sysctl("unix/max_dgram_qlen", 100_000)
        with self.namespace.entered():
            self.syslog = Syslog(self.root / "dev/log")

    def close(self) -> None:
        """End everything in there."""
        self.syslog.close()
        self._holder.kill()
        self._holder.communicate()

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command that runs this in there."""
        return ["nsenter", "--target", str(self._init), "--net", "--mount", "--pid", *argv]

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """Write a file in there, with its folders."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        file.chmod(mode)

    def processes(self) -> list[str]:
        """The command lines of what runs in there, without init and zombies of orphans, which it does not wait for."""
        found = []
        for folder in (self.root / "proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
                continue
            if folder.name != "1" and words != [""]:
                found.append(" ".join(words))
        return found
