"""Who has which address, and why: one placement for each line. Pure."""

from __future__ import annotations

from nethook.net.prefix import parse_prefix
from nethook.placement.binding import apart, blocks, held, is_undecided, macs_of, nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.libvirt.network import Network
    from nethook.net.prefix import Prefix
    from nethook.parts.part import Key
    from nethook.parts.routes import Route
    from nethook.placement.scope import Scope

ROUTED = "routed"
"""The line has a place: a bridge, and a NIC if it is bound to a guest."""
WAITING = "waiting"
"""Its network is down, or its guest is not plugged in."""
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

    ``bridge`` is '' without a network that is up. ``mac`` is the NIC that a bound line is for; None without one.
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
        return self.status in {ROUTED, WAITING}


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
    unnamed = {key: parse_prefix(key[0]) for key in sorted(present) if key[0] not in named}
    return {key: prefix for key, prefix in unnamed.items() if is_doubtful(prefix)}


def place(
    configuration: Configuration,
    networks: Sequence[Network],
    scope: Scope,
    routes: Collection[Route],
    bound_to: Mapping[str, Collection[str]] | None,
    *,
    has_table: bool = True,
) -> Placements:
    """Return who has which address, when exactly these networks of the scope are up, all of which have a bridge.

    ``routes`` are ours in the kernel, and ``bound_to`` the MACs that each block is bound to there: what nobody knows
    better stays. Without a table (``has_table``), what it held of other networks is in the routes.
    """
    lines = configuration.routed_ips
    bound = blocks(lines)
    macs = held(bound, bound_to or {})
    up = {network.name: network for network in networks}
    placed = [_place(line, up.get(line.network), scope, bound, macs) for line in lines]

    bridges = {network.bridge for network in networks}
    doubtful = in_doubt(routes, configuration, configuration.in_doubt)
    kept: dict[Route, str] = {}
    untold = {(each.line.prefix.text, each.bridge) for each in placed if each.status == KEPT and each.bridge}
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
        here = {line.prefix.text for line in lines if line.network in up}
        here.update(route.prefix for route in kept)
        outside = (route for route in routes if not scope.has(route.device) and route.prefix not in here)
        kept.update(dict.fromkeys(outside, OTHER_RUN))
    return Placements(placed, kept, list(doubtful.values()), bound, apart(lines))


def _place(
    line: RoutedIP,
    network: Network | None,
    scope: Scope,
    bound: Mapping[str, Sequence[Prefix]],
    macs: Mapping[str, Collection[str]],
) -> Placement:
    if not scope.has_network(line.network):
        return Placement(line, ELSEWHERE, OTHER_RUN)
    if line.guest and line.prefix.text in scope.unresolved:
        return Placement(line, KEPT, NO_SUCH_NAME)
    if not network:
        return Placement(line, WAITING, f"network {line.network} is not running")
    if not line.guest:
        return Placement(line, ROUTED, bridge=network.bridge)
    owners = macs_of(bound[line.prefix.text], macs)
    if is_undecided(line, network.ports, owners):
        return Placement(line, KEPT, NOT_TOLD, network.bridge)
    mac = nic(line, network.ports, owners)
    name = f"guest {line.guest}" + (f" with NIC {line.mac}" if line.mac else "")
    status, why = (ROUTED, "") if mac else (WAITING, f"{name} is not plugged in")
    return Placement(line, status, why, network.bridge, mac)
