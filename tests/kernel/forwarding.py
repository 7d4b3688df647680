"""A host with all kinds of networks and guests, forwards to them, and services everywhere that say who they are.

All services listen on the same ports, the host's too: where a forward is refused, nobody answers, and the host least of
all. ``nat`` is the guest that most ports go to, with its private address, ``mail`` its neighbour with a whole address,
``routed`` one with a routed IP; ``alone`` and ``lone`` are the same on the isolated network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.firewalls import FIREWALLS
from lab.world.network import ISOLATED
from lab.world.services import PING, TCP, UDP, Services
from lab.world.world import HOST, World
from nethook.config.settings import MARK_BIT
from nethook.parts.forwards.ruleset import FAMILIES, layout

if TYPE_CHECKING:
    from lab.world.packets import Place
    from lab.world.world import WorldGuest
    from nethook.host.nftables import Elements

REFUSED = "refused"
SHORT = 0.2
"""Seconds to wait for what does not come."""

WEB, ROUTE, OPEN, CLOSED, OFF, SOME, OTHERS, HIDDEN = 80, 81, 82, 83, 84, 85, 86, 87
"""To ``nat`` at another port, to a guest of each kind, to one that is off, for some, for others, with ``as=host``."""
RANGE, WITHIN, RANGE_OFF, FOR_OTHERS = (5000, 5999), 5005, (6000, 6009), 5006
"""To ``nat``; a port in it whose guest is off; a range whose guest is off; a port in the first range for others."""
ANY, DNS, ANY_OFF, KEPT = 25565, 53, 99, 22
"""Of any address of the host: two to ``nat``, one to a guest that is off. What stays with the host."""
TARGET, FREE = 8080, 4444
"""The port at the guest, and one of which no line says anything."""
PORTS = (*range(WEB, HIDDEN + 1), 5000, 5001, WITHIN, FOR_OTHERS, 6000, ANY, DNS, ANY_OFF, KEPT, TARGET, FREE)

IPV4 = {"listening": "203.0.113.1", "mail": "203.0.113.5", "alone": "203.0.113.6", "off": "203.0.113.7"}
IPV4 |= {"some": "203.0.113.8", "others": "203.0.113.9", "routed": "203.0.113.17", "lone": "203.0.113.18"}
"""A listening address that the host has not, whole addresses, and routed IPs."""
ADDRESSES = {4: IPV4, 6: {name: text.replace("203.0.113.", "2001:db8:7::") for name, text in IPV4.items()}}

ROUTED = ("routed", "lone")

ITSELF, BRIDGE, WHOLE = "itself", "bridge", "whole address"
"""As whom the guest sees the client: with its own address, as the bridge of the target, with the whole address."""

Row = tuple[str, str, str, str]
"""Who asks; what; who answers, or how it ends; as whom it is seen."""


class Site:
    """A host with all kinds of networks and guests, and forwards to them."""

    def __init__(self, firewall: str) -> None:
        self.world = world = World(FIREWALLS[firewall])
        modes = (("nat", "nat"), ("other", "nat"), ("route", "route"), ("open", "open"), ("isolated", ISOLATED))
        networks = {name: world.network(name, number, mode) for number, (name, mode) in enumerate(modes, 1)}
        unknown = world.network("unknown", 6, ISOLATED)
        routed = {name: [ADDRESSES[family][name] for family in FAMILIES] for name in ROUTED}
        self.guests: dict[str, WorldGuest] = {name: world.guest(network) for name, network in networks.items()}
        self.guests["unknown"] = world.guest(unknown)
        self.guests["neighbour"] = world.guest(networks["nat"])
        self.guests["mail"] = world.guest(networks["nat"])
        self.guests["routed"] = world.guest(networks["nat"], *routed["routed"])
        self.guests["alone"] = world.guest(networks["isolated"])
        self.guests["lone"] = world.guest(networks["isolated"], *routed["lone"])
        world.configure(*(f"{text} nat" for text in routed["routed"]), *(f"{text} isolated" for text in routed["lone"]))
        for network in networks.values():
            assert not [line for line in world.event(network, "started") if line.is_error]
        for name in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
            world.host.sysctl(name, 0)
        for name in ("ipv4/icmp_msgs_per_sec", "ipv4/icmp_msgs_burst"):
            world.host.sysctl(name, 100_000)
        self._networks, self._unknown = [*networks.values()], unknown
        self.forward()
        self.services = Services(PORTS)
        self.services.serve("host", world.host)
        self.services.serve("outside", world.outside(4).namespace)
        for name, guest in self.guests.items():
            self.services.serve(name, guest.namespace)

        self.bridges_rules = False
        self.filter_bridges(on=False)

    def close(self) -> None:
        self.services.close()
        self.world.close()

    def forward(self) -> None:
        """Make both tables with their elements. A run of the program takes them away, because no line wants them."""
        for family in FAMILIES:
            table = layout(family, MARK_BIT)
            self.world.machine.nft(*table.creation(), *table.additions(self._elements(family)))

    def filter_bridges(self, *, on: bool) -> None:
        """Have frames that stay on a bridge pass the rules of the IP layer (br_netfilter), or not."""
        for tables in ("iptables", "ip6tables"):
            self.world.host.sysctl(f"bridge/bridge-nf-call-{tables}", int(on))
        self.bridges_rules = on

    def _elements(self, family: int) -> Elements:
        """The elements of this family that lines for all this would have."""
        networks, unknown = self._networks, self._unknown
        here, named = HOST[family], ADDRESSES[family]
        to = {name: guest.private(family).address for name, guest in self.guests.items()}
        outside = self.world.outside(family).address
        nobody = {4: "198.51.100.128/25", 6: "2001:db8:fffe::/48"}[family]
        targets = {WEB: ("nat", TARGET), ROUTE: ("route", ROUTE), OPEN: ("open", OPEN), CLOSED: ("isolated", CLOSED)}
        targets[HIDDEN] = ("isolated", HIDDEN)
        made: Elements = {name: set() for name in layout(family, MARK_BIT).sets}
        for protocol in (TCP, UDP):
            for address in (here, named["listening"]):
                for port, (guest, there) in targets.items():
                    made["ports"].add((address, protocol, str(port), to[guest], str(there)))
                ports = (*targets, OFF, SOME, OTHERS, WITHIN, FOR_OTHERS)
                made["taken"].update((address, protocol, str(port)) for port in ports)
                made["hidden"].add((address, protocol, str(HIDDEN)))
                made["from_ports"].add((outside, address, protocol, str(SOME), to["nat"], str(SOME)))
                made["from_ports"].add((nobody, address, protocol, str(OTHERS), to["nat"], str(OTHERS)))
                made["from_ports"].add((nobody, address, protocol, str(FOR_OTHERS), to["nat"], str(FOR_OTHERS)))
                made["ranges"].add((address, protocol, "-".join(map(str, RANGE)), to["nat"]))
                for ports in (RANGE, RANGE_OFF):
                    made["taken_ranges"].add((address, protocol, "-".join(map(str, ports))))
            for port in (ANY, DNS):
                made["any_ports"].add((protocol, str(port), to["nat"], str(port)))
                made["led_any"].add((protocol, str(port), to["nat"], str(port)))
            made["taken_any"].update((protocol, str(port)) for port in (ANY, DNS, ANY_OFF))
        for name in ("mail", "alone"):
            bridge = self.guests[name].network.bridge
            made["addresses"].add((named[name], to[name]))
            made["floating"].add((bridge, to[name]))
            made["outgoing"].add((bridge, to[name], named[name]))
        made["from_addresses"] = {(outside, named["some"], to["nat"]), (nobody, named["others"], to["nat"])}
        made["taken_addresses"] = {(named[name],) for name in ("mail", "alone", "off", "some", "others")}
        made["listening"] = {*made["taken_addresses"], (named["listening"],)}
        for network in networks:
            subnet = network.ipv4 if family == 4 else network.ipv6
            made["on_link"].add((network.bridge, subnet))
            made["linked"].add((network.bridge,))
            made["gateways"].add((network.address(family, 1),))
        made["bridges"] = {(network.bridge,) for network in (*networks, unknown)}
        made["isolated"] = {(network.bridge,) for network in (*networks, unknown) if network.mode == ISOLATED}
        return made

    def source(self, name: str, family: int) -> Place:
        """Where a client is, and with which address."""
        if name == "outside":
            return self.world.outside(family)
        if name == "the host":
            return self.world.host_itself(family)
        guest = self.guests[name]
        return guest.at(ADDRESSES[family][name]) if name in ROUTED else guest.private(family)

    def address(self, what: str, source: str, family: int) -> str:
        """The address that a client asks: ``mail`` and ``alone`` are their whole addresses."""
        if what == "gateway":
            return self.guests[source].network.address(family, 1)
        if what.startswith("gateway of "):
            return self.guests[what[len("gateway of ") :]].network.address(family, 1)
        special = {"host": HOST[family], "loopback": "127.0.0.1" if family == 4 else "::1"}
        special.update(ADDRESSES[family])
        return special.get(what) or self.source(what, family).address

    def on_one_bridge(self, *names: str) -> bool:
        """Whether these guests are on the same network."""
        return len({self.guests[name].network for name in names}) == 1

    def seen_as(self, source: str, who: str, kind: str, family: int) -> str:
        """The address by which the service should see the client."""
        if kind == BRIDGE:
            return self.guests[who].network.address(family, 1)
        if self.bridges_rules and kind == WHOLE and who in self.guests and self.on_one_bridge(source, who):
            return self.guests[who].network.address(family, 1)
        return ADDRESSES[family][source] if kind == WHOLE else self.source(source, family).address

    def check(self, row: Row, family: int, protocol: str) -> None:
        """The row has to be as the table says."""
        source, asked, who, kind = row
        what, _, port = asked.rpartition(" ") if protocol != PING else (asked, "", "0")
        place, address = self.source(source, family), self.address(what, source, family)
        if what == "loopback":
            place = place.forging(address)
        if self.bridges_rules and who == source:  # a bridge sends nothing back to the port that it came from
            assert self.services.ask(place, address, int(port), protocol, patience=SHORT) == ("", "", "")
            return
        answer = self.services.ask(place, address, int(port), protocol)
        if who == REFUSED:
            assert answer.is_refused, answer
        else:
            assert answer.who == who
            assert answer.told == who
            assert not kind or answer.seen_as == self.seen_as(source, who, kind, family)
