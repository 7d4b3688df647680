"""The tracked connections that must end because forwards change, and no others.

The kernel looks into our maps only for the first packet of a connection. If a port leads elsewhere, its connections go
on to the former place, and UDP flows do so for ever. So all these connections are deleted, except TCP connections to
the host itself: an SSH session goes on although a line takes its port.

Each connection is described in a line, as ``host/conntrack.py`` reads it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nethook.host.nftables import Element, Elements

LAST = 65535
WHOLE = {"addresses", "from_addresses"}
MAPS = {*WHOLE, "ports", "ranges", "from_ports", "from_ranges", "any_ports"}


class Led:
    """Ports (or all of an address, with protocol '') that lead to a guest's address, and for whom (``source``)."""

    __slots__ = ("address", "first", "last", "protocol", "shift", "source", "target")

    def __init__(self, name: str, element: Element) -> None:
        """Take it from an element of one of MAPS."""
        fields = list(element)
        self.source = fields.pop(0) if name.startswith("from") else ""
        self.address = "" if name == "any_ports" else fields.pop(0)
        self.protocol, self.first, self.last, self.shift = "", 0, LAST, 0
        if name not in WHOLE:
            self.protocol = fields.pop(0)
            first, _, last = fields.pop(0).partition("-")
            self.first, self.last = int(first), int(last or first)
        self.target = fields.pop(0)
        if fields:
            self.shift = int(fields[0]) - self.first

    @property
    def kind(self) -> tuple[str, str, str, int]:
        """The fields that two objects have in common if connections of one can go on by the other."""
        return self.address, self.protocol, self.target, self.shift


def ended(
    gone: Elements, new: Elements, addresses: Sequence[str], limited: Collection[Element] = frozenset()
) -> set[str]:
    """Return the descriptions of the connections that must end when these elements go and come.

    ``addresses`` are those of this host, of the family of the table. ``limited`` are the ports that lead somewhere else
    for some clients.
    """
    lines = {*_left(gone, new), *_outdone(new.get("ports", ()), limited)}
    for name, members in new.items():
        for element in members if name.startswith("taken") else ():
            lines.update(_answered_by_host(name, element, addresses))
    lines.update(f"source={target} left_as={address}" for _, target, address in gone.get("outgoing", ()))
    return lines


def _left(gone: Elements, new: Elements) -> Iterator[str]:
    """Yield the connections to former places."""
    again: dict[tuple[str, str, str, int], list[Led]] = {}
    for led in _led(new):
        again.setdefault(led.kind, []).append(led)
    for led in _led(gone):
        same = again.get(led.kind, [])
        rest = [(led.first, led.last)]
        for other in same:
            if other.source in {"", led.source}:
                rest = [part for piece in rest for part in _without(piece, (other.first, other.last))]
        allowed = sorted({other.source for other in same if other.source and not led.source})
        for first, last in rest:
            words = [f"to={led.address}"] if led.address else []
            words += [f"source={led.source}"] if led.source else []
            words += _ports_of(led.protocol, first, last)
            words.append(f"at={led.target}")
            words += [f"not_source={','.join(allowed)}"] if allowed else []
            yield " ".join(words)


def _outdone(new: Iterable[Element], limited: Collection[Element]) -> Iterator[str]:
    """Yield the UDP flows to where a port led that has a line of its own now: as one of a range, or by another program.

    TCP goes on to its end there.
    """
    for address, protocol, port, target, _ in new:
        if protocol == "udp" and (address, protocol, port) not in limited:
            yield f"to={address} protocol=udp ports={port} not_at={target}"


def _led(elements: Elements) -> Iterator[Led]:
    return (Led(name, element) for name in elements if name in MAPS for element in elements[name])


def _without(piece: tuple[int, int], hole: tuple[int, int]) -> Iterable[tuple[int, int]]:
    """Return what is left of these ports without those."""
    before, behind = (piece[0], min(piece[1], hole[0] - 1)), (max(piece[0], hole[1] + 1), piece[1])
    return [part for part in (before, behind) if part[0] <= part[1]]


def _answered_by_host(name: str, element: Element, addresses: Sequence[str]) -> Iterator[str]:
    """Yield the UDP flows that the host itself has answered at what is taken now."""
    here = addresses if name == "taken_any" else [each for each in addresses if each == element[0]]
    *_, protocol, ports = ("udp", "") if name == "taken_addresses" else element
    for each in here if protocol == "udp" else ():
        yield f"to={each} at={each} protocol=udp" + (f" ports={ports}" if ports else "")


def _ports_of(protocol: str, first: int, last: int) -> list[str]:
    if not protocol:
        return []
    return [f"protocol={protocol}", f"ports={first}" if first == last else f"ports={first}-{last}"]
