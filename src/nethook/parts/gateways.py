"""Our gateways: addresses on bridges that guests use as their gateway, the same ones on each host and each network.

That an address is ours its metric tells, which is our number. It has no other effect: where the kernel makes a route
for the address, it is the only one of its kind. (A protocol number of addresses is not known to kernels before 5.18,
nor to iproute2 6.1.)

Read over netlink, because every run does it.
"""

from __future__ import annotations

from nethook.parts.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.host.host import Host
    from nethook.host.process import Result
    from nethook.parts.kind import Key

NO_PREFIX_ROUTE = 0x200
WITHOUT_ROUTE = "noprefixroute"
"""For IPv6 on a bridge that has ``fe80::/64`` already: the kernel would leave a second route when the gateway goes."""
LENGTHS = {4: 32, 6: 64}
"""A single IPv4 address has no subnet; a link-local IPv6 one has the subnet that all have."""


class Gateways(Kind):
    """Keys are (address, bridge, WITHOUT_ROUTE or '')."""

    name = "gateway"
    already_gone = (
        *(*Kind.already_gone, "Cannot assign requested address"),
        *("ipv4: Address not found", "ipv6: address not found"),  # what kernels of today say
    )

    def read(self, host: Host, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours."""
        del results
        return {key for key, is_ours in _addresses(host, protocol) if is_ours}

    def of_others(self, host: Host, protocol: int) -> set[tuple[str, str]]:
        """The addresses of this host that are not ours, with their devices."""
        return {(address, device) for (address, device, _), is_ours in _addresses(host, protocol) if not is_ours}

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
    return f"{address}/{LENGTHS[6 if ':' in address else 4]} dev {bridge}"


def _addresses(host: Host, protocol: int) -> Iterator[tuple[Key, bool]]:
    """All addresses as keys, and whether they are ours."""
    for each in host.addresses():
        key = (each.text, each.device, WITHOUT_ROUTE if each.flags & NO_PREFIX_ROUTE else "")
        yield key, each.metric == protocol and each.length == LENGTHS[each.family]


GATEWAYS = Gateways()
