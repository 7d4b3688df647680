"""A fake host with libvirt on it: the same networks and rules as on the real kernel of ``tests/kernel/world.py``."""

from __future__ import annotations

import re
import syslog
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.firewalls import FIREWALLS
from lab.processes import Runner
from lab.world.network import ISOLATED
from nethook import hook
from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES, SETTINGS_FILE, Configuration, Settings, load
from nethook.engine.run import clear, reconcile
from nethook.engine.snapshot import Question
from nethook.errors import NethookError
from nethook.host.conntrack import PROTOCOLS, Entry
from nethook.host.fake import FakeHost, Killed
from nethook.host.fake.kernel import Route
from nethook.host.links import BRIDGE
from nethook.libvirt import Port, Ports, record
from nethook.libvirt.event import parse_event
from nethook.placement.scope import Scope
from nethook.prefix import parse_address
from tests.unit.state import GATE, chains, has, is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.world.network import WorldNetwork, WorldPort
    from nethook.libvirt import Network as Told

UPLINK = "uplink"
OF_LIBVIRT_IPV6 = re.compile(r"  <ip family='ipv6'.*?</ip>\n", re.S)
OF_OTHERS = (
    "route add 203.0.113.200 via 198.51.100.7 dev uplink proto static",
    "route add 2001:db8:f::/48 via 2001:db8:ffff::7 dev uplink proto static",
    "route add unreachable 203.0.113.201 proto 218 metric 7",
    "route add 203.0.113.10 dev uplink table 100 proto 218",
    "neighbour replace 198.51.100.7 lladdr 52:54:00:aa:aa:aa dev uplink nud permanent",
    "neighbour add proxy 198.51.100.99 dev uplink protocol 99",
)

MAPS = {
    **dict.fromkeys(("ports", "from_ports"), "taken"),
    **dict.fromkeys(("ranges", "from_ranges"), "taken_ranges"),
    **dict.fromkeys(("addresses", "from_addresses"), "taken_addresses"),
    "any_ports": "taken_any",
}
"""The set that has the keys of each map of forwards."""
RULE_OF_OTHERS = "from 0.0.0.0/0 pref 32765 lookup 100 protocol 99"


_INET, _BRIDGE = ("inet", "nethook"), ("bridge", "nethook")


def connection(source: str, to: str, *, port: int = 80, at: str = "", left_as: str = "") -> Entry:
    """Return a tracked TCP connection; nobody has rewritten an address that is not named."""
    addresses = tuple(parse_address(each)[1] for each in (to, source, at or to, left_as or source))
    return Entry(6 if ":" in to else 4, addresses, PROTOCOLS["tcp"], port)


