"""The NICs of guests as libvirt tells of them, running or not. https://libvirt.org/formatdomain.html#network-interfaces"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

from nethook.config.problem import one_line
from nethook.config.suggestion import suggestion
from nethook.errors import NethookError, ReadError
from nethook.libvirt.connection import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

URI = "qemu:///system"
ADVICE = "is it running? Look at `systemctl status libvirtd virtqemud`"


class GuestNic(NamedTuple):
    """A NIC on a libvirt network: its MAC address, in lower case, and the network's name."""

    mac: str
    network: str


def nics_of(guest: str) -> list[GuestNic]:
    """Those of the guest of this name. NethookError if libvirt has none, LibvirtError if it cannot be asked."""
    xml, names = ask(URI, lambda libvirt, connection: _xml(libvirt, connection, guest), "its guests", ADVICE)
    if xml is None:
        advice = suggestion(guest, sorted(names)) if names else "it has none at all"
        raise NethookError(one_line(f"libvirt has no guest {guest}: {advice}"))
    return read_nics(xml, guest)


def _xml(libvirt: Any, connection: Any, guest: str) -> tuple[str | None, Sequence[str]]:
    """The guest's XML, or None and the names of all."""
    try:
        return connection.lookupByName(guest).XMLDesc(), []
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
    return None, [domain.name() for domain in connection.listAllDomains()]


def read_nics(xml: str, guest: str) -> list[GuestNic]:
    """The NICs that the XML of a guest has on libvirt's networks. ReadError if it is broken."""
    try:
        interfaces = ET.fromstring(xml).findall("./devices/interface[@type='network']")  # noqa: S314 - libvirt's own
    except ET.ParseError as error:
        raise ReadError(one_line(f"libvirt's XML of guest {guest} is broken: {error}")) from None
    found = []
    for interface in interfaces:
        mac, source = interface.find("mac"), interface.find("source")
        if mac is not None and source is not None:
            found.append(GuestNic(mac.get("address", "").lower(), source.get("network", "")))
    return found
