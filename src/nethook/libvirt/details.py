"""Details of libvirt's guests and networks that no run needs: taps, states, and what starts at boot.

https://libvirt.org/formatdomain.html, https://libvirt.org/html/libvirt-libvirt-domain.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from nethook.libvirt.live import GUESTS_URI, SECONDS, URI, binding, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nethook.libvirt import Network

ISOLATED = "port[@isolated='yes']"
PAUSED, ASLEEP, CRASHED = "paused", "asleep", "crashed"


class Tap(NamedTuple):
    """The tap of a NIC of a running guest: its device, network ('' without one), bridge as libvirt has it, and MAC.

    ``is_linked``: libvirt has not unplugged its cable (virsh domif-setlink). ``is_isolated``: libvirt keeps it and
    others of its kind apart on the bridge. ``is_plain``: it has no settings on the bridge, such as that one or a VLAN.
    """

    device: str
    network: str
    bridge: str
    mac: str
    is_linked: bool
    is_isolated: bool
    is_plain: bool


class GuestDetails(NamedTuple):
    """A guest: its ``state`` (PAUSED, ASLEEP, CRASHED, '' for any other), its taps, and whether it starts at boot.

    ``is_libvirts_pause``: libvirt has paused it while it saves or moves it, and lets it go on by itself.
    """

    state: str
    is_libvirts_pause: bool
    starts_at_boot: bool
    taps: Sequence[Tap]


class Details(NamedTuple):
    """Guests by name, and the names of networks that do not start at boot. Transient ones count as if they did.

    ``particular`` are those that have settings for taps on their bridges: isolation, VLANs, MACs that libvirt writes
    (macTableManager).
    """

    guests: Mapping[str, GuestDetails] = {}
    off_at_boot: frozenset[str] = frozenset()
    particular: frozenset[str] = frozenset()

    def can_be_plugged(self, tap: Tap, network: Network | None) -> bool:
        """Return whether it is enough to put this tap into the bridge of its network; None: of no network.

        After a restart of its network, only libvirt's daemon gives it a port again, without which no event tells of the
        guest. So it is with settings for a tap, which the kernel has forgotten.
        """
        is_known = network is None or any(port.mac == tap.mac for port in network.ports.known)
        return is_known and tap.is_plain and tap.network not in self.particular


def details(seconds: float = SECONDS) -> Details:
    """Return the details of all guests and networks; those that libvirt does not tell are missing.

    LibvirtError if libvirt does not answer within so many seconds.
    """
    libvirt = binding()

    def ask(uri: str, read: Callable[[Any, Any], Any], otherwise: Any) -> Any:
        try:
            connection = libvirt.openReadOnly(uri)
            try:
                return read(libvirt, connection)
            finally:
                connection.close()
        except libvirt.libvirtError:
            return otherwise

    return within(
        seconds,
        lambda: Details(
            ask(GUESTS_URI, lambda *told: dict(_guests(*told)), {}),
            *ask(URI, _networks, ()),
        ),
    )


def _guests(libvirt: Any, connection: Any) -> Iterator[tuple[str, GuestDetails]]:
    states = {
        libvirt.VIR_DOMAIN_PAUSED: PAUSED,
        libvirt.VIR_DOMAIN_PMSUSPENDED: ASLEEP,
        libvirt.VIR_DOMAIN_CRASHED: CRASHED,
    }
    crashed = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_CRASHED)
    at_work = {
        libvirt.VIR_DOMAIN_PAUSED_MIGRATION,
        libvirt.VIR_DOMAIN_PAUSED_SAVE,
        libvirt.VIR_DOMAIN_PAUSED_DUMP,
        libvirt.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT,
        libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT,
        libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN,
        libvirt.VIR_DOMAIN_PAUSED_STARTING_UP,
        libvirt.VIR_DOMAIN_PAUSED_POSTCOPY,
        libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
    }
    for guest in connection.listAllDomains():
        try:
            state, reason = guest.state()
            found = GuestDetails(
                CRASHED if (state, reason) == crashed else states.get(state, ""),
                state == libvirt.VIR_DOMAIN_PAUSED and reason in at_work,
                not guest.isPersistent() or bool(guest.autostart()),
                taps_of(guest.XMLDesc()) if guest.isActive() else (),
            )
        except libvirt.libvirtError as error:
            if error.get_error_code() not in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}:
                raise  # else it has stopped or gone meanwhile
        else:
            yield guest.name(), found


def taps_of(xml: str) -> list[Tap]:
    """Return the NICs of a running guest that have a tap."""
    found = []
    for interface in ElementTree.fromstring(xml).iterfind("devices/interface"):  # noqa: S314 - libvirt wrote it
        source, mac, target = (interface.find(tag) for tag in ("source", "mac", "target"))
        is_isolated = interface.find(ISOLATED) is not None
        if target is not None and target.get("dev"):
            found.append(
                Tap(
                    target.get("dev", ""),
                    "" if source is None else source.get("network", ""),
                    "" if source is None else source.get("bridge", ""),
                    "" if mac is None else mac.get("address", "").lower(),
                    interface.find("link[@state='down']") is None,
                    is_isolated,
                    not is_isolated and all(interface.find(tag) is None for tag in ("vlan", "virtualport")),
                )
            )
    return found


def _networks(libvirt: Any, connection: Any) -> tuple[frozenset[str], frozenset[str]]:
    off, particular = set(), set()
    for network in connection.listAllNetworks():
        try:
            if network.isPersistent() and not network.autostart():
                off.add(network.name())
            found = ElementTree.fromstring(network.XMLDesc())  # noqa: S314 - libvirt wrote it
            for what in (f".//{ISOLATED}", ".//vlan", ".//virtualport", "bridge[@macTableManager='libvirt']"):
                if found.find(what) is not None:
                    particular.add(network.name())
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:  # undefined meanwhile
                raise
    return frozenset(off), frozenset(particular)
