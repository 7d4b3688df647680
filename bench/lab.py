"""A throw-away host: own network, own processes, and an /etc, /run and /dev whose changes nobody else sees."""

from __future__ import annotations

import compileall
import os
import shutil
import socket
import subprocess
import sys
import syslog
import threading
import time
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

from bench.libvirt_rules import BACKENDS, BRIDGE
from nethook.config.settings import GATEWAY4, ROUTE_PROTOCOL
from nethook.install.package import stub

REPOSITORY = Path(__file__).resolve().parent.parent
NETWORK = "bench"
HOOK = "/run/bench/50-nethook"
XML = Path("/run/bench/event.xml")
ROUTED_IPS = Path("/etc/nethook/routed-ips")
EMPTY = Path("/dev/null")

LIBVIRTS_ENVIRONMENT = {
    "LC_ALL": "C",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
}
"""What hooks find in their environment."""

_ERROR = f"<{syslog.LOG_DAEMON | syslog.LOG_ERR}>".encode()
_INSIDE = "NETHOOK_BENCH_INSIDE"
_EVENT = f"""<hookData>
  <network>
    <name>{NETWORK}</name>
    <uuid>16b7c65b-7e1c-4d5a-9d0f-2f0b7f3a9a01</uuid>
    <forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>
    <bridge name='{BRIDGE}' stp='on' delay='0'/>
    <mac address='52:54:00:00:00:01'/>
    <ip address='192.168.77.1' netmask='255.255.255.0'/>
  </network>
</hookData>
"""


def is_in_namespaces() -> bool:
    """Whether this process was started by ``enter_namespaces``."""
    return _INSIDE in os.environ


def enter_namespaces() -> NoReturn:
    """Start this program anew in namespaces of its own; they and all in them end with it, however it ends."""
    os.chdir(REPOSITORY)
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    environment = {**LIBVIRTS_ENVIRONMENT, _INSIDE: "yes"}
    os.execvpe("unshare", [*unshare, sys.executable, "-m", "bench", *sys.argv[1:]], environment)  # noqa: S606 - no shell


def run(*command: str, stdin: str = "") -> str:
    """Run a command that must not fail, and return what it printed."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)}: {done.stderr or done.returncode}")
    return done.stdout


def seconds(argv: tuple[str, ...], stdin: Path = EMPTY) -> float:
    """How long a program runs."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, LIBVIRTS_ENVIRONMENT, file_actions=files)
    _, status = os.waitpid(pid, 0)
    elapsed = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"bench: {' '.join(argv)[:80]} ended with {os.waitstatus_to_exitcode(status)}")
    return elapsed


class Lab:
    """The host on which is measured: libvirt's rules, the bridge of one network, and the hook as it is installed."""

    def __init__(self, backend: str) -> None:
        self._libvirts_rules = BACKENDS[backend]
        _make_private("/etc", "/dev")
        self._log = _Log()
        _install_hook()
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", "192.168.77.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")

    def configure(self, count: int) -> None:
        """Route so many addresses to the network: written to the file, not yet to the kernel."""
        ROUTED_IPS.write_text("".join(f"{address} {NETWORK}\n" for address in addresses(count)), encoding="ascii")

    def reset(self) -> None:
        """The kernel as libvirt leaves it, without anything of ours or of a predecessor's."""
        run("nft", "flush", "ruleset")
        run("ip", "route", "flush", "table", "all", "proto", str(ROUTE_PROTOCOL))
        run("ip", "rule", "flush", "protocol", str(ROUTE_PROTOCOL))
        run("ip", "address", "flush", "dev", BRIDGE, "to", GATEWAY4)
        for command, rules in self._libvirts_rules:
            run(*command, stdin=rules)

    def hook(self, operation: str = "started") -> float:
        """Run the hook as libvirt does, and say how many seconds it took."""
        return seconds((HOOK, NETWORK, operation, "begin", "-"), XML)

    def require_success(self, count: int) -> None:
        """End the bench if a hook failed or there are not so many routes: then its times mean nothing."""
        routes = run("ip", "route", "show", "dev", BRIDGE, "proto", str(ROUTE_PROTOCOL)).count("\n")
        if routes != count or self._log.errors:
            raise SystemExit("\n".join((f"bench: {routes} routes of {count}; the log says:", *self._log.errors)))


def addresses(count: int) -> list[str]:
    """So many addresses, at most 131,071, out of the block for measurements (RFC 2544)."""
    first = int(ip_address("198.18.0.0"))
    return [str(ip_address(first + number)) for number in range(1, count + 1)]


def _make_private(*folders: str) -> None:
    """From here on, changes in /run and in these folders are ours alone; what is in them stays readable."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in folders:
        upper, work = f"/run/bench/upper{folder}", f"/run/bench/work{folder}"
        os.makedirs(upper)
        os.makedirs(work)
        run("mount", "-t", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", "overlay", folder)


def _install_hook() -> None:
    """The package with its bytecode and the stub for it, as an installation has them."""
    packages = "/run/bench/packages"
    package = f"{packages}/nethook"
    shutil.copytree(REPOSITORY / "src/nethook", package, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(package, quiet=1)
    hook = Path(HOOK)
    hook.write_text(stub(sys.executable, packages), encoding="utf-8")
    hook.chmod(0o755)
    XML.write_text(_EVENT, encoding="utf-8")
    shutil.rmtree("/etc/nethook", ignore_errors=True)
    os.mkdir("/etc/nethook", mode=0o755)


class _Log:
    """A /dev/log that takes every line: who logs pays for it, as where a journal runs. Keeps the first few errors."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        # As systemd sets it. With the kernel's 10, who logs would wait for whoever reads.
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512", encoding="ascii")
        Path("/dev/log").unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("/dev/log")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            line = self._socket.recv(65536)
            if line.startswith(_ERROR) and len(self.errors) < 5:
                self.errors.append(line.decode(errors="replace"))
