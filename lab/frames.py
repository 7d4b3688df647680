"""Build Ethernet frames, byte by byte (RFC 768, 791, 826, 4727, 4861, 8200), as raw sockets send them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address

IPV4, ARP, VLAN, IPV6, SERVICE_VLAN = 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8
EXPERIMENTAL = 0x88B5
"""An EtherType that nobody uses."""
UDP, ICMPV6, HOP_BY_HOP = 17, 58, 0
UDP_PORT = 4000
BROADCAST, NOBODY = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
ALL_NODES = "ff02::1"
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - nothing is bound to it
ARP_REQUEST, ARP_REPLY = 1, 2
ROUTER_SOLICITATION, SOLICITATION, ADVERTISEMENT = 133, 135, 136
SOURCE_LINK_ADDRESS, TARGET_LINK_ADDRESS, EXPERIMENT = 1, 2, 253
OVERRIDE = 0x20000000


def frame(source: str, kind: int, content: bytes, destination: str = BROADCAST, tags: Sequence[bytes] = ()) -> bytes:
    """Return a frame from one MAC to another; `kind` is the EtherType, `tags` are its VLAN tags."""
    head = packed_mac(destination) + packed_mac(source) + b"".join(tags)
    return head + struct.pack("!H", kind) + content.ljust(46, b"\0")


def tag(vlan: int, kind: int = VLAN, *, priority: int = 0) -> bytes:
    """Return a VLAN tag; one of VLAN 0 tells nothing but the priority (IEEE 802.1Q, 9.6)."""
    return struct.pack("!HH", kind, (priority << 13) | vlan)


def priority_tagged(untagged: bytes) -> bytes:
    """The same frame with a VLAN tag of number 0, which receivers take as if it had none (IEEE 802.1Q)."""
    return untagged[:12] + tag(0) + untagged[12:]


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """`sender` and `target` are the pairs of MAC and IPv4 address inside the message."""
    pairs = b"".join(packed_mac(mac) + ip_address(address).packed for mac, address in (sender, target))
    return struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + pairs


def udp(source: str, destination: str, data: bytes = b"test", port: int = UDP_PORT) -> bytes:
    """A packet of either family, from and to the same port."""
    header = struct.pack("!HHH", port, port, 8 + len(data))
    return ip(source, destination, UDP, header, data)


def neighbour_message(
    kind: int,
    source: str,
    destination: str,
    options: Sequence[tuple[int, bytes]],
    *,
    target: str | None,
    flags: int = 0,
) -> bytes:
    """A message of NDP with these options, each a number and what it holds; router solicitations have no `target`."""
    rest = struct.pack("!I", flags) + (ip_address(target).packed if target else b"")
    for number, content in options:
        units = (2 + len(content) + 7) // 8
        rest += struct.pack("!BB", number, units) + content.ljust(8 * units - 2, b"\0")
    return ip(source, destination, ICMPV6, struct.pack("!BB", kind, 0), rest, hop_limit=255)


def neighbour(kind: int, source: str, target: str, mac: str) -> bytes:
    """A solicitation or advertisement to all about the target, with a link-layer address (RFC 4861, 4.3 and 4.4)."""
    option = TARGET_LINK_ADDRESS if kind == ADVERTISEMENT else SOURCE_LINK_ADDRESS
    flags = OVERRIDE if kind == ADVERTISEMENT else 0
    return neighbour_message(kind, source, ALL_NODES, ((option, packed_mac(mac)),), target=target, flags=flags)


def is_taken(mac: str, address: str) -> bytes:
    """Return the question whether anybody has an address (RFC 5227 2.1.1, RFC 4862 5.4.2)."""
    if ":" not in address:
        return frame(mac, ARP, arp(ARP_REQUEST, (mac, UNSPECIFIED), (NOBODY, address)))
    group = solicited_node(address)
    content = neighbour_message(SOLICITATION, "::", group, (), target=address)
    return frame(mac, IPV6, content, multicast_mac(group))


def ip(source: str, destination: str, protocol: int, head: bytes, rest: bytes, *, hop_limit: int = 64) -> bytes:
    """A packet of the addresses' family; the checksum of UDP or ICMPv6 goes between `head` and `rest`."""
    addresses = ip_address(source).packed + ip_address(destination).packed
    length = len(head) + 2 + len(rest)
    checksum = _checksum(addresses + struct.pack("!II", length, protocol) + head + b"\0\0" + rest)
    payload = head + struct.pack("!H", checksum) + rest
    if ip_address(source).version == 6:
        return struct.pack("!IHBB", 6 << 28, length, protocol, hop_limit) + addresses + payload
    fields = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0, hop_limit, protocol)
    return fields + struct.pack("!H", _checksum(fields + b"\0\0" + addresses)) + addresses + payload


def behind_hop_by_hop(packet: bytes) -> bytes:
    """The same IPv6 packet with an extension header, which says nothing, in front of its payload."""
    length, protocol = struct.unpack("!HB", packet[4:7])
    extension = struct.pack("!BBBBI", protocol, 0, 1, 4, 0)  # one option: four bytes of padding
    return packet[:4] + struct.pack("!HB", length + len(extension), HOP_BY_HOP) + packet[7:40] + extension + packet[40:]


def multicast_mac(address: str) -> str:
    """Where Ethernet carries an IPv6 multicast group (RFC 2464)."""
    return "33:33:" + ip_address(address).packed[-4:].hex(":")


def solicited_node(address: str) -> str:
    """The multicast group of who has the address (RFC 4291, section 2.7.1)."""
    return str(ip_address(ip_address("ff02::1:ff00:0").packed[:13] + ip_address(address).packed[13:]))


def packed_mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
