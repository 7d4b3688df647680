"""The placement of each line, as values: where its address is, and why; and what the line lacks there. Pure.

A line may be bound to a guest: then what of its prefix is about no other line is nobody else's.
"""

from __future__ import annotations

from nethook.host.links import NO_IPV6
from nethook.prefix import Ordered, disjoint, parse_prefix, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.config.text import Entry
    from nethook.libvirt import Network, Ports
    from nethook.parts.part import Key
    from nethook.parts.routes import Route
    from nethook.placement.scope import Scope
    from nethook.prefix import Prefix

    Blocks = dict[str, list[Prefix]]
    """Of each bound line, by the text of its prefix, what of that no longer prefix of the files is about.

    Addresses in it that have a line of their own are ``apart``."""

ROUTED = "routed"
"""The line has a place: a bridge, and a NIC if it is bound to a guest."""
WAITING = "waiting"
"""Its network is down, or its guest is not plugged in."""
REFUSED = "refused"
"""It must not be put in force on this host, or cannot be."""
KEPT = "kept"
"""Nobody knows whether its network or guest is there. What is in force stays."""
ELSEWHERE = "elsewhere"
"""Another run decides about it."""

WRONG_LINE = "a wrong line may be about it"
NO_SUCH_NAME = "libvirt has no network or guest of that name"
NOT_TOLD = "libvirt has not told whether its guest is plugged in"
OTHER_NETWORK = "another network on its bridge has it"
OTHER_RUN = "another run decides about it"


class Placement:
    """The place of one line: ``status`` (ROUTED … ELSEWHERE), ``why`` unless it is routed, its bridge, and its NIC.

    ``bridge`` is that of its network, '' if there is none. ``mac`` is the NIC that a bound line is for; None without.
    """

    __slots__ = ("bridge", "line", "mac", "status", "why")

    def __init__(self, line: RoutedIP, status: str, why: str = "", bridge: str = "", mac: str | None = None) -> None:
        self.line = line
        self.status = status
        self.why = why
        self.bridge = bridge
        self.mac = mac

    @property
    def is_decided(self) -> bool:
        """Return whether this run decides who may use the addresses of the line."""
        return self.status in {ROUTED, WAITING, REFUSED}


BROKEN, WEAK, ASIDE = "broken", "weak", "aside"
"""Weights of a lack: the line does not work; it works, but not safely; something beside it does not work."""
APPLY = "nethook apply"


class Lack:
    """Something that a line needs, of our parts or in firewalls of others, and that is not in the kernel yet.

    ``text`` is for doctor, under the name of this ``station``; '' if doctor finds it out by itself. ``command`` and
    ``advice`` say how to correct it, ``addresses`` what it is about, if not the line. ``reason`` is for status, which
    shows the line as not applied, unless the weight is ASIDE. ``is_last``: gates of others count first.
    """

    __slots__ = ("addresses", "advice", "command", "is_last", "reason", "station", "text", "weight")

    def __init__(
        self,
        station: str,
        text: str = "",
        weight: str = BROKEN,
        *,
        command: str = APPLY,
        advice: str = "",
        addresses: Sequence[str] = (),
        reason: str = "",
        is_last: bool = False,
    ) -> None:
        self.station = station
        self.text = text
        self.weight = weight
        self.command = command
        self.advice = advice
        self.addresses = addresses
        self.reason = reason
        self.is_last = is_last


class Placements:
    """The placements of all lines, in their order, and what stays although no line has it.

    ``kept`` are routes that stay, with the reason; ``guarded`` prefixes that stay guarded although no right line names
    them; ``blocks`` the parts of each bound prefix, by its text; ``apart`` the lines of single addresses in them.
    """

    __slots__ = ("apart", "blocks", "guarded", "kept", "lines", "placed", "prefixes")

    def __init__(
        self,
        lines: Sequence[Placement],
        kept: Mapping[Route, str],
        guarded: Collection[Prefix],
        bound: Mapping[str, Sequence[Prefix]],
        apart_lines: Sequence[RoutedIP],
    ) -> None:
        self.lines = lines
        self.kept = kept
        self.guarded = guarded
        self.blocks = bound
        self.apart = apart_lines
        self.placed = [each for each in lines if each.status == ROUTED]
        self.prefixes = {each.line.prefix.text for each in self.placed}
        """The prefixes of the lines that have a place: an address has one, so what is elsewhere of them goes."""


