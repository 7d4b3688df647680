"""What a lab puts on the machine, and how all of it is removed: by its owner, or by the next run.

Everything carries the lab's identifier, which names the owning process and its start time (process numbers
are used again, the pair is not):

    /sys/fs/cgroup/…/nethook-ID     every process of the lab
    /run/netns/nethook-ID-NAME      a network namespace per host, and one for the outside
    /run/nethook-tests/ID           a tmpfs with the hosts' files

Hosts mount their roots in mount namespaces of their own, which end with their processes.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.hosts.locking import locked
from lab.processes import Argument, run
from lab.waiting import wait_for

HOME = Path("/run/nethook-tests")
NAMESPACES = Path("/run/netns")
PROC = Path("/proc")


@dataclass(frozen=True)
class Footprint:
    id: str
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def create(cls) -> Footprint:
        """A footprint owned by this process."""
        pid = os.getpid()
        footprint = cls(f"{pid}-{_start_time(pid)}-{secrets.token_hex(2)}")
        footprint.folder.mkdir(parents=True)
        run(["mount", "-t", "tmpfs", footprint.name, footprint.folder])
        footprint.cgroup.mkdir()
        return footprint

    @property
    def name(self) -> str:
        return f"nethook-{self.id}"

    @property
    def folder(self) -> Path:
        return HOME / self.id

    @property
    def cgroup(self) -> Path:
        return _cgroups() / self.name

    def command(self, argv: Sequence[Argument], group: str = "") -> list[Argument]:
        """The command that runs `argv` as a process of this footprint, in `group` below its own cgroup."""
        cgroup = self.cgroup / group
        cgroup.mkdir(exist_ok=True)
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup, *argv]

    def start(self, argv: Sequence[Argument], log: Path, group: str = "") -> int:
        """Start `argv` as a process of this footprint that runs until the end, and return its number."""
        with log.open("w") as output:
            daemon = subprocess.Popen(
                [str(word) for word in self.command(argv, group)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests, which then end it
            )
        self.daemons.append(daemon)
        return daemon.pid

    def wait(self, pid: int, timeout: float = 60) -> None:
        """Return when the process with this number, started here, has ended."""
        next(daemon for daemon in self.daemons if daemon.pid == pid).wait(timeout)

    def owner_is_alive(self) -> bool:
        pid, started, _ = self.id.split("-")
        return _start_time(int(pid)) == int(started)

    def remove(self) -> None:
        """Remove all of it, whatever is left of it; safe to repeat."""
        self._end_processes()
        for namespace in NAMESPACES.glob(f"{self.name}-*"):
            run(["ip", "netns", "delete", namespace.name])
        if self.folder.is_mount():
            run(["umount", "--lazy", self.folder])
        if self.folder.exists():
            self.folder.rmdir()

    def _end_processes(self) -> None:
        if not self.cgroup.exists():
            return
        (self.cgroup / "cgroup.kill").write_text("1")
        events = self.cgroup / "cgroup.events"
        wait_for(lambda: "populated 0" in events.read_text(), f"the processes of {self.name} have ended")
        for daemon in self.daemons:
            daemon.wait()
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            Path(folder).rmdir()


def sweep() -> None:
    """Remove what runs whose owner is dead have left behind."""
    HOME.mkdir(exist_ok=True)
    with locked(HOME / "sweep.lock"):
        for folder in HOME.glob("*-*-*"):
            footprint = Footprint(folder.name)
            if not footprint.owner_is_alive():
                footprint.remove()


def _start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot (proc(5), stat, field 22); None without it."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it may end before it is opened, or read
        return None
    return int(stat.rpartition(")")[2].split()[19])


def _cgroups() -> Path:
    """Where the version 2 hierarchy is mounted: alone or beside version 1."""
    for line in (PROC / "mounts").read_text().splitlines():
        _, place, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(place)
    raise RuntimeError("no cgroup2 file system is mounted")
