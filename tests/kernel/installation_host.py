"""A host to install on: nethook where pip puts it, a libvirtd that has a version, and if wanted systemd.

Neither can run in a mere namespace. So ``libvirtd`` prints a version and notes a SIGHUP, and ``systemctl`` notes what
it is told and remembers what is enabled and active; tests/hosts has the real ones.
"""

from __future__ import annotations

import atexit
import os
import pty
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.processes import RUNNER_SECONDS, run
from lab.waiting import wait_for
from lab.world.machine import Machine
from lab.world.world import SOURCE

PYTHON = "/usr/bin/python3"
HOOKS = "/etc/libvirt/hooks"
HOOK = f"{HOOKS}/network.d/50-nethook"
ONLY_HOOK = f"{HOOKS}/network"
UNITS = "/etc/systemd/system"
SERVICE = f"{UNITS}/nethook.service"

LIBVIRTD = """#!/bin/sh
[ "$1" = --version ] && exec echo 'libvirtd (libvirt) VERSION'
trap 'echo >> /run/reloads' HUP
echo $$ > /run/libvirtd.pid
while :; do sleep 0.05; done
"""

SYSTEMCTL = """#!/bin/sh
echo "$*" >> /run/systemctl.log
for unit; do :; done
unit=/run/units/$unit
case $1 in
    is-active) [ -e $unit.active ] ;;
    is-enabled) [ -e $unit.enabled ] ;;
    enable) touch $unit.enabled ;;
    disable) rm -f $unit.enabled $unit.active ;;
    start | restart) [ ! -e $unit.broken ] && touch $unit.active ;;
esac
"""


@cache
def _packages() -> str:
    """Where pip puts packages."""
    return run([PYTHON, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).stdout.strip()


@cache
def _compiled() -> Path:
    """The package with its bytecode, as pip leaves it: made once, so that no host has to compile it."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    package = Path(folder.name) / "nethook"
    shutil.copytree(SOURCE / "nethook", package, ignore=shutil.ignore_patterns("__pycache__"))
    run([PYTHON, "-m", "compileall", "-q", package])
    return package


class InstallationHost:
    """One such host, with libvirt 9.0 that does not run."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.packages = _packages()
        self.package = f"{self.packages}/nethook"
        others = (HOOKS, *(f"{folder}/virtnetworkd" for folder in ("/usr/sbin", "/usr/bin")))
        script = 'cp -a "$1" "$2"; shift 2; rm -rf "$@"'
        self.machine.run("sh", "-ec", script, "sh", str(_compiled()), self.package, *others)
        self.libvirt("9.0.0")

    def close(self) -> None:
        """End it."""
        self.machine.close()

    def libvirt(self, version: str) -> None:
        """Have this version of libvirt."""
        self.machine.write("/usr/sbin/libvirtd", LIBVIRTD.replace("VERSION", version), 0o755)

    def start_libvirt(self) -> None:
        """Start its daemon."""
        self.machine.run("sh", "-c", "/usr/sbin/libvirtd </dev/null >/dev/null 2>&1 &")
        pid = self.file("/run/libvirtd.pid")
        wait_for(lambda: pid.exists() and pid.read_text(encoding="ascii").endswith("\n"), "libvirtd runs")

    def systemd(self, *active: str) -> None:
        """Have systemd, with these units started."""
        self.machine.run("mkdir", "-p", "/run/systemd/system", "/run/units")
        self.machine.write("/usr/bin/systemctl", SYSTEMCTL, 0o755)
        for unit in active:
            self.machine.write(f"/run/units/{unit}.active", "")

    def systemctl_calls(self) -> list[str]:
        """What systemctl was told to change since the last time."""
        log = self.file("/run/systemctl.log")
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("is-")]

    def selinux(self, enforce: str, boolean: str | None) -> None:
        """Have SELinux, with this content of its two files."""
        self.machine.run("mount", "-t", "tmpfs", "nethook-test", "/sys/fs")
        self.machine.write("/sys/fs/selinux/enforce", enforce)
        self.machine.write("/sys/fs/selinux/booleans/virt_use_nfs", "0 0")
        if boolean is not None:
            self.machine.write("/sys/fs/selinux/booleans/virt_hooks_unconfined", boolean)

    def apparmor(self, profiles: str) -> None:
        """Have AppArmor, with these profiles."""
        self.machine.run("mount", "-t", "tmpfs", "nethook-test", "/sys/kernel/security")
        self.machine.write("/sys/kernel/security/apparmor/profiles", profiles)

    def file(self, path: str) -> Path:
        """The path of a file in there, from out here."""
        return self.machine.root / path.lstrip("/")

    def state(self) -> str:
        """All files below /etc and /run, with what would tell that one was written."""
        return self.machine.run(
            *("find", "/etc", "/run", "!", "-name", "systemctl.log", "!", "-path", "/run"),
            *("-printf", "%p %l %i %m %U %T@ %C@\n"),
        )

    def nethook(
        self, *arguments: str, status: int = 0, answer: str | None = None, python: str = PYTHON, user: int = 0
    ) -> tuple[str, str]:
        """Run it, with ``answer`` typed at a terminal or without one. Returns stdout and stderr; checks the status."""
        argv = [python, "-I", "-m", "nethook", *arguments]
        if user:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
        if answer is not None:
            return _at_terminal(self.machine.command(argv), answer, status)
        completed = subprocess.run(
            self.machine.command(argv), input="", capture_output=True, text=True, check=False, timeout=RUNNER_SECONDS
        )
        assert completed.returncode == status, completed.stdout + completed.stderr
        return completed.stdout, completed.stderr


def _at_terminal(argv: list[str], answer: str, status: int) -> tuple[str, str]:
    """The same, with standard input and error at a terminal."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(argv, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
            os.write(ours, answer.encode())
            out, _ = process.communicate(timeout=RUNNER_SECONDS)
        err = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == status, out + err
    return out, err
