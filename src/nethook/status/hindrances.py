"""Hindrances for lines although all of ours is in force: devices, kernel settings, addresses of the host itself.

Only what is read at once, and only what is certain: a line that may be reached is not called blocked.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nethook.doctor.facts import set_sysctl
from nethook.doctor.ip_answers import ask
from nethook.errors import ReadError
from nethook.host.links import tap_mac
from nethook.libvirt.running import paused_guests, running_taps
from nethook.prefix import BITS
from nethook.shell import operand, word
from nethook.status.line_states import BLOCKED, WAITING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nethook.host import Host
    from nethook.host.addresses import Address
    from nethook.host.links import Link
    from nethook.libvirt import Network, Port
    from nethook.libvirt.details import Tap
    from nethook.prefix import Prefix

FORWARDING = "run nethook install --enable-forwarding"
IPV4, IPV6 = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"


class Subject(NamedTuple):
    """The subject of a line: its IP family, network and bridge, and the MAC of the NIC, '' if it may be any."""

    family: int
    network: str
    bridge: str
    mac: str


class Hindrance(NamedTuple):
    """A state, and its reason with what to do about it."""

    state: str
    reason: str


class Note(NamedTuple):
    """A sentence about what is wrong on a network."""

    network: str
    text: str


class Hindrances:
    """The hindrances on this host. ReadError if its devices cannot be known."""

    def __init__(
        self, networks: Sequence[Network], addresses: Sequence[Address], host: Host, *, is_live: bool = True
    ) -> None:
        """``networks`` are those that are up; ``is_live``: libvirt answers, and can be asked about its guests."""
        self._host = host
        self._is_live = is_live
        self._networks: Mapping[str, Network] = {network.name: network for network in networks}
        self._links = {link.name: link for link in host.links()}
        numbers = {link.number: link for link in self._links.values()}
        self._members: dict[str, list[Link]] = {}
        self._taps: dict[str, list[Link]] = {}
        for link in self._links.values():
            self._taps.setdefault(link.mac, []).append(link)
            master = numbers.get(link.master)
            if master and link.name != f"{master.name}-nic":  # libvirt's dummy port, up to 7.0
                self._members.setdefault(master.name, []).append(link)
        self._own = {each.text: each.device for each in addresses}
        self._settings: dict[str, str] = {}

    @cached_property
    def _running(self) -> Mapping[str, Sequence[Tap]]:
        return running_taps() if self._is_live else {}

    @cached_property
    def _paused(self) -> set[str]:
        return paused_guests() if self._is_live else set()

    def of_address(self, prefix: Prefix) -> Hindrance | None:
        """Return that the host itself has this address. A prefix with an address of the host in it works."""
        device = self._own.get(prefix.text) if prefix.length == BITS[prefix.family] else None
        if device is None or not self._is_local(prefix):
            return None
        what = f"{prefix} is an address of this host, on {device}"
        return Hindrance(BLOCKED, f"{what}: packets to it never reach a guest")

    def _is_local(self, prefix: Prefix) -> bool:
        """Return whether the host takes packets to this address itself, as it may not in a VRF."""
        try:
            (way,) = ask(self._host, prefix.family, [f"route get {prefix}"])
        except ReadError:
            return False
        return way.first.get("type") == "local"

    def of_bridge(self, bridge: str) -> Hindrance | None:
        """Return that the bridge is turned off, with which all routes to it went."""
        link = self._links.get(bridge)
        if link is None or link.is_up:
            return None
        return Hindrance(BLOCKED, f"bridge {bridge} is down: ip link set {word(bridge)} up, and then nethook apply")

    def of(self, subject: Subject) -> Hindrance | None:
        """Return the first thing that certainly keeps this from being reached; None if nothing is known to."""
        return self.of_bridge(subject.bridge) or self._of_forwarding(subject) or self._of_guests(subject)

    def notes(self, networks: Collection[str]) -> Iterator[Note]:
        """Yield a note for each guest that libvirt has plugged into these networks, and that is not in the bridge."""
        for network in self._networks.values():
            for port in network.ports.known if network.name in networks else ():
                if reason := self._of_tap(port, network.bridge):
                    yield Note(network.name, reason)

    def _of_forwarding(self, subject: Subject) -> Hindrance | None:
        """Return that what arrives from guests on the bridge is not forwarded, which their answers need."""
        bridge = subject.bridge
        if subject.family == 4:
            own = f"net/ipv4/conf/{bridge}/forwarding"
            if self._setting(own) != "0":
                return None
            what = "the host does not forward IPv4"
            if self._setting(IPV4) != "0":
                return Hindrance(BLOCKED, f"{what} of {bridge}: {set_sysctl(own, 1)}")
            return Hindrance(BLOCKED, f"{what}: {FORWARDING}")
        if self._setting(IPV6) != "0" or self._setting(f"net/ipv6/conf/{bridge}/force_forwarding") not in {"", "0"}:
            return None
        return Hindrance(BLOCKED, f"the host does not forward IPv6: {FORWARDING}")

    def _of_guests(self, subject: Subject) -> Hindrance | None:
        """Return that frames reach no guest on the bridge, or not the one that the line is bound to."""
        network = self._networks.get(subject.network)
        if network is None:
            return None
        bound = [port for port in network.ports.known if port.mac == subject.mac]
        if reason := self._off(bound, subject.bridge):
            return Hindrance(BLOCKED, reason)
        if bound and bound[0].guest in self._paused:
            return Hindrance(WAITING, f"guest {bound[0].guest} is paused: virsh resume {operand(bound[0].guest)}")
        members = self._members.get(subject.bridge, [])
        if any(link.is_up for link in members):
            return None  # it may be the guest that has the address
        return self._of_nobody(network, members)

    def _of_nobody(self, network: Network, members: Sequence[Link]) -> Hindrance:
        """Return why no guest is on the bridge of this network, all members of which are down."""
        known, bridge = network.ports.known, network.bridge
        if reason := self._off(known, bridge):
            return Hindrance(BLOCKED, reason)
        if members:
            port = word(members[0].name)
            return Hindrance(BLOCKED, f"port {port} of {bridge} is down: ip link set {port} up")
        if known:
            what = f"guest {next(iter(known)).guest} is plugged in, but nothing is in bridge {bridge}"
            return Hindrance(BLOCKED, f"{what}: restart libvirt's daemon, which plugs it in again")
        for guest, taps in self._running.items():
            if reason := next(filter(None, (self._of_lost(guest, tap, network) for tap in taps)), ""):
                return Hindrance(BLOCKED, reason)
        return Hindrance(WAITING, f"no guest is plugged into network {network.name}")

    def of_lost_guest(self, network: str, guest: str, mac: str | None) -> Hindrance | None:
        """Return that a guest runs which is not plugged in by libvirt's word: the network has restarted meanwhile."""
        if network not in self._networks:
            return None
        for tap in self._running.get(guest, ()):
            if mac in {None, tap.mac} and (reason := self._of_lost(guest, tap, self._networks[network])):
                return Hindrance(BLOCKED, reason)
        return None

    def _of_lost(self, guest: str, tap: Tap, network: Network) -> str:
        """Return that this tap belongs into the bridge of the network, and is not there; '' if it does not belong."""
        link = self._links.get(tap.device)
        bridge = self._links.get(network.bridge)
        if link is None or bridge is None or tap.network != network.name or link.master == bridge.number:
            return ""
        what = f"tap {word(tap.device)} of guest {guest} is not in bridge {network.bridge}"
        return f"{what}: restart libvirt's daemon for guests, as nethook doctor says"

    def _off(self, ports: Iterable[Port], bridge: str) -> str:
        """Return why frames do not pass between the first such port and the bridge; '' if there is none."""
        return next(filter(None, (self._of_tap(port, bridge) for port in ports)), "")

    def _of_tap(self, port: Port, bridge: str) -> str:
        """Return why frames do not pass between this port and the bridge; '' if they do, or its device is unknown."""
        taps = self._taps.get(tap_mac(port.mac), [])
        if not taps or bridge not in self._links:
            return ""
        number = self._links[bridge].number
        inside = next((link for link in taps if link.master == number), None)
        tap = word((inside or taps[0]).name)
        what = f"tap {tap} of guest {port.guest}"
        if inside is None:  # it may be isolated in the bridge, which `ip link set master` would not do
            return f"{what} is not in bridge {bridge}: nethook doctor says how to plug it in"
        return "" if inside.is_up else f"{what} is down: ip link set {tap} up"

    def _setting(self, name: str) -> str:
        """Return the value of a kernel setting; '' if the kernel does not have it."""
        if name not in self._settings:
            try:
                self._settings[name] = (self._host.read(f"/proc/sys/{name}") or "").strip()
            except OSError:
                self._settings[name] = ""
        return self._settings[name]
