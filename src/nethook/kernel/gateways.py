"""Our gateways: addresses on bridges that guests use as their gateway, the same ones on each host and each network.

That an address is ours its metric tells, which is our number. It has no other effect: where the kernel makes a route
for the address, it is the only one of its kind. (A protocol number of addresses is not known to kernels before 5.18,
nor to iproute2 6.1.)

Read over netlink, because every run does it. Messages and attributes: linux/rtnetlink.h, linux/if_addr.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import pack, unpack, unpack_from

from nethook.kernel.device import name_of
from nethook.kernel.kind import Kind
from nethook.kernel.netlink import NETLINK_ROUTE, Netlink, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.kernel.kind import Key
    from nethook.kernel.process import Result

GET_ADDRESSES = 22
HEADER, HEADER_SIZE = "BBBBI", 8
ADDRESS, LOCAL, FLAGS, METRIC = 1, 2, 8, 9
NO_PREFIX_ROUTE = 0x200
WITHOUT_ROUTE = "noprefixroute"
"""For IPv6 on a bridge that has ``fe80::/64`` already: the kernel would leave a second route when the gateway goes."""
LENGTHS = {AF_INET: 32, AF_INET6: 64}
"""A single IPv4 address has no subnet; a link-local IPv6 one has the subnet that all have."""


class Gateways(Kind):
    """Keys are (address, bridge, WITHOUT_ROUTE or '')."""

    name = "gateway"
    already_gone = (
        *(*Kind.already_gone, "Cannot assign requested address"),
        *("ipv4: Address not found", "ipv6: address not found"),  # what kernels of today say
    )

    def read(self, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours."""
        del results
        return {key for key, is_ours in _addresses(protocol) if is_ours}

    def of_others(self, protocol: int) -> set[tuple[str, str]]:
        """The addresses of this host that are not ours, with their devices."""
        return {(address, device) for (address, device, _), is_ours in _addresses(protocol) if not is_ours}

    def add(self, key: Key, protocol: int) -> str:
        """Of use at once: nobody on the bridge is asked whether the IPv6 address is taken."""
        flags = f" nodad {key[2]}" if ":" in key[0] else ""
        return f"address add {_words(key)} metric {protocol}{flags}".rstrip()

    def delete(self, key: Key, protocol: int) -> str:
        """The address, from this bridge."""
        del protocol
        return f"address delete {_words(key)}"


def _words(key: Key) -> str:
    address, bridge, _ = key
    return f"{address}/{LENGTHS[AF_INET6 if ':' in address else AF_INET]} dev {bridge}"


def _addresses(protocol: int) -> Iterator[tuple[tuple[str, str, str], bool]]:
    """All addresses with their devices, and whether they are ours."""
    with Netlink(NETLINK_ROUTE, "addresses") as netlink:
        found = netlink.dump(GET_ADDRESSES, pack(HEADER, *[0] * 5)) or ()
    for data, begin, end in found:
        family, length, _, _, device = unpack_from(HEADER, data, begin)
        values = {number: data[at:until] for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
        address = values.get(LOCAL) or values.get(ADDRESS)
        name = name_of(device)
        if family in LENGTHS and address and name:
            metric = unpack("I", values[METRIC])[0] if METRIC in values else 0
            flags = unpack("I", values[FLAGS])[0] if FLAGS in values else 0
            key = (inet_ntop(family, address), name, WITHOUT_ROUTE if flags & NO_PREFIX_ROUTE else "")
            yield key, metric == protocol and length == LENGTHS[family]


GATEWAYS = Gateways()
