"""A host: its own namespaces for network, mounts and processes, its own ``/etc``, ``/usr``, ``/dev`` and ``/run``.

What is written there exists in memory and in there alone. Everything ends with this process, however it ends: the first
process in there reads from a pipe of ours, and the kernel ends all others with it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab.namespace import Namespace
from lab.world.syslog import Syslog

if TYPE_CHECKING:
    from collections.abc import Sequence

    Completed = subprocess.CompletedProcess[str]

_INIT = """
set -e
mount -t tmpfs -o mode=755 nethook-test /mnt
for folder in dev etc usr; do
    mkdir -p /mnt/$folder/upper /mnt/$folder/work
    mount -t overlay -o lowerdir=/$folder,upperdir=/mnt/$folder/upper,workdir=/mnt/$folder/work overlay /$folder
done
mount -t tmpfs -o mode=755,size=1m nethook-test /run
mkdir /run/lock
# Nothing of an installation on this machine counts.
rm -rf /dev/log /etc/nethook /etc/default/routed-ips* /etc/sysconfig/routed-ips* /etc/libvirt/hooks
rm -f /etc/firewalld/policies/00-nethook.xml /etc/firewalld/ipsets/nethook*
mkdir -p /etc/nethook
echo ready
exec cat >/dev/null
"""

SECONDS = 30
"""A command of a test that takes longer hangs."""


class Machine:
    """One such host; ``namespace`` is its network, ``syslog`` what its programs have logged."""

    def __init__(self) -> None:
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _INIT]
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

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        """Run a command in there and return what it prints; with ``check``, it has to succeed."""
        completed = subprocess.run(
            self.command(argv), input=stdin, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        if check and completed.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {completed.returncode}\n{stdin}\n{completed.stderr}")
        return completed.stdout

    def nft(self, *commands: str) -> None:
        """Change the ruleset in one step."""
        self.run("nft", "-f", "-", stdin="\n".join(commands))

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
