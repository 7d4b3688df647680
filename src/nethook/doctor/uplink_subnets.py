"""The station of the uplink's subnet: whether anybody answers there for addresses that are not the host's own.

Routers and neighbours look for an address of their subnet on the link, by ARP or NDP. The host answers for its own
addresses, and for those with ``proxy=``. A provider may route such an address to the host all the same, so it is only
a doubt.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nethook.doctor.finding import WARNING, Finding
from nethook.placement.vital import Needs
from nethook.prefix import Longest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.config import Configuration
    from nethook.config.text import Entry
    from nethook.doctor.bridge_addresses import Held
    from nethook.doctor.facts import Facts
    from nethook.host import Host
    from nethook.libvirt import Network

STATION = "proxy"
LOOPBACK = "lo"
NO_ARP = 0x80
"""A flag of devices, such as tunnels, on which nobody asks for neighbours: the kernel's IFF_NOARP."""


class UplinkSubnets:
    """The subnets outside that this host is in, and the prefixes for which it answers there."""

    def __init__(self, configuration: Configuration, networks: Sequence[Network], held: Held, host: Host) -> None:
        """``networks`` are those that are up, ``held`` the addresses of this host."""
        self._host = host
        needs = Needs(held)
        self._own = {address for address, _, _ in needs.addresses}
        self._bridges = {network.name: network.bridge for network in networks}
        guests = {network.bridge for network in networks if network.is_libvirts_own}
        self._subnets = needs.subnets({LOOPBACK, *guests})
        self._proxied = Longest(line.prefix for line in configuration.lines if line.proxy)
        self._routed = Longest(line.prefix for line in configuration.routed_ips)

    def unanswered(self, line: Entry) -> str:
        """Return the device on which nobody answers for the prefix of this line; '' if somebody does, or need not."""
        prefix = line.prefix
        if prefix in self._own or self._proxied.around(prefix):
            return ""
        for subnet, device in self._subnets:
            if prefix.lies_in(subnet) and prefix != subnet and device != self._bridges.get(line.network):
                # The kernel answers for everybody only where it would send the packets elsewhere.
                is_for_all = prefix.family == 4 and self._routed.around(prefix) and device in self._answers_for_all
                return "" if is_for_all or self._flags(device) & NO_ARP else device
        return ""

    @cached_property
    def _answers_for_all(self) -> set[str]:
        """The devices outside on which the host answers ARP for everybody to whom it has a route."""
        return {
            device
            for device in {device for _, device in self._subnets}
            if any(self._read(f"/proc/sys/net/ipv4/conf/{name}/proxy_arp") == "1" for name in ("all", device))
        }

    def _flags(self, device: str) -> int:
        try:
            return int(self._read(f"/sys/class/net/{device}/flags"), 16)
        except ValueError:
            return 0

    def _read(self, path: str) -> str:
        try:
            return (self._host.read(path) or "").strip()
        except OSError:
            return ""


def uplink_subnets(facts: Facts, named: Iterable[tuple[str, Entry]]) -> Iterator[Finding]:
    """Yield a warning for each of these names whose line nobody answers for on the uplink."""
    subnets = UplinkSubnets(facts.configuration, facts.up, facts.own_addresses, facts.tools)
    for name, line in named:
        if device := subnets.unanswered(line):
            asked = "ARP" if line.prefix.family == 4 else "NDP"
            yield Finding(
                WARNING,
                STATION,
                f"it is in the subnet of {device}, where this host does not answer {asked} for it",
                advice=f"add proxy={device} to its line, unless the provider routes it to this host",
                addresses=[name],
                is_silence=True,
            )
