"""A throw-away host: own network, own processes, and an /etc, /run and /dev whose changes nobody else sees."""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from lab.firewalls import FIREWALLS
from lab.processes import Runner
from lab.world.machine import PRIVATE_FILES
from lab.world.network import WorldNetwork, WorldPort
from lab.world.syslog import Syslog
from nethook.config.settings import GATEWAY4, ROUTE_PROTOCOL
from nethook.install.package import stub

if TYPE_CHECKING:
    from collections.abc import Iterable

REPOSITORY = Path(__file__).resolve().parent.parent
GUEST, ONE_MORE = WorldPort("web", "52:54:00:7b:35:01", 1), WorldPort("more", "52:54:00:7b:35:02", 2)
"""The guest of nearly all forwards, and that of one forward."""
NETWORK = WorldNetwork("bench", 0, "nat", reserves=((GUEST.mac, "192.0.2.2"), (ONE_MORE.mac, "192.0.2.3")))
SCRATCH = Path("/mnt/bench")
HOOK = f"{SCRATCH}/50-nethook"
XML = SCRATCH / "event.xml"
BACKENDS = {"nftables": FIREWALLS["libvirt-nftables"], "iptables": FIREWALLS["iptables-nft"]}
"""libvirt, by the backend of its firewall."""
ROUTED_IPS = Path("/etc/nethook/routed-ips")
FORWARDED_PORTS = Path("/etc/nethook/forwarded-ports")
PUBLIC = "203.0.113.1"
"""The address whose ports are forwarded."""
FIRST_PORT = 10_001
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


class Taken(NamedTuple):
    """What a program takes: seconds of the clock, and of processors, which say more on a busy machine."""

    clock: float
    processors: float


def seconds(argv: tuple[str, ...], stdin: Path = EMPTY) -> float:
    """How long a program runs."""
    return taken(argv, stdin).clock


def taken(argv: tuple[str, ...], stdin: Path = EMPTY) -> Taken:
    """What a program takes, with those that it starts."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, LIBVIRTS_ENVIRONMENT, file_actions=files)
    _, status, used = os.wait4(pid, 0)
    elapsed = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"bench: {' '.join(argv)[:80]} ended with {os.waitstatus_to_exitcode(status)}")
    return Taken(elapsed, used.ru_utime + used.ru_stime)


class BenchHost(Runner):
    """The host on which is measured: libvirt's rules, the bridge of one network, and the hook as it is installed."""

    def __init__(self, backend: str) -> None:
        self._libvirt = BACKENDS[backend]
        self.run("sh", "-c", PRIVATE_FILES, "sh", "dev", "etc")
        # As systemd sets it. With the kernel's 10, who logs would wait for whoever reads.
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512", encoding="ascii")
        self._log = Syslog(Path("/dev/log"))
        install_hook(HOOK, REPOSITORY)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", NETWORK.bridge, "type", "bridge")
        self.run("ip", "link", "set", NETWORK.bridge, "up")
        self.run("ip", "addr", "add", f"{NETWORK.address(4, 1)}/29", "dev", NETWORK.bridge)
        self.run("ip", "addr", "add", f"{NETWORK.address(6, 1)}/64", "dev", NETWORK.bridge)

    def configure(self, count: int = 0, *, forwards: Iterable[str] = ()) -> None:
        """Route so many addresses to the network, with these lines of forwards: written, not yet in the kernel."""
        ROUTED_IPS.write_text("".join(f"{address} {NETWORK.name}\n" for address in addresses(count)), encoding="ascii")
        FORWARDED_PORTS.unlink(missing_ok=True)
        text = "".join(f"{line}\n" for line in forwards)
        if text:
            FORWARDED_PORTS.write_text(text, encoding="ascii")

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
        return self._hook(operation).clock

    def plug(
        self, port: WorldPort, operation: str = "port-created", *, hook: str = HOOK, network: WorldNetwork = NETWORK
    ) -> float:
        """Run the hook for a guest that is plugged in, and say how many seconds of processors it took."""
        XML.write_text(network.event_xml(port), encoding="utf-8")
        return self._hook(operation, hook).processors

    def _hook(self, operation: str, hook: str = HOOK) -> Taken:
        return taken((hook, NETWORK.name, operation, "begin", "-"), XML)

    def require_success(self, count: int) -> None:
        """End the bench if a hook failed or there are not so many routes: then its times mean nothing."""
        routes = self.run("ip", "route", "show", "dev", NETWORK.bridge, "proto", str(ROUTE_PROTOCOL))
        self._require(routes.count("\n"), count)

    def require_forwards(self, count: int) -> None:
        """End the bench if a hook failed or not so many ports are forwarded."""
        self._require(self.run("nft", "list", "map", "ip", "nethook", "ports").count(". tcp ."), count)

    def _require(self, there: int, count: int) -> None:
        errors = [logged.text for logged in self._log.new() if logged.is_error]
        if there != count or errors:
            raise SystemExit("\n".join((f"bench: {there} of {count} are in force; the log says:", *errors[:5])))


def forward(ports: str, to: WorldPort = GUEST) -> str:
    """The line that forwards these ports to this guest."""
    return f"{PUBLIC}:{ports} {NETWORK.name} guest={to.guest}"


def addresses(count: int) -> list[str]:
    """So many addresses, at most 131,071, out of the block for measurements (RFC 2544)."""
    first = int(ip_address("198.18.0.0"))
    return [str(ip_address(first + number)) for number in range(1, count + 1)]


def install_hook(hook: str, repository: Path) -> None:
    """Install the package of a repository with its bytecode, and the stub for it, as an installation has them."""
    packages = f"{hook}-packages"
    package = f"{packages}/nethook"
    shutil.copytree(repository / "src/nethook", package, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(package, quiet=1)
    file = Path(hook)
    file.write_text(stub(sys.executable, packages), encoding="utf-8")
    file.chmod(0o755)
