"""The way of a packet to an address as a person reads it, and the place on it at which a finding is.

outside → uplink0 → route → forwarding → our table → firewall → virbr1 → web1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config.text import one_line
from nethook.errors import NethookError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.doctor.facts import Facts, Target
    from nethook.doctor.finding import Finding

OUTSIDE, UPLINK, ROUTE, FORWARDING = "outside", "uplink", "route", "forwarding"
OURS, FIREWALL, BRIDGE, GUEST = "our table", "firewall", "bridge", "guest"
PLACES = (OUTSIDE, UPLINK, ROUTE, FORWARDING, OURS, FIREWALL, BRIDGE, GUEST)
STATIONS = {
    **dict.fromkeys(("proxy", "neighbour table"), UPLINK),
    **dict.fromkeys(("route", "policy rule", "way back", "reverse path filter", "own address", "subnet"), ROUTE),
    **dict.fromkeys(("forwarding", "router advertisements"), FORWARDING),
    **dict.fromkeys(("our table", "forward"), OURS),
    **dict.fromkeys(
        (
            "gate",
            "libvirt's rules",
            "admin's iptables",
            "admin's nftables",
            "firewalld",
            "br_netfilter",
            "packet mark",
            "nat",
            "connection tracking",
        ),
        FIREWALL,
    ),
    **dict.fromkeys(("network", "ipv6 on the bridge", "gateway"), BRIDGE),
    "guest": GUEST,
}
"""The place of each station that is on the way."""


class Way(NamedTuple):
    """The devices on the way to an address, and its guest; '' for those that are not known."""

    uplink: str
    bridge: str
    guest: str

    @property
    def places(self) -> list[str]:
        """The places on the way, by their names on this host."""
        names = {UPLINK: self.uplink, BRIDGE: self.bridge, GUEST: self.guest}
        return [one_line(names.get(place) or place) for place in PLACES]


def ways(facts: Facts, targets: Iterable[Target], forwards: Iterable[Forward]) -> dict[str, Way]:
    """Return the way to each target and forwarded port, by its name; nothing if the uplinks cannot be read."""
    bridges = {name: live.network.bridge for name, live in facts.live.items()}
    lines = [(target.name, target.line.prefix.family, target.line) for target in targets]
    named = [*lines, *((line.text, line.family, line) for line in forwards)]
    try:
        uplinks = {family: next(iter(facts.uplinks(family)), "") for family in {family for _, family, _ in named}}
    except NethookError:
        return {}
    return {
        name: Way(line.proxy or uplinks[family], bridges.get(line.network, ""), line.guest or "")
        for name, family, line in named
    }


def broken_at(finding: Finding, known: Sequence[Way]) -> tuple[list[str], int] | None:
    """Return the places on the way and the number of the one at which the finding is; None if it is on no way.

    ``known`` are the ways to the addresses of the finding. Of several, what they do not have in common has no name.
    """
    place = STATIONS.get(finding.station)
    if place is None or not known:
        return None
    common = Way(*(values[0] if len(set(values)) == 1 else "" for values in zip(*known)))
    return common.places, PLACES.index(place)
