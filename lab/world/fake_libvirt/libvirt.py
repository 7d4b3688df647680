"""libvirt's Python binding in a world, as far as nethook uses it: networks, ports and events come from files.

A folder of FOLDER is a network: its XML, and one of each port. GUESTS has the XML of guests without a port, and PAUSED
has the names of guests that are paused. Lines that are written into EVENTS are events: the name of a network and a
number. CONNECTIONS has a line for each connection. libvirt is away while there is no FOLDER, and does not answer while
there is HANGS.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable
from xml.etree import ElementTree

FOLDER = Path("/run/fake-libvirt")
GUESTS, PAUSED = FOLDER / "guests", FOLDER / "paused"
VIR_DOMAIN_RUNNING, VIR_DOMAIN_PAUSED, VIR_DOMAIN_CRASHED, VIR_DOMAIN_PMSUSPENDED = 1, 3, 6, 7
(
    VIR_DOMAIN_PAUSED_MIGRATION,
    VIR_DOMAIN_PAUSED_SAVE,
    VIR_DOMAIN_PAUSED_DUMP,
    VIR_DOMAIN_PAUSED_FROM_SNAPSHOT,
    VIR_DOMAIN_PAUSED_SHUTTING_DOWN,
    VIR_DOMAIN_PAUSED_SNAPSHOT,
    VIR_DOMAIN_PAUSED_CRASHED,
    VIR_DOMAIN_PAUSED_STARTING_UP,
    VIR_DOMAIN_PAUSED_POSTCOPY,
    VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
) = range(2, 12)
VIR_CONNECT_LIST_DOMAINS_ACTIVE, VIR_CONNECT_LIST_DOMAINS_PAUSED = 1, 32
NETWORK, EVENTS, CONNECTIONS, HANGS = "network.xml", "events", "connections", "hangs"
VIR_NETWORK_EVENT_ID_LIFECYCLE = VIR_DOMAIN_EVENT_ID_LIFECYCLE = 0
VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED = 15, 20
VIR_ERR_NO_DOMAIN, VIR_ERR_NO_NETWORK, VIR_ERR_OPERATION_INVALID, VIR_ERR_NO_NETWORK_PORT = 42, 43, 55, 103

_listening: list[_Connection] = []


class libvirtError(Exception):  # noqa: N801 - its name
    """libvirt does not answer."""

    def get_error_code(self) -> int:
        """The number of the error."""
        return 38


class _Described:
    """What libvirt has from a file, and starts at boot."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def isPersistent(self) -> bool:  # noqa: N802
        return True

    def autostart(self) -> bool:
        return True

    def XMLDesc(self, _: int = 0) -> str:  # noqa: N802
        return self._path.read_text(encoding="utf-8")


class _Network(_Described):
    def name(self) -> str:
        return self._path.parent.name

    def isActive(self) -> bool:  # noqa: N802
        return True

    def listAllPorts(self) -> list[_Described]:  # noqa: N802
        return [_Described(each) for each in sorted(self._path.parent.iterdir()) if each.name != NETWORK]


class _Guest(_Described):
    """A guest that runs, with this XML."""

    def name(self) -> str:
        return self._path.stem

    def isActive(self) -> bool:  # noqa: N802
        return True

    def state(self) -> tuple[int, int]:
        is_paused = PAUSED.is_file() and self.name() in PAUSED.read_text(encoding="utf-8").splitlines()
        return (VIR_DOMAIN_PAUSED if is_paused else VIR_DOMAIN_RUNNING), 0


class _Domain(_Guest):
    """A guest that has this port, and no other."""

    def __init__(self, network: _Network, port: _Described) -> None:
        super().__init__(port._path)
        self._network = network
        self._port = ElementTree.fromstring(port.XMLDesc())  # noqa: S314 - ours

    def name(self) -> str:
        return self._port.findtext("owner/name", "")

    def XMLDesc(self, _: int = 0) -> str:  # noqa: N802
        mac = self._port.find("mac")
        assert mac is not None
        source = f"<source network='{self._network.name()}'/><mac address='{mac.get('address')}'/>"
        return f"<domain><devices><interface type='network'>{source}</interface></devices></domain>"


class _Connection:
    def __init__(self) -> None:
        self.callback: Callable[..., None] | None = None

    def listAllNetworks(self) -> list[_Network]:  # noqa: N802
        return [_Network(each / NETWORK) for each in sorted(FOLDER.iterdir()) if (each / NETWORK).is_file()]

    def listAllDomains(self, flags: int = 0) -> list[_Guest]:  # noqa: N802
        found: list[_Guest] = []
        found += [_Domain(each, port) for each in self.listAllNetworks() for port in each.listAllPorts()]
        found += [_Guest(each) for each in sorted(GUESTS.glob("*.xml"))]
        if flags & VIR_CONNECT_LIST_DOMAINS_PAUSED:
            return [each for each in found if each.state()[0] == VIR_DOMAIN_PAUSED]
        return found

    def networkEventRegisterAny(self, _: Any, __: int, callback: Callable[..., None], ___: Any) -> None:  # noqa: N802
        self.callback = callback
        _listening.append(self)

    def domainEventRegisterAny(self, *_: Any) -> None:  # noqa: N802
        pass

    def isAlive(self) -> bool:  # noqa: N802
        return FOLDER.is_dir()

    def close(self) -> None:
        if self in _listening:
            _listening.remove(self)


def openReadOnly(uri: str) -> _Connection:  # noqa: N802
    """Connect."""
    if not FOLDER.is_dir():
        raise libvirtError("Failed to connect socket to '/var/run/libvirt/libvirt-sock-ro': No such file or directory")
    with (FOLDER / CONNECTIONS).open("a", encoding="ascii") as connections:
        connections.write(f"{uri}\n")
    while (FOLDER / HANGS).exists():
        time.sleep(0.05)
    return _Connection()


def registerErrorHandler(*_: Any) -> None:  # noqa: N802
    """Print no errors."""


def virEventRegisterDefaultImpl() -> None:  # noqa: N802
    """Prepare the loop of events."""


def virEventRunDefaultImpl() -> None:  # noqa: N802
    """Wait for events, and call back."""
    try:
        with (FOLDER / EVENTS).open(encoding="utf-8") as events:  # a FIFO, until whoever writes closes it
            for line in events:
                name, number = line.split()
                for each in _listening:
                    assert each.callback
                    each.callback(each, _Network(FOLDER / name / NETWORK), int(number), 0, None)
    except FileNotFoundError:
        if FOLDER.is_dir():
            time.sleep(3600)  # nobody has events to tell