class FakeRunner(Runner):
    """What writes libvirt's rules runs tools with it."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        """Run a command; it has to succeed."""
        assert check
        return self._host.by_others(*argv, stdin=stdin)


class Machined(NamedTuple):
    """A network of libvirt; one without IPv6 has no IPv6 ``<ip>``, and libvirt turns IPv6 off on its bridge."""

    network: WorldNetwork
    has_ipv6: bool = True


class World:
    """A host with the outside on its uplink, objects of others, and no network as yet."""

    def __init__(self, firewall: str = "libvirt-nftables", host: FakeHost | None = None) -> None:
        self.host = host or FakeHost()
        self._firewall = firewall
        self.configuration = Configuration(Settings(), [], [])
        self.up: dict[str, Machined] = {}
        self.ports: dict[str, list[WorldPort]] = {}
        self.taps: dict[str, str] = {}
        """The tap of each MAC."""
        self.known: set[str] = set()
        """The bridges of libvirt that an event has told of: none may ever be taken for the outside."""
        self.broken: set[str] = set()
        self.before: set[Route] = set()
        """The routes that were there before the run: what fails, or a line that changes, may leave them too long."""
        self.host.watch = self.check
        host = self.host
        host.kernel.add_link(UPLINK)
        for address in ("198.51.100.2/24", "2001:db8:ffff::2/64"):
            host.kernel.add_address(address, UPLINK)
        host.by_others("ip", "-batch", "-", stdin="\n".join(OF_OTHERS))
        host.by_others("ip", "-4", "rule", "add", *RULE_OF_OTHERS.split())
        admins = ["add table inet admin", "add chain inet admin forward { type filter hook forward priority 0; }"]
        host.by_others("nft", "-f", "-", stdin="\n".join([*admins, "add rule inet admin forward counter accept"]))
        host.by_others(
            "iptables-nft-restore", "--noflush", stdin="*filter\n-A FORWARD -s 10.9.9.9/32 -j DROP\nCOMMIT\n"
        )

    def copy(self) -> World:
        """Return a world in the same state."""
        made = copy(self)
        made.host = self.host.copy()
        made.host.watch = made.check
        made.up, made.taps = dict(self.up), dict(self.taps)
        made.ports = {name: list(ports) for name, ports in self.ports.items()}
        made.known = set(self.known)
        made.broken = set()
        return made

    def configure(self, *lines: str, settings: str = "", forwards: Iterable[str] = ()) -> None:
        """Have the files say this."""
        self.host.files.texts[SETTINGS_FILE] = settings
        self.host.files.texts.pop(FORWARDED_PORTS_FILES[0], None)
        if forwards:
            self.host.files.texts[FORWARDED_PORTS_FILES[0]] = "".join(f"{line}\n" for line in forwards)
        self.host.files.texts[ROUTED_IPS_FILES[0]] = "".join(f"{line}\n" for line in lines)
        self.configuration = load(self.host)

    def check(self) -> None:
        """Note in ``broken`` what must hold at every moment, whatever goes wrong, and does not."""
        self.broken.update(self._broken(self.host))

    def _broken(self, host: FakeHost) -> Iterator[str]:
        tables = host.nftables.tables
        sets = {name: each.elements for name, each in tables[_INET].sets.items()} if _INET in tables else {}
        bound = {name: each.elements for name, each in tables[_BRIDGE].sets.items()} if _BRIDGE in tables else {}
        guests = {line.prefix.text for line in self.configuration.routed_ips if line.guest}
        proxied = {line.prefix.text for line in self.configuration.forwards if line.proxy}
        for route in host.kernel.routes:
            if is_ours(route) and route.kind == "unicast" and route not in self.before and route.prefix not in proxied:
                if not has(sets, "to", (route.device,), route.prefix):
                    yield f"routed, but not accepted: {route.prefix} {route.device}"
                if route.prefix in guests and not has(bound, "bound", (), route.prefix):
                    yield f"routed, but not kept to its guest: {route.prefix}"
        if any(elements for name, elements in sets.items() if name.startswith("to")):
            for network in (each.network for each in self.up.values() if each.network.bridge in self.known):
                if (network.bridge,) not in sets["bridges"]:
                    yield f"passes for the outside: {network.bridge}"
                if network.mode == ISOLATED and (network.bridge,) not in sets["isolated"]:
                    yield f"not isolated: {network.bridge}"
        yield from self._broken_forwards(host)
        if _INET not in tables and any(GATE in rule for _, rules in chains(host) for rule in rules):
            yield "a gate without our table"

    def _broken_forwards(self, host: FakeHost) -> Iterator[str]:
        for family in ("ip", "ip6"):
            table = host.nftables.tables.get((family, "nethook"))
            sets = {name: each.elements for name, each in table.sets.items()} if table else {}
            led = {name: sets[name] for name in sorted(sets.keys() & MAPS)}
            for name, members in led.items():
                taken = MAPS[name]
                for element in members:
                    key = element[name.startswith("from") :][: 1 if "addresses" in name else 2 if "any" in name else 3]
                    if key not in sets[taken]:
                        yield f"forwarded, but not taken: {element}"
            if any(led.values()):
                for network in (each.network for each in self.up.values() if each.network.bridge in self.known):
                    if (network.bridge,) not in sets["bridges"]:
                        yield f"passes for the outside, to forwards: {network.bridge}"
                    if network.mode == ISOLATED and (network.bridge,) not in sets["isolated"]:
                        yield f"not isolated from forwards: {network.bridge}"

    # What libvirt does

    def bring_up(self, network: WorldNetwork, *, has_ipv6: bool = True) -> None:
        """Make bridge and rules, as libvirt does between the events start and started."""
        kernel, bridge = self.host.kernel, network.bridge
        kernel.add_link(bridge, BRIDGE, mac=f"52:54:00:be:81:{network.number:02x}")
        kernel.add_address(f"{network.address(4, 1)}/29", bridge)
        if has_ipv6:
            kernel.add_address(f"{network.address(6, 1)}/64", bridge)
        else:
            kernel.write_setting(f"/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6", "1")
        FIREWALLS[self._firewall].start(FakeRunner(self.host), network)
        self.up[network.name] = Machined(network, has_ipv6)
        self.ports[network.name] = []

    def take_down(self, network: WorldNetwork) -> None:
        """Take them away, as libvirt does before the event stopped."""
        FIREWALLS[self._firewall].stop(FakeRunner(self.host), network)
        for port in list(self.ports[network.name]):
            self.pull(network, port)
        self.host.kernel.delete_link(network.bridge)
        self.known.discard(network.bridge)
        del self.up[network.name], self.ports[network.name]

    def announce(self, network: WorldNetwork, port: WorldPort) -> None:
        """Make a port for a guest's NIC, of which the event port-created tells."""
        self.ports[network.name].append(port)

    def put_in(self, network: WorldNetwork, port: WorldPort) -> None:
        """WorldPort it in, as libvirt does after that event."""
        tap = f"vnet{len(self.host.kernel.links)}{port.mac[-2:]}"
        self.host.kernel.add_link(tap, "tun", f"fe{port.mac[2:]}", master=network.bridge)
        self.taps[port.mac] = tap

    def pull(self, network: WorldNetwork, port: WorldPort) -> None:
        """Take a guest's NIC away, as QEMU does before the event port-deleted."""
        if port.mac in self.taps:
            self.host.kernel.delete_link(self.taps.pop(port.mac))
        self.ports[network.name].remove(port)

    # What nethook does

    def event(
        self, network: WorldNetwork, operation: str, port: WorldPort | None = None, *, has_ipv6: bool = True
    ) -> list[str]:
        """Have the hook handle an event; returns what it logged as an error."""
        told = self._told(network, operation, port, has_ipv6=has_ipv6)
        self._begin()
        with suppress(Killed):
            hook.handle(told, self.host)
        return [text for priority, text in self.host.logged if priority == syslog.LOG_ERR]

    def _begin(self) -> None:
        self.host.touched.clear()
        self.host.logged.clear()
        self.before = set(self.host.kernel.routes)

    @staticmethod
    def _told(network: WorldNetwork, operation: str, port: WorldPort | None, *, has_ipv6: bool) -> Any:
        xml = network.event_xml(port)
        xml = xml if has_ipv6 else OF_LIBVIRT_IPV6.sub("", xml)
        return parse_event((network.name, operation, "begin", "-"), xml.encode())

    def apply(self) -> list[str]:
        """Do what ``nethook apply`` does when libvirt has told its networks; returns what failed."""
        self._begin()
        up = self.networks()
        own = {network.bridge for network in up}
        hosts = [link.name for link in self.host.kernel.links.values() if link.kind == BRIDGE and link.name not in own]
        try:
            with self.host.version(record.FILE) as asked, self.host.locked():
                record.learn([(network, True) for network in up], hosts, asked, self.host)
                outcome = reconcile(Question(self.configuration, up, Scope(known=up), self.host, is_thorough=True))
            outcome.finish(self.host)
        except Killed:
            return ["killed"]
        except (NethookError, OSError) as error:
            return [str(error)]
        return outcome.failures

    def clear(self) -> list[str]:
        """Do what ``nethook clear`` does; returns what failed."""
        self._begin()
        try:
            with self.host.locked():
                outcome = clear(self.configuration.settings, self.host)
        except Killed:
            return ["killed"]
        except (NethookError, OSError) as error:
            return [str(error)]
        return outcome.failures

    def networks(self) -> list[Told]:
        """Return the networks that are up, as libvirt tells of them when it is asked."""
        return [self._live(each) for each in self.up.values()]

    def _live(self, each: Machined) -> Told:
        network: Told = self._told(each.network, "started", None, has_ipv6=each.has_ipv6).network
        ports = [Port(port.uuid, port.mac, port.guest) for port in self.ports[network.name]]
        network.ports = Ports(ports, all_known=True)
        return network
