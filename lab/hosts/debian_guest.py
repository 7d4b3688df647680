"""A Debian guest that has a real system inside: a booted container, whose NIC is plugged into a bridge of a host.

For what configures the network of guests. It starts faster than a machine of QEMU's, and all that matters here is the
same: a system of its own, whose eth0 is on the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lab.hosts.container import SHARED, Container
from lab.hosts.named_namespace import NamedNamespace
from lab.hosts.roots import guest_root
from lab.hosts.wan import CLIENT, WEB_SERVER
from lab.waiting import wait_for

if TYPE_CHECKING:
    from lab.hosts.footprint import Footprint
    from lab.hosts.host import Host
    from lab.processes import Argument, Completed

NIC = "eth0"
PORT = "debian-guest"

# nspawn shows the devices of the machine in /sys; udev, without which networkd and NetworkManager wait for ever, has to
# see those of the guest. systemd's control groups stay where they are.
SYSFS_OF_ITS_OWN = """
mkdir /run/cgroup
mount --bind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --bind /run/cgroup /sys/fs/cgroup
systemctl restart systemd-udevd
"""


class Image(NamedTuple):
    """How a guest comes: Debian's suite, files that only root may read, and services, by the names of their units."""

    suite: str = "trixie"
    files: Mapping[str, str] = {}
    services: Sequence[str] = ()


class DebianGuest:
    """Nothing of its network is configured before a test does it; its web server answers on every address."""

    def __init__(self, footprint: Footprint, name: str, image: Image | None = None) -> None:
        """``image`` is what the guest has in addition to Debian's packages, and which of them start by themselves."""
        image = image or Image()
        root = guest_root(image.suite)
        self._namespace = NamedNamespace(footprint, name)
        self._container = Container(footprint, self._namespace, name, root)
        for path, text in image.files.items():
            self._container.add_file(path, text, mode=0o600)
        for service in image.services:  # in place of the link to /dev/null
            unit = root / "usr/lib/systemd/system" / service
            self._container.add_file(f"/etc/systemd/system/{service}", unit.read_text())
        (self._container.shared / WEB_SERVER.name).write_text(WEB_SERVER.read_text())

    def boot(self) -> None:
        """Start it and return when its system and its web server are up."""
        self._container.start(["--boot"])
        wait_for(self._is_up, "the guest is up", 180)
        self.sh(SYSFS_OF_ITS_OWN)
        self.sh("udevadm trigger --settle --subsystem-match=net --action=add")
        self.run(["systemd-run", "--quiet", "python3", f"{SHARED}/{WEB_SERVER.name}"])

    def plug(self, host: Host, bridge: str, mac: str) -> None:
        """Plug a fresh NIC with this MAC address into a bridge of the host."""
        self._namespace.ip(f"link add {NIC} address {mac} type veth peer name {PORT} netns {host.namespace}")
        host.run(["ip", "link", "set", PORT, "master", bridge, "up"])

    def unplug(self) -> None:
        """Take the NIC away, and with it all that was configured of it."""
        self._namespace.ip(f"link delete {NIC}")

    def reboot(self, host: Host, bridge: str, mac: str) -> None:
        """Shut it down, and boot it with a fresh NIC."""
        self.shut_down()
        self.plug(host, bridge, mac)
        self.boot()

    def shut_down(self) -> None:
        """Shut it down, and take its NIC away."""
        self._container.shut_down()
        self.unplug()

    def run(self, argv: Sequence[Argument], *, check: bool = True, stdin: str = "", timeout: float = 180) -> Completed:
        """Run a command in the guest; see processes.run."""
        return self._container.run(argv, check=check, stdin=stdin, timeout=timeout)

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a script in the guest and return what it prints."""
        return self.run(["sh", "-c", script], check=check).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self.run(["install", "-D", "-m", f"{mode:o}", "/dev/stdin", path], stdin=text)

    def source_seen_outside(self, family: int) -> str | None:
        """The address that the outside sees when the guest asks for a page of its own accord."""
        client = CLIENT.of_family(family)
        url = f"http://{client}/" if family == 4 else f"http://[{client}]/"
        fetched = self.run(["curl", "--silent", "--globoff", "--max-time", "3", url], check=False)
        return fetched.stdout.strip() if fetched.returncode == 0 else None

    def _is_up(self) -> bool:
        return self.run(["systemctl", "is-system-running", "--wait"], check=False).stdout.strip() in (
            "running",
            "degraded",
        )
