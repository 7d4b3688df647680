"""libvirt's networks and guests, read over its API.

Never called from a hook, and never while our lock is held: libvirt would wait for a hook that waits for the lock.
A read-only connection is enough, and is open to users other than root. ``network:///system`` is served by virtnetworkd
if the daemons are modular, and by libvirtd if not. It needs no driver for guests.

https://libvirt.org/uri.html, https://libvirt.org/html/libvirt-libvirt-network.html
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from nethook.errors import NethookError, ReadError
from nethook.host.files import read
from nethook.libvirt import XML, Ports, read_network, read_port
from nethook.prefix import address_text, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nethook.libvirt import Network, Port

Answer = TypeVar("Answer")
Told = TypeVar("Told")

URI = "network:///system"
GUESTS_URI = "qemu:///system"

SECONDS = 110.0
"""At boot libvirt answers only after it has probed QEMU and started its networks, which takes long on a slow host."""
DAEMONS = ("virtnetworkd", "libvirtd")
"""One of these has the networks: the first where libvirt is split into modular daemons."""
ADVICE = "check that it runs: systemctl status libvirtd virtnetworkd"

_given_up: list[tuple[Thread, str]] = []
"""The last thread that libvirt has not answered in time, and the error for that. It is replaced as a whole."""


class LiveNetwork:
    """A network that is defined or active; ``addresses`` are the addresses of its bridge, with prefix lengths."""

    __slots__ = ("addresses", "is_active", "network")

    def __init__(
        self,
        network: Network,
        *,
        is_active: bool,
        addresses: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.network = network
        self.addresses = addresses
        self.is_active = is_active


class LiveGuest:
    """A guest that libvirt knows; ``nics`` has network and MAC address of each NIC that is on a network."""

    __slots__ = ("is_running", "nics")

    def __init__(self, nics: Sequence[tuple[str, str]], *, is_running: bool) -> None:
        self.nics = nics
        self.is_running = is_running

    def macs_on(self, network: str) -> list[str]:
        """Return the MAC addresses of its NICs on this network."""
        return [mac for of, mac in self.nics if of == network]


class LibvirtError(NethookError):
    """libvirt does not answer."""


class BindingMissingError(LibvirtError):
    """libvirt's Python binding is not installed; ``command`` installs it, '' if the distribution is unknown."""

    def __init__(self, text: str, command: str) -> None:
        super().__init__(text)
        self.command = command


def running(daemon: str) -> list[int]:
    """Return the daemon's process number out of its PID file, as a list; [] if that process is not the daemon.

    One that crashes leaves its file.
    """
    pid = (read(f"/run/{daemon}.pid") or "").strip()
    is_daemon = pid.isdecimal() and (read(f"/proc/{pid}/comm") or "").strip() == daemon
    return [int(pid)] if is_daemon else []


def is_running() -> bool:
    """Return whether libvirt's daemon for networks runs. Asking one that does not run may start it."""
    return bool(numbers())


def numbers() -> list[int]:
    """Return the process numbers of libvirt's daemons for networks; none if they cannot be read."""
    try:
        return [number for daemon in DAEMONS for number in running(daemon)]
    except ReadError:
        return []


def live_networks(seconds: float = SECONDS) -> dict[str, LiveNetwork]:
    """Return all networks by name. LibvirtError if libvirt does not answer within so many seconds."""
    libvirt = binding()
    try:
        return within(seconds, lambda: _told(libvirt, URI, _read_networks))
    except libvirt.libvirtError as error:
        raise LibvirtError(f"libvirt does not list its networks: {error}; {ADVICE}") from None


def live_guests() -> dict[str, LiveGuest] | None:
    """Return all guests, running or not, by name; None if libvirt does not answer, as on a host without QEMU.

    A transient guest is known only while it runs.
    """
    libvirt = binding()
    try:
        return within(SECONDS, lambda: _told(libvirt, GUESTS_URI, _read_guests))
    except libvirt.libvirtError:
        return None


def _read_guests(libvirt: Any, connection: Any) -> Iterator[tuple[str, LiveGuest]]:
    for guest in connection.listAllDomains():
        try:
            yield guest.name(), LiveGuest(nics_of(guest.XMLDesc()), is_running=bool(guest.isActive()))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # undefined meanwhile
                raise


