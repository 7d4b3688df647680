"""Packets, as their first bytes tell. Pure."""

from __future__ import annotations

from struct import unpack_from
from typing import NamedTuple

from nethook.host.packet_choice import DESTINATION, ICMP, LENGTHS, SOURCE, SYN, TCP, UDP
from nethook.prefix import address_text

NAMES = {TCP: "TCP", UDP: "UDP", 1: "ICMP", 58: "ICMPv6", 2: "IGMP", 47: "GRE", 50: "ESP", 132: "SCTP"}
ICMP_KINDS = {
    4: {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"},
    6: {1: "unreachable", 2: "too big", 3: "time exceeded", 128: "echo request", 129: "echo reply"},
}
ICMP_KINDS[6].update({133: "router solicitation", 134: "router advertisement"})
ICMP_KINDS[6].update({135: "neighbour solicitation", 136: "neighbour advertisement"})
FLAGS = ((SYN[0], "SYN"), (0x10, "ACK"), (0x01, "FIN"), (0x04, "RST"))
DO_NOT_FRAGMENT = 0x4000
HEADERS = {4: 20, 6: 40}


class Packet(NamedTuple):
    """One packet in one place. ``kind`` says what it is, such as ``TCP SYN``. A port is 0 where there is none.

    ``hops`` is its TTL or hop limit. ``content`` tells it from other packets, as far as routers leave it as it is.
    """

    family: int
    protocol: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    kind: str
    length: int
    hops: int
    is_fragmentable: bool
    content: bytes

    @property
    def from_end(self) -> str:
        """Its source, with the port if there is one."""
        return _end(self.source, self.source_port)

    @property
    def to_end(self) -> str:
        """Its destination, with the port if there is one."""
        return _end(self.destination, self.destination_port)

    @property
    def flow(self) -> tuple[str, str, int, int, int, str]:
        """The value that packets of one flow and one direction have in common."""
        kind = self.kind if self.protocol == ICMP[self.family] else ""
        return self.source, self.destination, self.protocol, self.source_port, self.destination_port, kind


def parse(network: bytes, transport: bytes) -> Packet | None:
    """Return the packet with these headers; None if it is cut, or neither IPv4 nor IPv6."""
    family = network[0] >> 4 if network else 0
    if family not in HEADERS or len(network) < HEADERS[family]:
        return None
    source, destination = (
        address_text(family, int.from_bytes(network[at : at + LENGTHS[family]], "big"))
        for at in (SOURCE[family], DESTINATION[family])
    )
    if family == 4:
        length, identifier, fragment = unpack_from(">HHH", network, 2)
        hops, protocol = network[8], network[9]
        is_fragmentable = not fragment & DO_NOT_FRAGMENT
    else:
        length, protocol, hops = unpack_from(">HBB", network, 4)
        length, identifier, is_fragmentable = length + HEADERS[6], int.from_bytes(network[:4], "big"), False
    has_ports = protocol in {TCP, UDP} and len(transport) >= 4
    source_port, destination_port = unpack_from(">HH", transport) if has_ports else (0, 0)
    content = repr((identifier, length, protocol, source, destination)).encode() + transport
    kind = _kind(family, protocol, transport)
    return Packet(
        family,
        protocol,
        source,
        destination,
        source_port,
        destination_port,
        kind,
        length,
        hops,
        is_fragmentable,
        content,
    )


def _kind(family: int, protocol: int, transport: bytes) -> str:
    name = NAMES.get(protocol, f"IP protocol {protocol}")
    if protocol == TCP and len(transport) > 13:
        flags = [flag for bit, flag in FLAGS if transport[13] & bit]
        return " ".join([name, "-".join(flags)]) if flags else name
    if protocol == ICMP[family] and transport:
        kind = ICMP_KINDS[family].get(transport[0], f"type {transport[0]}")
        return f"{name} {kind}"
    return name


def _end(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