def in_doubt(
    present: Iterable[Key], configuration: Configuration, is_doubtful: Callable[[Prefix], bool]
) -> dict[Key, Prefix]:
    """Return those of our objects that no right line names, and a wrong line may be about, with their prefixes."""
    if not configuration.leaves_doubt:
        return {}
    named = {line.prefix.text for line in configuration.routed_ips}
    named.update(line.prefix.text for line in configuration.forwards if line.proxy)
    unnamed = {key: parse_prefix(key[0]) for key in sorted(present) if key[0] not in named}
    return {key: prefix for key, prefix in unnamed.items() if is_doubtful(prefix)}


def place(
    lines: Sequence[RoutedIP],
    configuration: Configuration,
    networks: Sequence[Network],
    scope: Scope,
    *,
    routes: Collection[Route] = (),
    bound_to: Mapping[str, Collection[str]] | None = None,
    refused: Mapping[str, str] | None = None,
    has_table: bool = True,
) -> Placements:
    """Return who has which address, when exactly these networks of the scope are up, all of which have a bridge.

    ``configuration`` has those of the ``lines`` that may be put in force; ``refused`` says by prefix why another one
    must not. ``routes`` are ours in the kernel, and ``bound_to`` the MACs that each block is bound to there: what
    nobody knows better stays. Without a table (``has_table``), what it held of other networks is in the routes.
    """
    bound = blocks(configuration.routed_ips)
    macs = held(bound, bound_to or {})
    usable = {line.prefix.text for line in configuration.routed_ips}
    at = Networks(networks, scope)
    placed = [
        _place(line, at, scope, bound, macs)
        if line.prefix.text in usable
        else Placement(line, REFUSED, (refused or {}).get(line.prefix.text, NO_IPV6), at.bridge(line.network))
        for line in lines
    ]

    bridges = {network.bridge for network in networks}
    doubtful = in_doubt(routes, configuration, configuration.in_doubt)
    kept: dict[Route, str] = {}
    untold = {(each.line.prefix.text, each.bridge) for each in placed if each.why == NOT_TOLD}
    for route in routes:
        if route in doubtful and route.device in bridges:
            kept[route] = WRONG_LINE
        elif (route.prefix, route.device) in untold:
            kept[route] = NOT_TOLD
        elif route.prefix in scope.unresolved:
            kept[route] = NO_SUCH_NAME
        elif scope.has(route.device) and not scope.covers(route.prefix, route.device):
            kept[route] = OTHER_NETWORK
    if not has_table:
        here = {line.prefix.text for line in configuration.routed_ips if line.network in at.up}
        here.update(route.prefix for route in kept)
        outside = (route for route in routes if not scope.has(route.device) and route.prefix not in here)
        kept.update(dict.fromkeys(outside, OTHER_RUN))
    return Placements(placed, kept, list(doubtful.values()), bound, apart(configuration.routed_ips))


class Networks:
    """The networks that are ``up`` in the scope, all that libvirt has told of as up, and why another has no place."""

    def __init__(self, networks: Sequence[Network], scope: Scope) -> None:
        self.up = {network.name: network for network in networks}
        self.known = {network.name: network for network in scope.known}
        self._down = {network.name: network for network in scope.down}

    def bridge(self, name: str) -> str:
        """Return the bridge of this network; '' if it has none, or nobody knows it."""
        network = self.up.get(name) or self.known.get(name) or self._down.get(name)
        return network.bridge if network else ""

    def why_not(self, name: str) -> tuple[str, str]:
        """Return status and reason for lines of a network that is not up."""
        known = self.known.get(name) or self._down.get(name)
        if known and known.why_unroutable:
            return REFUSED, known.why_unroutable
        if name in self.known:
            return WAITING, f"there is no bridge {self.known[name].bridge}"
        return WAITING, f"network {name} is not running" if known else f"libvirt has no network {name}"


