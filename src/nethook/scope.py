"""What a run decides about, and leaves alone.

A hook's scope is its own network: what is on that network's bridge, and the prefixes that the configuration gives to it
wherever they are now, because an address has one place. Everything else stays as it is. Without a scope, a run decides
about everything of ours.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nethook.config import RoutedIP
    from nethook.libvirt.network import Network
    from nethook.prefix import Prefix


class Scope:
    """What a run decides about: everything, or some networks and what is on their bridges, but for some prefixes.

    ``subnets`` are the networks' own, as far as they are known: of those in the scope at least.
    """

    __slots__ = ("_networks", "_spared", "subnets")

    def __init__(
        self,
        spared: Mapping[str, Collection[str]] | None = None,
        networks: Collection[str] = (),
        subnets: Iterable[Prefix] = (),
    ) -> None:
        """``spared`` has the prefixes that are left alone, by bridge; None: the scope is everything."""
        self._spared = spared
        self._networks = networks
        self.subnets = {subnet.text for subnet in subnets}

    def has(self, bridge: str) -> bool:
        """Whether it decides about the bridge itself."""
        return self._spared is None or bridge in self._spared

    def has_network(self, name: str) -> bool:
        """Whether it decides about the network of this name."""
        return self._spared is None or name in self._networks

    def covers(self, prefix: str, bridge: str) -> bool:
        """Whether it decides about the prefix on this bridge; bridge '': about what depends on no network."""
        return self._spared is None or not bridge or (bridge in self._spared and prefix not in self._spared[bridge])


def scope_of(
    networks: Iterable[Network], routed_ips: Collection[RoutedIP], subnets: Iterable[Prefix] | None = None
) -> Scope:
    """The bridges of these networks. Several networks may use one that the host brings: what is others' stays.

    ``subnets`` are those of all networks that are known, by default of these.
    """
    networks = list(networks)
    names = {network.name for network in networks}
    of_others = {routed.prefix.text for routed in routed_ips if routed.network not in names}
    spared = {network.bridge: () if network.is_libvirts_own else of_others for network in networks}
    return Scope(spared, names, subnets_of(networks) if subnets is None else subnets)


def subnets_of(networks: Iterable[Network]) -> list[Prefix]:
    """The networks' own subnets."""
    return [subnet for network in networks for subnet in network.subnets]
