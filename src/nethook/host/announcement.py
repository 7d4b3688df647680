"""Telling a network that an address is here now: gratuitous ARP (RFC 5227) and unsolicited NDP (RFC 4861, 7.2.6).

A neighbour that does not hear it goes on with its own entry until that expires. So nothing here is ever a failure.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, AF_PACKET, IPPROTO_IPV6, SOCK_RAW, if_nametoindex, inet_pton, socket
from struct import pack

ETHERNET, IPV4, ARP = 1, 0x0800, 0x0806
REQUEST = 1
BROADCAST = b"\xff" * 6
ICMPV6 = 58
MULTICAST_INTERFACE, MULTICAST_HOPS = 17, 18
NEIGHBOUR_ADVERTISEMENT, OVERRIDE, TARGET_LINK_LAYER_ADDRESS = 136, 0x20000000, 2
ALL_NODES = "ff02::1"


def announce(address: str, device: str) -> None:
    """Announce on the device's network that the address is at the device's MAC."""
    try:
        line = socket(AF_PACKET, SOCK_RAW, 0)
        try:
            line.bind((device, ARP))
            mac = line.getsockname()[4]
            if ":" in address:
                _advertise(inet_pton(AF_INET6, address), if_nametoindex(device), mac)
            else:
                line.send(BROADCAST + mac + pack("!H", ARP) + _gratuitous_arp(inet_pton(AF_INET, address), mac))
        finally:
            line.close()
    except OSError:
        pass


def _gratuitous_arp(address: bytes, mac: bytes) -> bytes:
    return pack("!HHBBH", ETHERNET, IPV4, len(mac), len(address), REQUEST) + mac + address + bytes(len(mac)) + address


def _advertise(address: bytes, index: int, mac: bytes) -> None:
    """Send a neighbour advertisement. The kernel adds the source and the checksum."""
    message = pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, OVERRIDE) + address
    message += bytes([TARGET_LINK_LAYER_ADDRESS, 1]) + mac
    sender = socket(AF_INET6, SOCK_RAW, ICMPV6)
    try:
        sender.setsockopt(IPPROTO_IPV6, MULTICAST_INTERFACE, index)
        sender.setsockopt(IPPROTO_IPV6, MULTICAST_HOPS, 255)
        sender.sendto(message, (ALL_NODES, 0, 0, index))
    finally:
        sender.close()
