"""The addresses of this host, read over netlink.

Messages and attributes: linux/rtnetlink.h, linux/if_addr.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import pack, unpack, unpack_from

from nethook.host.links import name_of
from nethook.host.netlink import attributes, routing

NUMBERS = {4: AF_INET, 6: AF_INET6}
FAMILIES = {AF_INET: 4, AF_INET6: 6}

GET_ADDRESSES = 22
ADDRESS_HEADER, ADDRESS_HEADER_SIZE = "BBBBI", 8
ADDRESS, LOCAL, FLAGS, METRIC = 1, 2, 8, 9


class Address:
    """An address with its family (4, 6), the length of its subnet, its device, its metric (0: none) and its flags."""

    __slots__ = ("device", "family", "flags", "length", "metric", "text")

    def __init__(self, family: int, text: str, length: int, device: str, *, metric: int = 0, flags: int = 0) -> None:
        self.family = family
        self.text = text
        self.length = length
        self.device = device
        self.metric = metric
        self.flags = flags


def addresses() -> list[Address]:
    """Return all addresses of this network namespace; ReadError if they cannot be known."""
    found = []
    names: dict[int, str] = {}
    for data, begin, end in routing("addresses", GET_ADDRESSES, pack(ADDRESS_HEADER, *[0] * 5)):
        family, length, _, _, index = unpack_from(ADDRESS_HEADER, data, begin)
        values = {number: data[at:until] for number, at, until in attributes(data, begin + ADDRESS_HEADER_SIZE, end)}
        text = values.get(LOCAL) or values.get(ADDRESS)
        if index not in names:
            names[index] = name_of(index)
        device = names[index]
        if family in FAMILIES and text and device:
            metric, flags = (unpack("I", values[number])[0] if number in values else 0 for number in (METRIC, FLAGS))
            found.append(Address(FAMILIES[family], inet_ntop(family, text), length, device, metric=metric, flags=flags))
    return found
