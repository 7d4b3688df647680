"""``nethook watch`` as a process in a world, with a libvirt that is a folder, and a systemd that is a socket."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Callable

from lab.waiting import WaitError, wait_for
from lab.world.verbs import command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.world.world import World

NOTIFY = "/run/notify"
QUIET_SECONDS = 0.6
"""Longer than it collects a burst, and than a look takes."""


class Watching:
    """The service. ``told`` is what it told systemd, ``said`` its log, and ``said_at`` when each line of that came."""

    def __init__(self, world: World, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it is ready."""
        self._machine = world.machine
        self.said: list[str] = []
        self.said_at: list[float] = []
        self.told: list[str] = []
        path = self._machine.root / NOTIFY.lstrip("/")
        path.unlink(missing_ok=True)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(path))
        self._process = subprocess.Popen(
            command(world, "watch"),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NOTIFY_SOCKET": NOTIFY, **(environment or {})},
        )
        self._threads = [Thread(target=each, daemon=True) for each in (self._listen, self._read)]
        for thread in self._threads:
            thread.start()
        self.wait(lambda: "READY=1" in self.told, "the service is ready")

    def _listen(self) -> None:
        while True:
            data = self._notify.recv(1 << 16)
            if data == b"end":
                return
            self.told += data.decode().splitlines()

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.said_at.append(time.monotonic())
            self.said.append(line.rstrip("\n").removeprefix("nethook: "))

    @property
    def pid(self) -> int:
        """The number of its process, out here."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="ascii")
        return int(children.split()[0])

    @property
    def states(self) -> list[str]:
        """The lines of status."""
        return [line.partition("=")[2] for line in self.told if line.startswith("STATUS=")]

    @property
    def looks(self) -> int:
        """How often it has looked."""
        return len(self.states)

    def processor_seconds(self) -> float:
        """Return what it and the programs that it has started took of processors."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def wake_ups(self) -> int:
        """Return how often one of its threads was given a processor because something woke it."""
        found = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            status = (task / "status").read_text(encoding="ascii")
            found += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
        return found

    def waits_in(self) -> set[str]:
        """Return the functions of the kernel in which its threads wait."""
        return {(task / "wchan").read_text(encoding="ascii") for task in Path(f"/proc/{self.pid}/task").iterdir()}

    def kibibytes(self, what: str = "VmHWM") -> int:
        """Return what it takes of memory: a line of /proc/PID/status."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{what}:\s*(\d+) kB", status)
        assert found
        return int(found[1])

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition while it runs."""

        def is_so() -> bool:
            assert self._process.poll() is None, f"it has ended: {self.said}"
            return bool(condition())

        try:
            wait_for(is_so, what)
        except WaitError as error:
            raise WaitError(f"{error}; it said {self.said[-5:]}") from None

    def settle(self) -> int:
        """Wait until it has not looked for a while; return how often it has looked."""
        seen, since = self.looks, time.monotonic()

        def is_quiet() -> bool:
            nonlocal seen, since
            if self.looks != seen:
                seen, since = self.looks, time.monotonic()
            return time.monotonic() - since > QUIET_SECONDS

        self.wait(is_quiet, "rest")
        return seen

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Make it apply the files."""
        self.signal(signal.SIGHUP)

    def kill(self) -> None:
        """Kill it, as kill -9 does."""
        self.signal(signal.SIGKILL)
        self._process.wait(10)
        self._end()

    def stop(self, seconds: float = 10) -> int:
        """End it as systemd does, and return its exit status; it must not take longer than that."""
        self.signal(signal.SIGTERM)
        status = self._process.wait(seconds)
        self._end()
        return status

    def _end(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", str(self._machine.root / NOTIFY.lstrip("/")))
        for thread in self._threads:
            thread.join()
        self._notify.close()
        assert self._process.stderr
        self._process.stderr.close()
