"""A lab: some hosts and the outside they hang on, none of which outlives the `with` block."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, TextIO, TypeVar

from lab.hosts.cache import home
from lab.hosts.container import Container
from lab.hosts.debian_guest import DebianGuest, Image
from lab.hosts.footprint import Footprint, sweep
from lab.hosts.host import Host
from lab.hosts.locking import take_one
from lab.hosts.machine_host import MachineHost
from lab.hosts.named_namespace import NamedNamespace
from lab.hosts.roots import Layer, layered_root, root
from lab.hosts.systemd_host import SystemdHost
from lab.hosts.wan import AddressPair, Wan
from lab.processes import Argument

AnyHost = TypeVar("AnyHost", bound=Host)

MOST_HOSTS = 8
"""On this machine at the same time, in all runs together. Of the 128 inotify instances that Linux gives to root
(fs.inotify.max_user_instances), a host takes 12, and one for each of its networks. A lab of two hosts that waits for
the second one holds the first, so there have to be more places than such labs at the same time."""


class Lab:
    """Context manager. Entering it also removes what dead runs have left behind."""

    alive: ClassVar[list[Lab]] = []

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self._places: list[TextIO] = []

    def __enter__(self) -> Lab:
        sweep()
        self.footprint = Footprint.create()
        Lab.alive.append(self)
        try:
            self.wan = Wan(self.footprint)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def host(
        self, suite: str, name: str | None = None, *, firewall_backend: str | None = None, layer: Layer | None = None
    ) -> SystemdHost:
        """Boot a host with the root of a suite (see roots.SUITES) and return it when libvirt answers.

        Takes 3 to 6 s, the first time of a suite 30 s more. `firewall_backend` is "iptables" or "nftables",
        for libvirt 10.4 and newer. `layer`: with these packages as well.
        """
        lower = layered_root(suite, layer) if layer else root(suite)
        return self._boot(SystemdHost(*self._wired_container(name or suite, lower), firewall_backend))

    def debian_guest(self, name: str) -> DebianGuest:
        """Boot a guest with a system of its own, which is to be plugged into a bridge of a host."""
        guest = DebianGuest(self.footprint, name)
        guest.boot()
        return guest

    def guest_of(self, image: Image, name: str) -> DebianGuest:
        """Return such a guest as its image ships, which has not booted yet."""
        return DebianGuest(self.footprint, name, image)

    def machine_host(self) -> MachineHost:
        """The machine's own libvirt as a host, which needs no root."""
        return self._boot(MachineHost(*self._wired_container("machine", Path("/"))))

    def _end(self) -> None:
        for host in self.hosts:
            for guest in host.guests:
                guest.hang_up()
        Lab.alive.remove(self)
        self.footprint.remove()
        for place in self._places:
            place.close()

    def _wired_container(self, name: str, lower: Argument) -> tuple[Container, AddressPair, Callable[[], None]]:
        """A container on its network, its addresses there, and what makes its network anew."""
        namespace = NamedNamespace(self.footprint, name)
        number = len(self.hosts) + 1
        place = self.wan.connect(namespace, number)

        def renew() -> None:
            namespace.renew()
            self.wan.connect(namespace, number)

        return Container(self.footprint, namespace, name, lower), place, renew

    def _boot(self, host: AnyHost) -> AnyHost:
        self._places.append(take_one(home() / f"host-{number}.lock" for number in range(MOST_HOSTS)))
        self.hosts.append(host)
        host.boot()
        return host
