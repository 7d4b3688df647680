"""The record of libvirt's networks and their ports, made of its events.

Only libvirt knows its networks, and a hook must not ask it. So each event is recorded before anything else that can
fail, and each run uses the whole record. A network that is not recorded would count as the outside, and guests of an
isolated network would reach routed IPs.

Difficulties, and how each is met:

- Events of several networks come at the same time, and a run may take seconds. The record has its own lock, which is
  held only while the file is read and written, and never waits for a run.
- No event tells that a start has failed. Of libvirt's networks with the same bridge, the others are down when one
  starts.
- A killed hook must not lose the record. The file is replaced in one step.
- ``apply`` asks libvirt without a lock, and events may come meanwhile. ``learn`` refuses an answer that is older than
  the record.
- Names may hold any character. Each field ends with a zero byte.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.host.lock import FOLDER
from nethook.libvirt import Network, Port, Ports, Reservation
from nethook.libvirt.event import RUNNING, UPDATED
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.host import Host
    from nethook.host.lock import Version
    from nethook.libvirt.event import Event

FILE = f"{FOLDER}/told"
UP, DOWN = "up", "down"
RESERVED = "reserved"
"""Begins what a network reserves; such a part follows those of the networks."""
HOSTS_OWN = "bridge"
"""The forward mode of a bridge that is not libvirt's."""


class Record:
    """The networks that are ``up`` or about to start, and those that are ``down``, by name.

    A bridge of the host that belongs to no network is in ``up``, too. Its key is ``/`` and its name, which no network
    can have.
    """

    __slots__ = ("down", "up")

    def __init__(self) -> None:
        self.up: dict[str, Network] = {}
        self.down: dict[str, Network] = {}

    @property
    def guest_bridges(self) -> list[tuple[str, bool]]:
        """The bridges with nothing but guests behind them, each with True if its network is isolated."""
        return [(network.bridge, network.is_isolated) for network in self.up.values() if network.is_libvirts_own]

    def knows(self, name: str) -> bool:
        """Return whether libvirt has had an event of this network since the host started."""
        return name in self.up or name in self.down

    def put(self, key: str, network: Network, *, is_up: bool) -> None:
        """Put this network into the record, instead of an earlier state of it."""
        self.up.pop(key, None)
        self.down.pop(key, None)
        (self.up if is_up else self.down)[key] = network

    def has_bridge(self, bridge: str) -> bool:
        """Return whether this is the bridge of a network of libvirt's own that is up."""
        return any(other.bridge == bridge and other.is_libvirts_own for other in self.up.values())

    def free(self, network: Network) -> None:
        """Note that all other networks with the bridge of this one are down, if it is libvirt's own."""
        if not network.bridge or not network.is_libvirts_own:
            return
        for name, other in [*self.up.items()]:
            if other.bridge == network.bridge and other.is_libvirts_own and name != network.name:
                self.put(name, other, is_up=False)


def read(host: Host) -> Record:
    """Return the record, without its broken parts. ReadError if it cannot be read."""
    try:
        return _parse(host.recorded(FILE))
    except OSError as error:
        raise ReadError(f"cannot read {FILE}: {error.strerror}") from None


def tell(event: Event, host: Host) -> tuple[Record, str]:
    """Record this event, and give the event's network its ports.

    Return the whole record with this event in it, and a failure as a sentence, '' if there is none. If the record
    cannot be read, the one that is returned has only this event.
    """
    try:
        with host.record_locked():
            text = host.recorded(FILE)
            record = _parse(text)
            _enter(record, event, host)
            _write(record, text, host)
    except OSError as error:
        record = _known(host)
        _enter(record, event, host)
        return record, f"cannot record this event in {error.filename or FILE}: {error.strerror}"
    return record, ""


def _known(host: Host) -> Record:
    """Return the record as it is, read without its lock; an empty one if it cannot be read."""
    try:
        return read(host)
    except ReadError:
        return Record()


def _enter(record: Record, event: Event, host: Host) -> None:
    network, operation = event.network, event.operation
    before = record.up.get(network.name)
    if before is not network:
        network.ports = event.ports(before.ports.known if before and event.is_up else ())
    has_bridge = host.number_of(network.bridge) > 0
    if operation in RUNNING or (event.begins and not has_bridge):
        record.free(network)
    is_up = event.begins or event.is_up
    if not before and operation == UPDATED:
        is_up = has_bridge and not (network.is_libvirts_own and record.has_bridge(network.bridge))
    elif not before and event.begins and network.is_libvirts_own:
        is_up = not has_bridge  # where there is a bridge, the start must fail
    record.put(network.name, network, is_up=is_up)


def learn(networks: Iterable[tuple[Network, bool]], bridges: Iterable[str], asked: Version, host: Host) -> bool:
    """Record these networks, each with True if it is active, as all of libvirt's; ``bridges`` are foreign ones.

    ``asked`` is the version of the record when libvirt was asked. Return False if an event was recorded since, so that
    libvirt must be asked again. OSError if the record cannot be written.
    """
    with host.record_locked():
        if not asked.is_current:
            return False
        record = Record()
        for network, is_active in networks:
            record.put(network.name, network, is_up=is_active)
        for bridge in bridges:
            record.put(f"/{bridge}", Network("", bridge, HOSTS_OWN), is_up=True)
        _write(record, host.recorded(FILE), host)
        return True


def forget(host: Host) -> None:
    """Remove the record, if that is possible, because without the hook it gets out of date."""
    try:
        host.remove(FILE)
    except OSError:
        return


def _write(record: Record, before: str, host: Host) -> None:
    text = "".join(f"{field}\0" for field in _fields(record))
    if text != before:
        host.record(FILE, text)


def _fields(record: Record) -> Iterator[str]:
    for state, networks in ((UP, record.up), (DOWN, record.down)):
        for network in networks.values():
            prefixes = (" ".join(each.text for each in some) for some in (network.subnets, network.routes))
            ports = sorted((port.uuid, port.mac, port.guest) for port in network.ports.known)
            yield from (state, network.name, network.bridge, network.forward_mode, *prefixes, str(len(ports)))
            for port in ports:
                yield from port
    for network in (*record.up.values(), *record.down.values()):
        if network.reservations:
            yield from (RESERVED, network.name, str(len(network.reservations)))
            for each in network.reservations:
                yield from (each.address, each.mac, each.name)


def _parse(text: str) -> Record:
    record = Record()
    fields = iter(text.split("\0"))
    try:
        while True:
            state, name = next(fields), next(fields)
            if state == RESERVED:
                network = record.up.get(name) or record.down[name]
                network.reservations = [
                    Reservation(next(fields), next(fields), next(fields)) for _ in range(int(next(fields)))
                ]
                continue
            bridge, mode, subnets, routes, count = (next(fields) for _ in range(5))
            ports = [Port(next(fields), next(fields), next(fields)) for _ in range(int(count))]
            network = Network(
                name,
                bridge,
                mode,
                Ports(ports, all_known=False),
                subnets=[parse_prefix(each) for each in subnets.split()],
                routes=[parse_prefix(each) for each in routes.split()],
            )
            record.put(name or f"/{bridge}", network, is_up=state == UP)
    except (KeyError, RuntimeError, StopIteration, ValueError):
        return record
