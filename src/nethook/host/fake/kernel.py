"""The kernel of the fake host: devices, addresses, routes, rules, neighbours, and settings below /proc/sys.

What it refuses, it refuses in the words that iproute2 prints; tests/kernel/test_fake.py compares them with the real
ones.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from nethook.host.addresses import Address
from nethook.host.fake.answer import Refused
from nethook.host.links import BRIDGE, Link
from nethook.host.routes import RouteGroup, RoutingRule
from nethook.prefix import BITS, Prefix, parse_address, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL, BOOT, STATIC = 2, 3, 4
MAIN = 254
METRICS = {4: 0, 6: 1024}
"""Of routes that are added without one."""
SUBNET_METRICS = {4: 0, 6: 256}
NO_PREFIX_ROUTE = 0x200
NO_SUCH_FILE = "RTNETLINK answers: No such file or directory"
NO_SUCH_PROCESS = "RTNETLINK answers: No such process"
EXISTS = "RTNETLINK answers: File exists"
IPV6 = "/proc/sys/net/ipv6/conf"
IPV6_SETTINGS = {"disable_ipv6": "0", "addr_gen_mode": "0", "accept_ra": "1", "proxy_ndp": "0"}
UNREACHABLE, UNICAST = "unreachable", "unicast"


@dataclass(frozen=True)
class Route:
    """A route. ``device`` is '' for one that leads nowhere."""

    prefix: str
    device: str = ""
    via: str = ""
    protocol: int = BOOT
    table: int = MAIN
    metric: int = 0
    kind: str = UNICAST
    onlink: bool = False
    source: str = ""

    @property
    def family(self) -> int:
        """4 or 6."""
        return family_of(self.prefix)


class Rule(NamedTuple):
    """A routing rule."""

    family: int
    priority: int
    table: int
    suppressed: int
    protocol: int


class Neighbour(NamedTuple):
    """A neighbour entry: the MAC at which an address is on a device."""

    mac: str
    is_permanent: bool
    protocol: int


class Kernel:
    """All of it. Everything in here may be looked at and changed by a test."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.down: set[str] = set()
        """Devices that are not up."""
        self.addresses: list[Address] = []
        self.routes: list[Route] = []
        self.tables: dict[int, set[int]] = {4: {MAIN}, 6: {MAIN}}
        """The routing tables that exist, by family: for a route of any other the kernel has other words."""
        self.rules: list[Rule] = []
        self.neighbours: dict[tuple[str, str], Neighbour] = {}
        self.proxies: dict[tuple[str, str], int] = {}
        """The protocol of each proxy entry, by address and device."""
        self.settings: dict[str, str] = {f"{IPV6}/all/proxy_ndp": "0"}
        """Values by path."""
        self._numbers = 0
        for stand_in in ("all", "default"):
            self._make_settings(stand_in)
        self.add_link("lo", mac="00:00:00:00:00:00")

    def copy(self) -> Kernel:
        """Return one that may be changed without changing this one."""
        made = Kernel()
        made.links = {name: copy(link) for name, link in self.links.items()}
        made.down = set(self.down)
        made.addresses, made.routes, made.rules = list(self.addresses), list(self.routes), list(self.rules)
        made.tables = {family: set(tables) for family, tables in self.tables.items()}
        made.neighbours, made.proxies, made.settings = dict(self.neighbours), dict(self.proxies), dict(self.settings)
        made._numbers = self._numbers
        return made

    # Devices

    def add_link(self, name: str, kind: str = "", mac: str = "52:54:00:ff:ff:ff", master: str = "") -> Link:
        """Make a device, which is up, with IPv6 as the kernel turns it on."""
        self._numbers += 1
        number = self.links[master].number if master else 0
        self.links[name] = Link(self._numbers, name, kind, mac, master=number, learns=kind == BRIDGE)
        self._make_settings(name)
        return self.links[name]

    def delete_link(self, name: str) -> None:
        """Delete a device, with all that is on it."""
        number = self.links.pop(name).number
        self.down.discard(name)
        for link in self.links.values():
            link.master = 0 if link.master == number else link.master
        self.settings = {path: text for path, text in self.settings.items() if not path.startswith(f"{IPV6}/{name}/")}
        self._flush(name, (4, 6))

    def set_master(self, name: str, bridge: str) -> None:
        """Put a device onto a bridge."""
        for each in (name, bridge):
            self._need_link(each)
        self.links[name].master = self.links[bridge].number

    def set_learning(self, name: str, *, on: bool) -> None:
        """Have a bridge learn from frames to link-local groups, or not."""
        self._need_link(name)
        self.links[name].learns = on

    def write_setting(self, path: str, text: str) -> None:
        """Write a setting that exists."""
        self.settings[path] = text.strip()
        folder, _, name = path.rpartition("/")
        if name == "disable_ipv6" and text.strip() == "1":
            self._flush(folder[len(IPV6) + 1 :], (6,))

    def _make_settings(self, device: str) -> None:
        self.settings.update((f"{IPV6}/{device}/{name}", value) for name, value in IPV6_SETTINGS.items())

    def _flush(self, device: str, families: tuple[int, ...]) -> None:
        def is_gone(text: str, of: str) -> bool:
            return of == device and family_of(text) in families

        self.addresses = [each for each in self.addresses if not is_gone(each.text, each.device)]
        self.routes = [route for route in self.routes if not is_gone(route.prefix, route.device)]
        self.neighbours = {key: value for key, value in self.neighbours.items() if not is_gone(*key)}
        self.proxies = {key: value for key, value in self.proxies.items() if not is_gone(*key)}

    def _need_link(self, name: str) -> None:
        if name not in self.links:
            raise Refused(f'Cannot find device "{name}"')

    def _is_disabled(self, device: str) -> bool:
        return self.settings.get(f"{IPV6}/{device}/disable_ipv6") == "1"

    # Addresses

    def add_address(self, text: str, device: str, *, metric: int = 0, flags: int = 0) -> None:
        """Add ``ADDRESS/LENGTH``; the kernel makes a route to its subnet."""
        self._need_link(device)
        address, _, length = text.partition("/")
        family = family_of(address)
        size = int(length or BITS[family])
        if family == 6 and self._is_disabled(device):
            raise Refused("Error: ipv6: IPv6 is disabled on this device.")
        if any(each.text == address and each.device == device for each in self.addresses):
            raise Refused(f"Error: {'ipv4: A' if family == 4 else 'ipv6: a'}ddress already assigned.")
        self.addresses.append(Address(family, address, size, device, metric=metric, flags=flags))
        if size < BITS[family] and not flags & NO_PREFIX_ROUTE:
            subnet = _block(address, size)
            source = address if family == 4 else ""
            route = Route(subnet, device, protocol=KERNEL, metric=metric or SUBNET_METRICS[family], source=source)
            if route not in self.routes:
                self.routes.append(route)

    def delete_address(self, text: str, device: str) -> None:
        """Delete an address. With its last IPv4 address, a device loses all its IPv4 routes."""
        self._need_link(device)
        address, _, length = text.partition("/")
        family = family_of(address)
        found = [each for each in self.addresses if (each.text, each.device) == (address, device)]
        if not found:
            raise Refused(f"Error: {'ipv4: A' if family == 4 else 'ipv6: a'}ddress not found.")
        self.addresses = [each for each in self.addresses if each not in found]
        subnet = _block(address, int(length or BITS[family]))
        if not found[0].flags & NO_PREFIX_ROUTE:
            self._drop(lambda route: (route.prefix, route.device, route.protocol) == (subnet, device, KERNEL))
        self._drop(lambda route: route.source == address)
        if family == 4 and not any(each.device == device and each.family == 4 for each in self.addresses):
            self._drop(lambda route: route.device == device and route.family == 4)

    def _drop(self, is_gone: Callable[[Route], bool]) -> None:
        self.routes = [route for route in self.routes if not is_gone(route)]

    # Routes

    def add_route(self, route: Route, *, replaces: bool = False) -> None:
        """Add a route; one to the same prefix with the same metric and table is in the way, or is replaced."""
        route = replace(route, metric=route.metric or METRICS[route.family])
        self._check_next_hop(route)
        same = [
            other
            for other in self.routes
            if (other.prefix, other.table, other.metric) == (route.prefix, route.table, route.metric)
        ]
        if same and not replaces:
            raise Refused(EXISTS)
        self.routes = [other for other in self.routes if other not in same[:1]]
        self.routes.append(route)
        self.tables[route.family].add(route.table)

    def _check_next_hop(self, route: Route) -> None:
        if route.kind != UNICAST:
            return
        self._need_link(route.device)
        if route.family == 6 and self._is_disabled(route.device):
            raise Refused("Error: IPv6 is disabled on nexthop device.")
        if route.device in self.down:
            raise Refused(f"Error: {'Device for nexthop' if route.family == 4 else 'Nexthop device'} is not up.")
        if route.via and not route.onlink:
            hop = parse_prefix(route.via)
            on_link = (other for other in self.routes if other.device == route.device and not other.via)
            if not any(hop.lies_in(parse_prefix(other.prefix)) for other in on_link if other.prefix != "default"):
                raise Refused("Error: Nexthop has invalid gateway.")

    def delete_route(self, pattern: Route, *, protocol: int = 0) -> None:
        """Delete the first route that is as the pattern has it; what is '' or 0 there matters not."""
        if pattern.device:
            self._need_link(pattern.device)
        if pattern.table not in self.tables[pattern.family]:
            raise Refused("Error: FIB table does not exist.")
        for route in self.routes:
            if (
                (route.prefix, route.table) == (pattern.prefix, pattern.table)
                and pattern.device in {"", route.device}
                and pattern.via in {"", route.via}
                and protocol in {0, route.protocol}
                and pattern.metric in {0, route.metric}
                and pattern.kind in {UNICAST, route.kind}
            ):
                self.routes.remove(route)
                return
        raise Refused(NO_SUCH_PROCESS)

    def route_groups(self, protocol: int) -> list[RouteGroup]:
        """Return the routes with this number that are of a shape which the program makes, each by itself."""
        return [
            RouteGroup(
                route.table,
                parse_prefix(route.prefix).length,
                [route.prefix],
                device=route.device,
                via=route.via,
                metric=route.metric,
                is_unreachable=route.kind == UNREACHABLE,
            )
            for route in self.routes
            if route.protocol == protocol
            and route.prefix != "default"
            and (route.kind == UNREACHABLE or (route.kind == UNICAST and (route.onlink or not route.via)))
        ]

    # Rules

    def add_rule(self, rule: Rule) -> None:
        """Add a rule behind those of the same priority."""
        if rule in self.rules:
            raise Refused(EXISTS)
        behind = [number for number, other in enumerate(self.rules) if other.priority > rule.priority]
        self.rules.insert(behind[0] if behind else len(self.rules), rule)
        if rule.family == 6:
            self.tables[6].add(rule.table)

    def delete_rule(self, rule: Rule) -> None:
        """Delete this rule."""
        if rule not in self.rules:
            raise Refused(NO_SUCH_FILE)
        self.rules.remove(rule)

    def routing_rules(self, protocol: int) -> list[RoutingRule]:
        """Return the rules with this protocol number, in their order."""
        return [
            RoutingRule(rule.family, rule.priority, rule.table, rule.suppressed)
            for rule in self.rules
            if rule.protocol == protocol
        ]

    # Neighbours

    def replace_neighbour(self, address: str, device: str, neighbour: Neighbour) -> None:
        """Enter what an address is at, whatever was known of it."""
        self._need_link(device)
        self.neighbours[address, device] = neighbour

    def delete_neighbour(self, address: str, device: str) -> None:
        """Delete the entry of an address."""
        self._need_link(device)
        if self.neighbours.pop((address, device), None) is None:
            raise Refused(NO_SUCH_FILE)

    def add_proxy(self, address: str, device: str, protocol: int) -> None:
        """Add a proxy entry; one that exists gets this protocol."""
        self._need_link(device)
        self.proxies[address, device] = protocol

    def delete_proxy(self, address: str, device: str) -> None:
        """Delete a proxy entry."""
        self._need_link(device)
        if self.proxies.pop((address, device), None) is None:
            raise Refused(NO_SUCH_FILE)


def family_of(prefix: str) -> int:
    """Return 4 or 6."""
    return 6 if ":" in prefix else 4


def _block(address: str, length: int) -> str:
    family, number = parse_address(address)
    free = BITS[family] - length
    return Prefix(family, number >> free << free, length).text
