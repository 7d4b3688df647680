"""A systemd-nspawn container on an overlay: the root below it stays as it is, and many can stand on one.

nspawn runs in a mount namespace of its own: the overlay, nspawn's own state and a view of the machine's
control groups as version 2 alone (newer systemd boots with nothing else) exist for it only, and end with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from lab.hosts.footprint import PROC, Footprint
from lab.hosts.named_namespace import NamedNamespace
from lab.processes import Argument, Completed, run
from lab.waiting import WaitError, wait_for

# Where a container sees the folder that it shares with the machine.
SHARED = "/var/lib/bench/shared"

# Arguments: the root below, the container's folder, the command to run with all that. Nobody needs a container after a
# crash, so its fsyncs wait for no disk. The kernel mounts such an overlay anew only without what it left behind.
MOUNT_AND_RUN = """
(cd "$2/scratch" && rm -rf work/incompat)
mount -t overlay overlay -o "volatile,lowerdir=$1,upperdir=$2/upper,workdir=$2/scratch" "$2/root"
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t cgroup2 cgroup2 /sys/fs/cgroup
shift 2
exec "$@"
"""

NSPAWN = [
    "systemd-nspawn",
    "--quiet",
    "--console=pipe",
    "--register=no",  # there is no systemd-machined to tell
    "--keep-unit",
    "--private-users=no",
    "--capability=all",
    "--bind=/dev/net/tun",
    "--resolv-conf=off",
    "--timezone=off",
]

ENVIRONMENT = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=linux",
]


class Container:
    def __init__(self, footprint: Footprint, namespace: NamedNamespace, name: str, lower: Argument) -> None:
        """Prepare a container on the root `lower`, or on layers of one; nothing runs before `start`."""
        self._footprint = footprint
        self.name = name
        self.namespace = namespace
        self._lower = lower
        self._folder = footprint.folder / name
        self._upper = self._folder / "upper"
        for part in ("upper", "scratch", "root"):
            (self._folder / part).mkdir(parents=True)
        # below the lab's folder, not the container's: paths of sockets have to be short
        self.shared = footprint.folder / f"{name}-shared"
        self.shared.mkdir()
        self.add_file("/etc/hostname", name)
        # libvirt looks its host's name up again and again, for 5 s each time where nobody knows it
        self.add_file("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")

    def add_file(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the container before it starts."""
        file = self._upper / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def empty_folder(self, path: str) -> None:
        """Hide what the root has in this folder; before the container starts."""
        folder = self._upper / path.lstrip("/")
        folder.mkdir(parents=True)
        os.setxattr(folder, "trusted.overlay.opaque", b"y")

    def start(self, options: Sequence[str]) -> None:
        """Start it with these nspawn options."""
        prepare = ["unshare", "--mount", "sh", "-ec", MOUNT_AND_RUN, "sh", str(self._lower), str(self._folder)]
        nspawn = [
            *NSPAWN,
            f"--machine={self.name}",
            f"--directory={self._folder / 'root'}",
            f"--network-namespace-path={self.namespace.path}",
            f"--bind={self.shared}:{SHARED}",
            *options,
        ]
        # libvirt turns on forwarding: /proc/sys has to be writable
        environment = ["env", "-i", *ENVIRONMENT, "SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes"]
        self._nspawn = self._footprint.start(
            [*environment, *prepare, *nspawn], self._folder / "console", group=self.name
        )
        try:
            self._init = wait_for(self._find_init, f"{self.name} has an init process")
        except WaitError as never:
            raise WaitError(f"{never}\n{self.console()}") from None

    def shut_down(self) -> None:
        """Have its systemd end everything in it, and return when it has."""
        self.run(["systemctl", "poweroff"], check=False)  # it may end before it has answered
        self._footprint.wait(self._nspawn)

    def command(self, argv: Sequence[Argument]) -> list[Argument]:
        """The command that runs `argv` inside, as root and with a clean environment."""
        nsenter = ["nsenter", "--target", str(self._init), "--all", "env", "-i", *ENVIRONMENT]
        return self._footprint.command([*nsenter, *argv])

    def run(
        self,
        argv: Sequence[Argument],
        *,
        check: bool = True,
        stdin: str = "",
        timeout: float = 180,
    ) -> Completed:
        title = f"{self.name}: {' '.join(map(str, argv))}"
        return run(self.command(argv), check=check, stdin=stdin, timeout=timeout, title=title)

    def console(self) -> str:
        return (self._folder / "console").read_text()

    def _find_init(self) -> int | None:
        """The machine's number of the process that is number 1 inside; None while nspawn prepares it."""
        children = PROC / f"{self._nspawn}/task/{self._nspawn}/children"
        for child in children.read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # nspawn has helpers that come and go
                status = (PROC / child / "status").read_text()
                is_first = status.split("NSpid:")[1].splitlines()[0].endswith("\t1")
                if is_first and "Name:\tsystemd-nspawn" not in status:
                    return int(child)
        return None
