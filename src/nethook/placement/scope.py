"""The scope of a run: what it decides about and leaves alone, and what is known of all other networks.

A hook's scope is its own network: what is on that network's bridge, and the prefixes that the configuration gives to it
wherever they are now, because an address has one place. Everything else stays as it is. Without a scope, a run decides
about everything of ours.
"""

from __future__ import annotations

from nethook.prefix import is_link_local

NEXT_HOP_ADVICE = "write the address of the guest that is to pass the packets on, or leave out via="

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nethook.config import RoutedIP
    from nethook.config.settings import Settings
    from nethook.config.text import Problem
    from nethook.libvirt import Network


class Scope:
    """The objects that a run may change: all, or those of some networks and on their bridges, without some prefixes.

    ``known`` are all networks that are up or about to start, inside the scope and outside it, ``down`` all others that
    libvirt has now: a hook does not know which these are. ``unresolved`` are the prefixes of lines whose network or
    guest nobody knows by that name: what is in force for them stays. ``starting`` are the prefixes of a network about
    to start: no route of ours may be there to them.
    """

    __slots__ = ("_networks", "_spared", "down", "known", "starting", "unresolved")

    def __init__(
        self,
        spared: Mapping[str, Collection[str]] | None = None,
        networks: Collection[str] = (),
        known: Sequence[Network] = (),
        *,
        down: Sequence[Network] = (),
        unresolved: Collection[str] = (),
        starting: Collection[str] = (),
    ) -> None:
        """``spared`` has the prefixes that are left alone, by bridge; None: the scope is everything."""
        self._spared = spared
        self._networks = networks
        self.known = known
        self.down = down
        self.unresolved = unresolved
        self.starting = starting

    @property
    def guest_bridges(self) -> list[tuple[str, bool]]:
        """The bridges behind which are guests alone. True: they are isolated."""
        return [(network.bridge, network.is_isolated) for network in self.known if network.is_libvirts_own]

    @property
    def own_prefixes(self) -> set[str]:
        """The prefixes to which libvirt itself has made a route, for ``<ip>`` and ``<route>`` of its networks."""
        return {text for network in self.known for text in network.own_prefixes}

    @property
    def owners(self) -> dict[str, str]:
        """The networks that have a prefix as ``<ip>`` or ``<route>``, by that prefix: rather one that is up.

        One that is down may not exist any more, under this name.
        """
        return {text: network.name for network in (*self.down, *self.known) for text in network.own_prefixes}

    def has(self, bridge: str) -> bool:
        """Return whether it decides about the bridge itself."""
        return self._spared is None or bridge in self._spared

    def has_network(self, name: str) -> bool:
        """Return whether it decides about the network of this name."""
        return self._spared is None or name in self._networks

    def covers(self, prefix: str, bridge: str) -> bool:
        """Return whether it decides about the prefix on this bridge; bridge '': about what depends on no network."""
        return self._spared is None or not bridge or (bridge in self._spared and prefix not in self._spared[bridge])


def scope_of(
    networks: Iterable[Network],
    routed_ips: Collection[RoutedIP],
    known: Sequence[Network] | None = None,
    *,
    down: Sequence[Network] = (),
    unresolved: Collection[str] = (),
    starting: Collection[str] = (),
) -> Scope:
    """Return the scope of these networks. Several may have one bridge: what is others' stays.

    Those that use a bridge that the host brings do. Of libvirt's own networks with one bridge, only one can be up.
    ``known`` are all networks that are up, by default these.
    """
    networks = list(networks)
    known = networks if known is None else known
    names = {network.name for network in networks}
    of_others = {routed.prefix.text for routed in routed_ips if routed.network not in names}
    shared = {network.bridge for network in known if network.name not in names}
    shared.update(network.bridge for network in networks if not network.is_libvirts_own)
    spared = {network.bridge: of_others if network.bridge in shared else () for network in networks}
    return Scope(spared, names, known, down=down, unresolved=unresolved, starting=starting)


def claimed(line: RoutedIP, owners: Mapping[str, str]) -> Problem | None:
    """Return the problem of a line whose prefix another network has as ``<ip>`` or ``<route>``; None without one.

    ``owners`` are networks by such prefixes. libvirt does not start a network if there is a route to one of them.
    """
    owner = owners.get(line.prefix.text)
    if owner is None or owner == line.network:
        return None
    what = f"network {owner} has {line.prefix} itself: with a route to another network, libvirt would not start {owner}"
    return line.problem(what, f"route it to {owner}, or leave the line out")


def next_hop_refusals(
    lines: Iterable[RoutedIP], addresses: Iterable[tuple[str, str]], settings: Settings
) -> list[tuple[RoutedIP, Problem]]:
    """Return the lines whose next hop (``via=``) is no guest, each with its problem.

    ``addresses`` are those of this host, each with its device. Packets to such a next hop never leave the host, or the
    kernel refuses the route. And a gateway that a guest should have itself would be taken from all others.
    """
    with_next_hop = [line for line in lines if line.via]
    if not with_next_hop:
        return []
    # A guest may have the same link-local IPv6 address as the host has on another link. IPv4 knows no such thing.
    what = {
        text: f"is an address of this host, on {device}"
        for text, device in addresses
        if not (":" in text and is_link_local(text))
    }
    gateways = filter(None, map(settings.gateway, (4, 6)))
    what.update((gateway, "is the gateway that guests use") for gateway in gateways)
    return [
        (line, line.problem_of_option("via", f"{line.via} {what[line.via]}, not a guest", NEXT_HOP_ADVICE))
        for line in with_next_hop
        if line.via in what
    ]
