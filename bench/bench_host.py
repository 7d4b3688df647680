"""A throw-away host: own network, own processes, and an /etc, /run and /dev whose changes nobody else sees."""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

from lab.firewalls import FIREWALLS
from lab.processes import Runner
from lab.world.machine import PRIVATE_FILES
from lab.world.network import WorldNetwork
from lab.world.syslog import Syslog
from nethook.config.settings import GATEWAY4, ROUTE_PROTOCOL
from nethook.install.package import stub

REPOSITORY = Path(__file__).resolve().parent.parent
NETWORK = WorldNetwork("bench", 0, "nat")
SCRATCH = Path("/mnt/bench")
HOOK = f"{SCRATCH}/50-nethook"
XML = SCRATCH / "event.xml"
BACKENDS = {"nftables": FIREWALLS["libvirt-nftables"], "iptables": FIREWALLS["iptables-nft"]}
"""libvirt, by the backend of its firewall."""
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

_INSIDE = "NETHOOK_BENCH_INSIDE"


def is_in_namespaces() -> bool:
    """Whether this process was started by ``enter_namespaces``."""
    return _INSIDE in os.environ


def enter_namespaces() -> NoReturn:
    """Start this program anew in namespaces of its own; they and all in them end with it, however it ends."""
    os.chdir(REPOSITORY)
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    environment = {**LIBVIRTS_ENVIRONMENT, _INSIDE: "yes"}
    os.execvpe("unshare", [*unshare, sys.executable, "-m", "bench", *sys.argv[1:]], environment)  # noqa: S606 - no shell


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


class BenchHost(Runner):
    """The host on which is measured: libvirt's rules, the bridge of one network, and the hook as it is installed."""

    def __init__(self, backend: str) -> None:
        self._libvirt = BACKENDS[backend]
        self.run("sh", "-c", PRIVATE_FILES, "sh", "dev", "etc")
        # As systemd sets it. With the kernel's 10, who logs would wait for whoever reads.
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512", encoding="ascii")
        self._log = Syslog(Path("/dev/log"))
        _install_hook()
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", NETWORK.bridge, "type", "bridge")
        self.run("ip", "link", "set", NETWORK.bridge, "up")
        self.run("ip", "addr", "add", f"{NETWORK.address(4, 1)}/29", "dev", NETWORK.bridge)
        self.run("ip", "addr", "add", f"{NETWORK.address(6, 1)}/64", "dev", NETWORK.bridge)

    def configure(self, count: int) -> None:
        """Route so many addresses to the network: written to the file, not yet to the kernel."""
        ROUTED_IPS.write_text("".join(f"{address} {NETWORK.name}\n" for address in addresses(count)), encoding="ascii")

    def reset(self, network: WorldNetwork = NETWORK) -> None:
        """The kernel as libvirt leaves it when this network starts, without anything of ours or of a predecessor."""
        self.run("nft", "flush", "ruleset")
        self.run("ip", "route", "flush", "table", "all", "proto", str(ROUTE_PROTOCOL))
        self.run("ip", "rule", "flush", "protocol", str(ROUTE_PROTOCOL))
        self.run("ip", "address", "flush", "dev", NETWORK.bridge, "to", GATEWAY4)
        self._libvirt.start(self, network)
        XML.write_text(network.event_xml(), encoding="utf-8")

    def hook(self, operation: str = "started") -> float:
        """Run the hook as libvirt does, and say how many seconds it took."""
        return seconds((HOOK, NETWORK.name, operation, "begin", "-"), XML)

    def require_success(self, count: int) -> None:
        """End the bench if a hook failed or there are not so many routes: then its times mean nothing."""
        routes = self.run("ip", "route", "show", "dev", NETWORK.bridge, "proto", str(ROUTE_PROTOCOL)).count("\n")
        errors = [logged.text for logged in self._log.new() if logged.is_error]
        if routes != count or errors:
            raise SystemExit("\n".join((f"bench: {routes} routes of {count}; the log says:", *errors[:5])))


def addresses(count: int) -> list[str]:
    """So many addresses, at most 131,071, out of the block for measurements (RFC 2544)."""
    first = int(ip_address("198.18.0.0"))
    return [str(ip_address(first + number)) for number in range(1, count + 1)]


def _install_hook() -> None:
    """The package with its bytecode and the stub for it, as an installation has them."""
    packages = f"{SCRATCH}/packages"
    package = f"{packages}/nethook"
    shutil.copytree(REPOSITORY / "src/nethook", package, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(package, quiet=1)
    hook = Path(HOOK)
    hook.write_text(stub(sys.executable, packages), encoding="utf-8")
    hook.chmod(0o755)
