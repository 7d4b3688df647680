"""What a guest can send in the name of an address that is another's, one frame for each way to do it.

Each carries a mark of its own, by which it is known again where it arrives: as data of UDP, as an
option of NDP that nobody knows, or behind the end of an ARP message, where nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Callable, NamedTuple

from lab.frames import (
    ADVERTISEMENT,
    ALL_NODES,
    ARP,
    ARP_REPLY,
    ARP_REQUEST,
    BROADCAST,
    EXPERIMENT,
    IPV4,
    IPV6,
    NOBODY,
    OVERRIDE,
    ROUTER_SOLICITATION,
    SOLICITATION,
    SOURCE_LINK_ADDRESS,
    TARGET_LINK_ADDRESS,
    UNSPECIFIED,
    arp,
    behind_hop_by_hop,
    frame,
    multicast_mac,
    neighbour_message,
    packed_mac,
    priority_tagged,
    solicited_node,
    udp,
)

LINK_LOCAL_GROUPS = [f"01:80:c2:00:00:{number:02x}" for number in range(16)]
"""What a bridge takes for itself, but the first only with STP: IEEE 802.1D, table 7-10."""
ALL_ROUTERS = "ff02::2"


class Station(NamedTuple):
    """Somebody frames go to: the MAC address on the bridge for it, and its addresses."""

    name: str
    mac: str
    ipv4: str
    ipv6: str

    def of_family(self, version: int) -> str:
        return self.ipv4 if version == 4 else self.ipv6


class Forgery(NamedTuple):
    """A frame that claims an address of family `version`, and who gets it if nobody keeps it from them."""

    name: str
    version: int
    frame: bytes
    mark: bytes
    receivers: frozenset[str]
    port: int | None
    """The UDP port that it goes to; None for ARP and NDP."""
    is_hidden: bool
    """Whether nobody on its way sees which address it claims, only who receives it."""


class Forger:
    """A thief on the bridge that claims the addresses of another station.

    Its frames come from the MAC address `source`: its own, or that of who is stolen from. They carry as many VLAN tags
    of number 0 as `tags`, with which the host takes them for untagged ones.
    """

    def __init__(self, source: str, thief: Station, stolen: Station, *, tags: int = 0) -> None:
        self._source = source
        self._thief = thief
        self._stolen = stolen
        self._tags = tags
        self._numbers = count(50 * tags)

    def packets(self, target: Station) -> Iterable[Forgery]:
        """UDP to somebody, on the bridge or behind it."""
        for version, kind in ((4, IPV4), (6, IPV6)):
            number = next(self._numbers)
            port, mark = 4200 + number, _mark(number)
            packet = udp(self._stolen.of_family(version), target.of_family(version), mark, port)
            forgery = self._forgery(
                f"IPv{version} to {target.name}", {target.name}, target.mac, kind, packet, mark=mark
            )
            yield forgery._replace(port=port)

    def packets_to_bridge(self, host: Station, groups: Sequence[str]) -> Iterable[Forgery]:
        """UDP to the host, in frames that a bridge takes for itself."""
        for group in groups:
            for forgery in self.packets(host._replace(mac=group)):
                yield forgery._replace(name=f"{forgery.name}, sent to {group}")

    def claims(self, stations: Sequence[Station]) -> Iterable[Forgery]:
        """ARP and NDP to these stations, which are all that are on the bridge."""
        everybody = {station.name for station in stations}
        ours, theirs = (self._thief.mac, self._stolen.ipv4), (NOBODY, self._stolen.ipv4)
        yield self._arp("gratuitous ARP request", everybody, BROADCAST, arp(ARP_REQUEST, ours, theirs))
        yield self._arp("gratuitous ARP reply", everybody, BROADCAST, arp(ARP_REPLY, ours, ours))
        yield self._arp("ARP probe", everybody, BROADCAST, arp(ARP_REQUEST, (self._thief.mac, UNSPECIFIED), theirs))
        yield self._detection("duplicate address detection", everybody)
        yield self._advertisement("unsolicited advertisement", everybody, self._stolen.ipv6)
        yield self._advertisement("advertisement from its own address", everybody, self._thief.ipv6)
        yield self._advertisement("advertisement with an extension", everybody, self._stolen.ipv6, behind_hop_by_hop)
        # a bridge that snoops multicast brings it to routers only
        routers = Station("host", multicast_mac(ALL_ROUTERS), "", ALL_ROUTERS)
        yield self._solicitation("router solicitation", ROUTER_SOLICITATION, routers)
        for station in stations:
            to, asked = {station.name}, (NOBODY, station.ipv4)
            yield self._arp(f"ARP reply to {station.name}", to, station.mac, arp(ARP_REPLY, ours, asked))
            yield self._arp(f"ARP request to {station.name}", to, station.mac, arp(ARP_REQUEST, ours, asked))
            yield self._solicitation(f"solicitation to {station.name}", SOLICITATION, station)

    def _arp(self, name: str, receivers: set[str], mac: str, message: bytes) -> Forgery:
        mark = _mark(next(self._numbers))
        return self._forgery(name, receivers, mac, ARP, message + mark, mark=mark)

    def _advertisement(
        self, name: str, receivers: set[str], source: str, change: Callable[[bytes], bytes] = bytes
    ) -> Forgery:
        mark = _mark(next(self._numbers))
        options = ((TARGET_LINK_ADDRESS, packed_mac(self._thief.mac)), (EXPERIMENT, mark))
        message = neighbour_message(ADVERTISEMENT, source, ALL_NODES, options, target=self._stolen.ipv6, flags=OVERRIDE)
        return self._forgery(name, receivers, multicast_mac(ALL_NODES), IPV6, change(message), mark=mark)

    def _detection(self, name: str, receivers: set[str]) -> Forgery:
        mark = _mark(next(self._numbers))
        stolen = self._stolen.ipv6
        message = neighbour_message(SOLICITATION, "::", solicited_node(stolen), ((EXPERIMENT, mark),), target=stolen)
        # to all, not only to those that a bridge that snoops multicast knows to be in the group
        return self._forgery(name, receivers, multicast_mac(ALL_NODES), IPV6, message, mark=mark)

    def _solicitation(self, name: str, kind: int, to: Station) -> Forgery:
        mark = _mark(next(self._numbers))
        options = ((SOURCE_LINK_ADDRESS, packed_mac(self._thief.mac)), (EXPERIMENT, mark))
        target = to.ipv6 if kind == SOLICITATION else None
        message = neighbour_message(kind, self._stolen.ipv6, to.ipv6, options, target=target)
        return self._forgery(name, {to.name}, to.mac, IPV6, message, mark=mark)

    def _forgery(self, name: str, receivers: set[str], mac: str, kind: int, payload: bytes, *, mark: bytes) -> Forgery:
        sent = frame(self._source, kind, payload, mac)
        for _ in range(self._tags):
            name, sent = f"{name}, tagged", priority_tagged(sent)
        version = 6 if kind == IPV6 else 4
        return Forgery(name, version, sent, mark, frozenset(receivers), None, is_hidden=self._tags > 1)


def _mark(number: int) -> bytes:
    return f"forged frame {number:04}".encode()
