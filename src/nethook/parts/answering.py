"""The routes to addresses of forwarded-ports that the host answers for on an uplink (``proxy=``). Pure.

The kernel answers ARP and NDP there only for an address that it would send elsewhere, to whichever bridge: what a line
is about is translated before. So an address has one route, for all of its lines. A line of routed-ips that has the
address, alone or in a prefix, brings the route: the rest of the address stays routed.
"""

from __future__ import annotations

from nethook.parts.part import Wanted
from nethook.parts.routes import ROUTES, Route
from nethook.placement import ELSEWHERE
from nethook.prefix import Longest, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.config.text import Entry
    from nethook.engine.case import Case
    from nethook.placement.forwarded import Forwarding
    from nethook.prefix import Prefix


def routes(case: Case) -> Wanted:
    """Return the routes to these addresses: rather those that are there, if they lead where any line does.

    A route goes with its bridge. So the run of a network also makes routes for lines of other networks, but only to
    addresses that its own lines are about.
    """
    forwardings: dict[str, list[Forwarding]] = {address: [] for address in sorted(case.answered_in_doubt)}
    for each in case.proxied:
        forwardings.setdefault(each.line.address, []).append(each)
    there = {route.prefix: route for route in case.state(ROUTES) if route.prefix in forwardings}
    placed = Longest(each.line.prefix for each in case.placements.placed)
    of_others = Longest(_of_others(case))
    own = Longest(line.prefix for line in case.question.lines if case.scope.has_network(line.network))
    wanted: dict[Route, Entry] = {}
    stay: set[Route] = set()
    displaced: set[Route] = set()
    for address, found in forwardings.items():
        prefix = found[0].line.prefix if found else parse_prefix(address)
        route = there.get(address)
        places = {Route((address, each.bridge, "")): each.line for each in found if each.target}
        if placed.around(prefix):
            displaced.update([route] if route else ())
        elif of_others.around(prefix):
            continue
        elif route in places:
            wanted[route] = places[route]
        elif route and (address in case.answered_in_doubt or any(map(_is_open, found))):
            stay.add(route)
        elif places and (own.around(prefix) or _is_own(case, found, route)):
            first = next(iter(places))
            wanted[first] = places[first]
            displaced.update([route] if route else ())
    return Wanted(wanted, stay, displaced)


def _of_others(case: Case) -> Iterator[Prefix]:
    """Yield the prefixes of routes that stay for lines of routed-ips about which this run does not decide."""
    for route in case.placements.kept:
        yield parse_prefix(route.prefix)
    elsewhere = {each.line.prefix.text: each.line.prefix for each in case.placements.lines if each.status == ELSEWHERE}
    for route in case.routes if elsewhere else ():
        if route.prefix in elsewhere and not case.decides_about(route):
            yield elsewhere[route.prefix]


def _is_own(case: Case, forwardings: Iterable[Forwarding], route: Route | None) -> bool:
    """Return whether this run decides about any of these lines of an address, or about the route to it."""
    is_own_line = any(case.scope.has_network(each.line.network) for each in forwardings)
    return is_own_line or (route is not None and case.decides_about(route))


def _is_open(forwarding: Forwarding) -> bool:
    """Return whether nobody knows in this run where the line leads."""
    return not forwarding.is_decided and not forwarding.target
