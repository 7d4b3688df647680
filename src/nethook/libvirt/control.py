"""Changes of libvirt's networks over its API, for verbs that a person starts. Never from a hook: see ``live.py``.

https://libvirt.org/html/libvirt-libvirt-network.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nethook.libvirt.details import taps_of
from nethook.libvirt.live import GUESTS_URI, SECONDS, URI, LibvirtError, binding, nics_of, within
from nethook.libvirt.network_update import COMMANDS, CONFIG, LIVE, SECTIONS
from nethook.libvirt.reservations import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from nethook.libvirt.network_update import Update

Answer = TypeVar("Answer")


class Definition(NamedTuple):
    """A network as it runs (``running``: XML, '' if it does not run) and as it is defined ('' if it is transient)."""

    name: str
    running: str
    defined: str


class PluggedNic(NamedTuple):
    """A NIC of a running guest: the guest's name, the network ('' if it is plugged in without one), MAC and tap.

    ``is_isolated``: libvirt keeps it and others of its kind apart on the bridge.
    """

    guest: str
    network: str
    mac: str
    tap: str
    is_isolated: bool = False


def definition(name: str) -> Definition | None:
    """Return this network; None if there is none. LibvirtError."""

    def read(libvirt: Any, connection: Any) -> Definition | None:
        try:
            network = connection.networkLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
                return None
            raise
        running = network.XMLDesc() if network.isActive() else ""
        defined = network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE) if network.isPersistent() else ""
        return Definition(name, running, defined)

    return _ask(URI, f"tell of network {name}", read)


def names() -> list[str]:
    """Return the names of all networks. LibvirtError."""
    return _ask(URI, "list its networks", lambda _, connection: [each.name() for each in connection.listAllNetworks()])


def nics() -> list[PluggedNic]:
    """Return the NICs of all running guests that have a tap. LibvirtError."""

    def read(libvirt: Any, connection: Any) -> list[PluggedNic]:
        found: list[PluggedNic] = []
        for guest in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            try:
                found += _nics(guest.name(), guest.XMLDesc())
            except libvirt.libvirtError as error:
                if error.get_error_code() not in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}:
                    raise  # else it has stopped meanwhile
        return found

    return _ask(GUESTS_URI, "list its guests", read)


def _nics(guest: str, xml: str) -> Iterator[PluggedNic]:
    """Yield the NICs with a tap."""
    for tap in taps_of(xml):
        yield PluggedNic(guest, tap.network, tap.mac, tap.device, tap.is_isolated)


def macs(guest: str, network: str) -> list[str] | None:
    """Return the MACs of a guest's NICs on a network, as it runs and as it is defined; None without such a guest.

    LibvirtError.
    """

    def read(libvirt: Any, connection: Any) -> list[str] | None:
        try:
            found = connection.lookupByName(guest)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise
        kinds = [0] if found.isActive() else []
        kinds += [libvirt.VIR_DOMAIN_XML_INACTIVE] if found.isPersistent() else []
        nics = [nic for kind in kinds for nic in nics_of(found.XMLDesc(kind))]
        return list(dict.fromkeys(mac for of, mac in nics if of == network))

    return _ask(GUESTS_URI, f"tell of guest {guest}", read)


def guest_names() -> list[str]:
    """Return the names of all guests. LibvirtError."""
    return _ask(
        GUESTS_URI, "list its guests", lambda _, connection: [each.name() for each in connection.listAllDomains()]
    )


def leases(name: str) -> list[Lease]:
    """Return what the DHCP server of a network that runs has given out. LibvirtError."""

    def read(_: Any, connection: Any) -> list[Lease]:
        found = connection.networkLookupByName(name).DHCPLeases()
        return [Lease(each["ipaddr"], (each["mac"] or "").lower(), each["hostname"] or "") for each in found]

    return _ask(URI, f"tell the leases of network {name}", read)


def stop(name: str) -> None:
    """Stop a network. LibvirtError."""
    _ask(URI, f"stop network {name}", lambda _, connection: connection.networkLookupByName(name).destroy())


def start(name: str) -> None:
    """Start a network as it is defined. LibvirtError."""
    _ask(URI, f"start network {name}", lambda _, connection: connection.networkLookupByName(name).create())


def start_as(name: str, xml: str) -> None:
    """Start a defined network like this; its definition stays. LibvirtError."""
    _ask(URI, f"start network {name} as it was", lambda _, connection: connection.networkCreateXML(xml))


def update(name: str, change: Update, options: Collection[str]) -> None:
    """Change a network as ``virsh net-update`` does, with its options --live, --config or both. LibvirtError."""

    def write(libvirt: Any, connection: Any) -> None:
        flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE if LIVE in options else 0
        flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG if CONFIG in options else 0
        network = connection.networkLookupByName(name)
        network.update(COMMANDS[change.command], SECTIONS[change.section], change.parent, change.xml, flags)

    _ask(URI, f"change network {name}", write)


def _ask(uri: str, what: str, act: Callable[[Any, Any], Answer]) -> Answer:
    """Return what ``act`` does with a connection. LibvirtError, which says what libvirt cannot do, if that fails."""
    libvirt = binding()

    def asked() -> Answer:
        connection = libvirt.open(uri)
        try:
            return act(libvirt, connection)
        finally:
            connection.close()

    try:
        return within(SECONDS, asked)
    except libvirt.libvirtError as error:
        raise LibvirtError(f"libvirt cannot {what}: {error}") from None