def nics_of(xml: str) -> list[tuple[str, str]]:
    """Return network and MAC address of each NIC of a guest that is on a network.

    https://libvirt.org/formatdomain.html
    """
    from xml.etree import ElementTree  # noqa: PLC0415 - few verbs need it

    nics = []
    for interface in ElementTree.fromstring(xml).iterfind("devices/interface[@type='network']"):  # noqa: S314 - libvirt wrote it
        source, mac = interface.find("source"), interface.find("mac")
        if source is not None and mac is not None:
            nics.append((source.get("network", ""), mac.get("address", "").lower()))
    return nics


def within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Return what ``ask`` returns. LibvirtError if that takes longer than these seconds.

    libvirt's library waits without a limit, and not even Ctrl-C interrupts it. So a thread asks. One that was given up
    keeps its connection; while it waits, nothing else is asked, and the error is the same.
    """
    for thread, failure in _given_up:
        if thread.is_alive():
            raise LibvirtError(failure)
    answered: Queue[Answer | BaseException] = Queue()

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the main thread, when it wants
        try:
            answered.put(ask())
        except BaseException as error:
            answered.put(error)

    asking = Thread(target=run, daemon=True)
    asking.start()
    try:
        answer = answered.get(timeout=seconds)
    except Empty:
        failure = f"libvirt has not answered within {seconds:.0f} s; {ADVICE}"
        _given_up[:] = [(asking, failure)]
        raise LibvirtError(failure) from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _told(libvirt: Any, uri: str, read: Callable[[Any, Any], Iterator[tuple[str, Told]]]) -> dict[str, Told]:
    """Open a connection, and return what ``read`` yields there: objects by name."""
    connection = libvirt.openReadOnly(uri)
    try:
        return dict(read(libvirt, connection))
    finally:
        connection.close()


def _read_networks(libvirt: Any, connection: Any) -> Iterator[tuple[str, LiveNetwork]]:
    for network in connection.listAllNetworks():
        try:
            yield network.name(), _live(libvirt, network)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:  # undefined meanwhile
                raise


def _live(libvirt: Any, network: Any) -> LiveNetwork:
    is_active = bool(network.isActive())
    source = f"libvirt's XML of network {network.name()}"
    read = read_network(XML(network.XMLDesc().encode(), source), source)
    addresses = [
        (address_text(*parse_address(ip["address"])), subnet.length)
        for ip, subnet in zip(read.ips, read.network.subnets)
    ]
    if is_active:
        try:
            read.network.ports = Ports(list(_ports(libvirt, network)), all_known=True)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                raise
            is_active = False  # stopped meanwhile
    return LiveNetwork(read.network, is_active=is_active, addresses=addresses)


def _ports(libvirt: Any, network: Any) -> Iterator[Port]:
    """Yield the ports of guests on the network."""
    source = f"libvirt's XML of a port of network {network.name()}"
    for port in network.listAllPorts():
        try:
            found = read_port(XML(port.XMLDesc().encode(), source))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK_PORT:  # unplugged meanwhile
                raise
        else:
            if found:
                yield found


def binding() -> Any:
    """Return libvirt's Python binding, which is a package of the distribution. BindingMissingError."""
    try:
        libvirt = import_module("libvirt")
    except ImportError:
        command = _installation()
        how = f"it with `{command}`" if command else "the package that brings it (mostly called python3-libvirt)"
        raise BindingMissingError(
            f"libvirt's Python binding, which is needed to list its networks, is not installed for {sys.executable}: "
            f"install {how}",
            command,
        ) from None
    # By default the binding prints each error to stderr as well.
    libvirt.registerErrorHandler(lambda *_: None, None)
    return libvirt


def _installation() -> str:
    """Return the command that installs the binding on this distribution; '' if the distribution is unknown.

    https://www.freedesktop.org/software/systemd/man/os-release.html
    """
    ids: list[str] = []
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                if key in {"ID", "ID_LIKE"}:
                    ids += value.strip("\"'").split()
    except OSError:
        pass
    for distributions, command in (
        ({"debian", "ubuntu"}, "apt install python3-libvirt"),
        ({"fedora", "rhel", "centos"}, "dnf install python3-libvirt"),
        ({"suse", "opensuse", "sles"}, "zypper install python3-libvirt-python"),
    ):
        if distributions & set(ids):
            return command
    return ""
