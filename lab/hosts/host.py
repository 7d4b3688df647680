"""A hypervisor host: a container with libvirtd, an uplink, networks and guests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from lab.hosts import logs, program
from lab.hosts.container import Container
from lab.hosts.guest import IMAGE, Guest, Nic
from lab.hosts.guest_image import guest_image
from lab.hosts.network import HostNetwork, network_xml
from lab.hosts.wan import AddressPair
from lab.processes import Argument, Completed
from lab.waiting import wait_for

# In a container: no control groups to put guests in, no security driver, no unprivileged user for QEMU.
QEMU_CONF = """
cgroup_controllers = [ ]
security_driver = "none"
user = "root"
group = "root"
"""

# libvirt's nftables backend adds a checksum action for DHCP, which needs a kernel module that test machines
# may not have. No test uses DHCP, so the action may be missing; /usr/local comes first in the PATH.
TC_WITHOUT_CSUM = """#!/bin/sh
case " $* " in *" action csum "*) exit 0 ;; esac
exec /usr/sbin/tc "$@"
"""


class Host(ABC):
    """Kinds of hosts differ in the root they stand on and in how services start."""

    def __init__(
        self,
        container: Container,
        place: AddressPair,
        renew_network: Callable[[], None],
        firewall_backend: str | None = None,
    ) -> None:
        self.name = container.name
        self.place = place
        self._renew_network = renew_network
        self.shared = container.shared
        self.guests: list[Guest] = []
        self._container = container
        self._add_files(firewall_backend)

    def _add_files(self, firewall_backend: str | None) -> None:
        self._container.add_file("/etc/libvirt/qemu.conf", QEMU_CONF)
        self._container.add_file("/usr/local/sbin/tc", TC_WITHOUT_CSUM, 0o755)
        if firewall_backend:
            self._container.add_file("/etc/libvirt/network.conf", f'firewall_backend = "{firewall_backend}"\n')

    def boot(self) -> None:
        """Start the host and return when libvirt answers."""
        self._container.start([f"--bind-ro={guest_image().folder}:{IMAGE}", *self._nspawn_options()])
        wait_for(self._is_up, f"{self.name} is up", 180)
        self.wait_for_libvirt()

    def run(
        self,
        argv: Sequence[Argument],
        *,
        check: bool = True,
        stdin: str = "",
        timeout: float = 180,
    ) -> Completed:
        """Run a command on the host; see processes.run."""
        return self._container.run(argv, check=check, stdin=stdin, timeout=timeout)

    def command(self, argv: Sequence[Argument]) -> list[Argument]:
        """The command that runs `argv` on the host when run on the machine."""
        return self._container.command(argv)

    @property
    def namespace(self) -> str:
        """The name of its network namespace."""
        return self._container.namespace.name

    def nethook(self, *arguments: str) -> Completed:
        """Run the program's command; how it ends is for the caller to judge."""
        return self.run(["nethook", *arguments], check=False)

    def virsh(self, *arguments: str) -> str:
        return self.run(["virsh", "--quiet", *arguments]).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self.run(["install", "-D", "-m", f"{mode:o}", "/dev/stdin", path], stdin=text)

    def read(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def network(
        self,
        name: str,
        xml: str | None = None,
        *,
        mode: str | None = "nat",
        bridge: str | None = None,
        addresses: Sequence[str] = (),
        reserves: Mapping[str, str] = MappingProxyType({}),
    ) -> HostNetwork:
        """Define a network and start it: from libvirt's XML, or from what network_xml needs to know."""
        network = HostNetwork(self, name)
        network.define(xml or network_xml(name, mode, bridge or f"br-{name}", addresses, reserves))
        network.start()
        return network

    def guest(
        self,
        name: str,
        *,
        network: str,
        addresses: Sequence[str],
        gateways: Sequence[str] = (),
        mac: str | None = None,
        more_nics: Sequence[Nic] = (),
    ) -> Guest:
        """Define a guest; see guest.Guest."""
        guest = Guest(self, name, network=network, addresses=addresses, gateways=gateways, mac=mac, more_nics=more_nics)
        self.guests.append(guest)
        return guest

    def install(self) -> None:
        """Install the program as users do; see program.install."""
        program.install(self)

    def collect_logs(self, folder: Path) -> None:
        """Write all that explains this host's state into files; see logs.collect."""
        logs.collect(self, folder)

    def wait_for_libvirt(self) -> None:
        wait_for(
            lambda: self.run(["virsh", "--quiet", "version"], check=False).returncode == 0,
            f"libvirt on {self.name} answers",
        )

    @abstractmethod
    def restart_libvirtd(self) -> None:
        """Restart the daemon and return when it answers."""

    @abstractmethod
    def reload_libvirtd(self) -> None:
        """Have the daemon read its configuration again (SIGHUP)."""

    @abstractmethod
    def syslog(self, identifier: str | None = None) -> str:
        """What was logged: all of it, or by this program."""

    @abstractmethod
    def _nspawn_options(self) -> list[str]: ...

    @abstractmethod
    def _is_up(self) -> bool: ...

    def console(self) -> str:
        """What the host printed while it started."""
        return self._container.console()
