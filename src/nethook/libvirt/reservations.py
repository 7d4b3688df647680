"""Reservations of a network: which address its DHCP server keeps for which guest, and which address is free for one.

IPv4 reservations have the MAC of a NIC. IPv6 ones have a name, which the guest's DHCPv6 client sends: libvirt refuses a
MAC there. https://libvirt.org/formatnetwork.html#addressing
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from nethook.errors import NethookError
from nethook.libvirt import subnet_of
from nethook.libvirt.network_update import ADD, ANY, MODIFY, Update, one_line_xml
from nethook.prefix import Prefix, address_text, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from xml.etree.ElementTree import Element

HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
SECTION = "ip-dhcp-host"
MOST_TRIED = 1 << 16


class Lease(NamedTuple):
    """An address that the DHCP server has given out now; ``mac`` may be '' for IPv6."""

    address: str
    mac: str
    host_name: str


class Client(NamedTuple):
    """A client of DHCP: the guest and the MAC of the NIC for which an address is kept."""

    guest: str
    mac: str

    def has(self, entry: Element, family: int) -> bool:
        """Return whether this reservation is for it."""
        mac = entry.get("mac", "").lower()
        return mac == self.mac if mac and family == 4 else entry.get("name") == self.guest


class Pool(NamedTuple):
    """A subnet with DHCP: its block, the host's address in it, the ranges for all guests, and the reservations.

    ``number`` is that of its ``<ip>`` element, or ANY if no other one has DHCP.
    """

    number: int
    block: Prefix
    gateway: int
    ranges: Sequence[tuple[int, int]]
    entries: Sequence[Element]

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.block.family

    def taken(self) -> Iterator[tuple[int, Element]]:
        """Yield each address that is kept, with its reservation."""
        for entry in self.entries:
            if entry.get("ip"):
                yield parse_address(entry.get("ip", ""))[1], entry

    def entry_of(self, nic: Client) -> Element | None:
        """Return the reservation of this NIC; None if it has none."""
        return next((entry for entry in self.entries if nic.has(entry, self.family)), None)


def pools(xml: str) -> list[Pool]:
    """Return the subnets with DHCP in the XML of a network."""
    found = []
    for number, ip in enumerate(ElementTree.fromstring(xml).iterfind("ip")):  # noqa: S314 - libvirt wrote it
        dhcp = ip.find("dhcp")
        if dhcp is not None:
            ranges = [
                (parse_address(each.get("start", ""))[1], parse_address(each.get("end", ""))[1])
                for each in dhcp.iterfind("range")
            ]
            block, gateway = subnet_of(dict(ip.items())), parse_address(ip.get("address", ""))[1]
            found.append(Pool(number, block, gateway, ranges, dhcp.findall("host")))
    return [found[0]._replace(number=ANY)] if len(found) == 1 else found


def pool_for(network: str, address: str, found: Sequence[Pool]) -> Pool:
    """Return the pool of this address ('': any, rather one for IPv4). NethookError if there is none."""
    if not found:
        raise NethookError(f"network {network} has no DHCP, so it reserves nothing; write to=ADDRESS in the line")
    if not address:
        return min(found, key=lambda pool: pool.family)
    family, number = parse_address(address)
    for pool in found:
        if pool.family == family and pool.block.first <= number <= pool.block.last:
            return pool
    subnets = ", ".join(pool.block.text for pool in found)
    raise NethookError(f"{address} is not in a subnet of network {network} with DHCP; choose an address in {subnets}")


def refuse(pool: Pool, address: int, nic: Client, leases: Iterable[Lease]) -> None:
    """Raise NethookError if this address must not be kept for the NIC."""
    text = address_text(pool.family, address)
    if address == pool.gateway:
        raise NethookError(f"{text} is the host's own address on that network; choose another one")
    if not _is_of_a_host(pool, address):
        raise NethookError(f"{text} is no address for a guest in {pool.block}; choose another one")
    for number, entry in pool.taken():
        if number == address and not nic.has(entry, pool.family):
            raise NethookError(f"{text} is reserved already: {one_line_xml(entry)}; choose another address")
    for lease in leases:
        if parse_address(lease.address) == (pool.family, address) and not _is_of(lease, nic):
            who = " ".join(filter(None, (lease.mac, lease.host_name))) or "somebody else"
            raise NethookError(f"{text} is leased to {who} now; choose another address")


def choose(pool: Pool, nic: Client, leases: Sequence[Lease]) -> int:
    """Return the address that is best kept for the NIC. NethookError if none is free.

    It is the one that its guest has now, else a free one that the server gives to nobody, else a free one.
    """
    in_pool = [lease for lease in leases if _number(pool, lease) is not None]
    others = {_number(pool, lease) for lease in in_pool if not _is_of(lease, nic)}
    not_free = {pool.gateway, *(number for number, _ in pool.taken()), *others}
    for lease in in_pool:
        number = _number(pool, lease)
        if number is not None and _is_of(lease, nic) and number not in not_free:
            return number
    tried = range(pool.block.first, min(pool.block.last, pool.block.first + MOST_TRIED) + 1)
    free = [number for number in tried if number not in not_free and _is_of_a_host(pool, number)]
    outside = (number for number in free if not any(first <= number <= last for first, last in pool.ranges))
    chosen = next(outside, free[-1] if free else None)
    if chosen is None:
        raise NethookError(f"no address in {pool.block} is free")
    return chosen


def _number(pool: Pool, lease: Lease) -> int | None:
    family, number = parse_address(lease.address)
    return number if family == pool.family and pool.block.first <= number <= pool.block.last else None


def _is_of(lease: Lease, nic: Client) -> bool:
    return lease.mac == nic.mac if ":" not in lease.address else lease.host_name == nic.guest


def _is_of_a_host(pool: Pool, number: int) -> bool:
    """Return whether it is neither the first nor the last address of its subnet, which mean routers and everybody."""
    return pool.block.first < number < pool.block.last or pool.block.length >= BITS_OF_PAIR[pool.family]


BITS_OF_PAIR = {4: 31, 6: 127}
"""Subnets of this length have addresses for hosts alone (RFC 3021, RFC 6164)."""


def update_for(pool: Pool, nic: Client, address: int) -> Update | None:
    """Return the update that keeps the address for the NIC; None if it is kept already. NethookError."""
    text = address_text(pool.family, address)
    entry = pool.entry_of(nic)
    if entry is not None:
        if parse_address(entry.get("ip") or "0.0.0.0")[1] == address:  # noqa: S104 - no socket
            return None
        entry.set("ip", text)
        return Update(MODIFY, SECTION, one_line_xml(entry), pool.number)
    made = ElementTree.Element("host")
    if pool.family == 4:
        made.set("mac", nic.mac)
    elif HOST_NAME.fullmatch(nic.guest):
        made.set("name", nic.guest)
    else:
        what = f"an IPv6 reservation has a host name, and {nic.guest!r} is none"
        raise NethookError(f"{what}; write to={text} in the line, and configure the address in the guest")
    made.set("ip", text)
    return Update(ADD, SECTION, one_line_xml(made), pool.number)
