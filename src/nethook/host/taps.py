"""The taps of guests, by what libvirt makes them: ports of a bridge with the MAC of their guest's NIC, but for a byte.

A guest cannot change the MAC of its tap, which is a device of the host, so this tells whose NIC is behind it. libvirt:
virNetDevTapCreateInBridgePort. Messages and attributes: linux/rtnetlink.h, linux/if_link.h.
"""

from __future__ import annotations

from struct import pack, unpack_from

from nethook.host.netlink import NETLINK_ROUTE, Netlink, attributes

GET_LINKS = 18
HEADER = "BBHiII"
HEADER_SIZE = 16
ADDRESS, MASTER = 1, 10
TAP, TAP_IF_NIC_HAS_THAT = "fe", "fa"
"""The first byte of a tap's MAC."""


def read() -> set[tuple[str, str]]:
    """Index and MAC of each tap; ReadError if they cannot be known."""
    found = set()
    with Netlink(NETLINK_ROUTE, "devices") as netlink:
        links = netlink.dump(GET_LINKS, pack(HEADER, *[0] * 6)) or ()
    for data, begin, end in links:
        index = unpack_from(HEADER, data, begin)[3]
        values = {number: data[at:until] for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
        mac = values.get(ADDRESS, b"").hex(":")
        if MASTER in values and mac[:2] in {TAP, TAP_IF_NIC_HAS_THAT}:
            found.add((str(index), mac))
    return found


def tap_mac(nic: str) -> str:
    """The MAC of the tap of the NIC with this one."""
    return (TAP_IF_NIC_HAS_THAT if nic[:2] == TAP else TAP) + nic[2:]