def _place(
    line: RoutedIP,
    networks: Networks,
    scope: Scope,
    bound: Mapping[str, Sequence[Prefix]],
    macs: Mapping[str, Collection[str]],
) -> Placement:
    if not scope.has_network(line.network):
        return Placement(line, ELSEWHERE, OTHER_RUN)
    network = networks.up.get(line.network)
    if line.guest and line.prefix.text in scope.unresolved:
        return Placement(line, KEPT, NO_SUCH_NAME, networks.bridge(line.network))
    if not network:
        return Placement(line, *networks.why_not(line.network), networks.bridge(line.network))
    if not line.guest:
        return Placement(line, ROUTED, bridge=network.bridge)
    owners = macs_of(bound[line.prefix.text], macs)
    if is_undecided(line, network.ports, owners):
        return Placement(line, KEPT, NOT_TOLD, network.bridge)
    mac = nic(line, network.ports, owners)
    name = f"guest {line.guest}" + (f" with NIC {line.mac}" if line.mac else "")
    status, why = (ROUTED, "") if mac else (WAITING, f"{name} is not plugged in")
    return Placement(line, status, why, network.bridge, mac)


def blocks(routed_ips: Sequence[RoutedIP]) -> Blocks:
    """Return the blocks of all bound lines. A longer prefix wins, so it may belong to another guest, or to none.

    Single addresses within a prefix are not cut out of it, since for each of them the rest of an IPv6 prefix is some 60
    blocks: see ``apart``.
    """
    bound = [routed.prefix for routed in routed_ips if routed.guest]
    found = {prefix.text: [prefix] for prefix in bound}
    if _are_single(bound):
        return found
    prefixes = Ordered(routed.prefix for routed in routed_ips if not routed.prefix.is_address)
    found.update((prefix.text, without(prefix, disjoint(prefixes.within(prefix)))) for prefix in bound)
    return found


def apart(routed_ips: Sequence[RoutedIP]) -> list[RoutedIP]:
    """Return the lines of single addresses within a bound prefix. The binding of the prefix is not about them."""
    bound = [routed.prefix for routed in routed_ips if routed.guest]
    if _are_single(bound):
        return []
    around = Ordered(disjoint(prefix for prefix in bound if not prefix.is_address))
    return [routed for routed in routed_ips if routed.prefix.is_address and around.around(routed.prefix)]


def _are_single(prefixes: Iterable[Prefix]) -> bool:
    return all(prefix.is_address for prefix in prefixes)


def held(blocks: Blocks, holders: Mapping[str, Collection[str]]) -> Mapping[str, Collection[str]]:
    """Return the MACs that each block is bound to, also if new lines cut it out of a larger one.

    ``holders`` are the MACs that each block is bound to as it was cut before.
    """
    cut = [block for parts in blocks.values() for block in parts if block.text not in holders and not block.is_address]
    if not cut:
        return holders
    before = Ordered(parse_prefix(text) for text in holders if "/" in text)
    found = dict(holders)
    for block in cut:
        around = before.around(block)
        if around:
            found[block.text] = holders[around.text]
    return found


def macs_of(blocks: Iterable[Prefix], holders: Mapping[str, Collection[str]]) -> set[str]:
    """Return the MACs that any of these blocks is bound to."""
    return {mac for block in blocks for mac in holders.get(block.text, ())}


def nic(routed: RoutedIP, ports: Ports, holders: Collection[str]) -> str | None:
    """Return the MAC of the NIC that a bound line is for; None if its guest is not plugged in.

    Of several that might be meant, the one that has it already: ``holders`` are the MACs that it is bound to.
    """
    found = ports.of(routed.guest, routed.mac)
    return next((mac for mac in found if mac in holders), found[0] if found else None)


def is_undecided(line: Entry, ports: Ports, holders: Collection[str]) -> bool:
    """Return whether nobody knows if the guest of the line is plugged in: then what is in force for it stays."""
    if ports.all_known or any(port.is_of(line.guest, line.mac) for port in ports.known):
        return False
    gone = ports.gone
    return not (gone and (gone.is_of(line.guest, line.mac) or gone.mac in holders))
