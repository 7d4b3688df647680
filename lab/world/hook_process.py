"""The hook, running, as libvirt starts it: four arguments, a pipe for each of its three files."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from lab.world.machine import Machine

HOOK = "/etc/libvirt/hooks/network.d/50-nethook"
SECONDS = 30
"""The stub ends Python after ten, or eleven if it has to be rough. Busy machines need some more to get so far."""

ENVIRONMENT = {
    "LC_ALL": "C",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
}
"""All that libvirt leaves to a hook."""


class HookProcess:
    """For a ``with`` block, at the end of which the hook must have ended well, quietly and in time."""

    def __init__(self, machine: Machine, network: str, operation: str) -> None:
        self._process = subprocess.Popen(
            machine.command([HOOK, network, operation, "begin", "-"]),
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def give(self, xml: bytes) -> None:
        """Write its standard input, and end it. Like libvirt, do not mind if it is not read."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(xml)
            self._process.stdin.close()

    def __enter__(self) -> HookProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._process:
            if error:
                self._process.kill()
                return
            status = self._process.wait(SECONDS)
            assert self._process.stdout
            assert self._process.stderr
            assert (status, self._process.stdout.read(), self._process.stderr.read()) == (0, b"", b"")
