"""A world to test in: the outside, a host with libvirt's firewall, its networks, and guests with whatever addresses.

    outside 198.51.100.1, 2001:db8:ffff::1 ── uplink of the host 198.51.100.2, 2001:db8:ffff::2 ── bridges ── guests

As at a provider, the outside sends all that is not its own to the host; by convention of these tests 203.0.113.0/24 and
2001:db8:7::/48 are what a host gets routed. All addresses are from the ranges reserved for documentation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.namespace import Namespace, UnnamedNamespace
from lab.world.hook_process import HOOK, HookProcess
from lab.world.machine import Machine
from lab.world.network import SOMEBODY, WorldNetwork, WorldPort
from lab.world.packets import Place, Witness, exchange, reaches
from nethook.install.package import stub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.firewalls import Firewall
    from lab.world.syslog import Logged

SOURCE = Path(__file__).parents[2] / "src"
CONFIGURATION = "/etc/nethook/routed-ips"
SETTINGS = "/etc/nethook/nethook.conf"
UPLINK = "uplink"
UPLINK_LOCAL = "fe80::2"
OUTSIDE = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}
HOST = {4: "198.51.100.2", 6: "2001:db8:ffff::2"}


def family_of(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


class WorldGuest:
    """A namespace with one NIC on a network, with private addresses there, and others that a test gives it."""

    def __init__(self, network: WorldNetwork, number: int, namespace: UnnamedNamespace, tap: str) -> None:
        self.network = network
        self.namespace = namespace
        self.tap = tap
        """Its port of the bridge."""
        self.mac = f"52:54:00:00:{network.number:02x}:{number:02x}"
        self._number = number

    def add(self, *addresses: str) -> None:
        """Give it these addresses. It reaches everybody through the host, also others on its own bridge."""
        self.namespace.ip(*_added(addresses))

    def at(self, address: str) -> Place:
        """The guest with one of its addresses."""
        private = self.network.address(family_of(address), self._number)
        return Place(self.namespace, address, self.network.bridge, private)

    def private(self, family: int) -> Place:
        """The guest with its private address."""
        return self.at(self.network.address(family, self._number))


class World:
    """Everything in there; ``close`` ends it without a trace."""

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall
        self.machine = Machine()
        self.host = self.machine.namespace
        self._witness = Witness(self.host)
        self._outside = UnnamedNamespace()
        self._guests: list[WorldGuest] = []
        for namespace in (self.host, self._outside):
            _prepare(namespace)
        for family in ("ipv4", "ipv6"):
            self.host.sysctl(f"{family}/conf/all/forwarding", 1)
        self.host.ip(
            "link set lo up",
            f"link add {UPLINK} type veth peer name eth0 netns {self._outside.path}",
            # The kernel's own link-local address would come only when it has noticed that the other end is up. Without
            # any, a host that forwards cannot ask whether a neighbour is still there, and after 8 s takes it for gone.
            f"link set {UPLINK} addrgenmode none up",
            f"address add {UPLINK_LOCAL}/64 dev {UPLINK} nodad",
            *(f"address add {address}/{24 if family == 4 else 64} dev {UPLINK}" for family, address in HOST.items()),
        )
        self._outside.ip(
            "link set lo up",
            "link set eth0 up",
            *(f"address add {address}/{24 if family == 4 else 64} dev eth0" for family, address in OUTSIDE.items()),
            *(f"route add default via {address}" for address in HOST.values()),
        )
        self.host.ip(*(f"route add default via {address}" for address in OUTSIDE.values()))
        # The interpreter of the tests may be a virtual environment's; the hook's is the system's.
        self.machine.write(HOOK, stub("/usr/bin/python3", str(SOURCE)), 0o755)

    def close(self) -> None:
        """End it."""
        self._witness.close()
        for guest in self._guests:
            guest.namespace.close()
        self._outside.close()
        self.machine.close()

    def network(self, name: str, number: int, mode: str = "nat") -> WorldNetwork:
        """Start a network as libvirt does: bridge and rules, no hook yet."""
        network = WorldNetwork(name, number, mode)
        self.host.ip(
            f"link add {network.bridge} address 52:54:00:be:81:{network.number:02x} type bridge",
            f"link set {network.bridge} up",
            f"address add {network.address(4, 1)}/29 dev {network.bridge}",
            f"address add {network.address(6, 1)}/64 dev {network.bridge}",
        )
        self.firewall.start(self.machine, network)
        return network

    def destroy(self, network: WorldNetwork) -> None:
        """Stop a network as libvirt does: rules and bridge go, no hook yet."""
        self.firewall.stop(self.machine, network)
        self.host.ip(f"link delete {network.bridge}")

    def guest(self, network: WorldNetwork, *addresses: str, number: int = 0) -> WorldGuest:
        """Plug a guest into the network; ``number`` is that of its private addresses, and in its MAC."""
        number = number or 2 + sum(guest.network == network for guest in self._guests)
        guest = WorldGuest(network, number, UnnamedNamespace(), f"vnet{len(self._guests) + 1}")
        self._guests.append(guest)
        _prepare(guest.namespace)
        self.host.ip(
            f"link add {guest.tap} type veth peer name eth0 netns {guest.namespace.path}",
            f"link set {guest.tap} address fe{guest.mac[2:]} master {network.bridge} up",
        )
        guest.namespace.ip(
            "link set lo up",
            f"link set eth0 address {guest.mac} up",
            f"address add {network.address(4, number)}/29 dev eth0",
            f"address add {network.address(6, number)}/64 dev eth0",
            f"route add default via {network.address(4, 1)}",
            f"route add default via {network.address(6, 1)}",
            *_added(addresses),
        )
        return guest

    def configure(self, *lines: str) -> None:
        """Write the file of the routed IPs."""
        self.machine.write(CONFIGURATION, "".join(f"{line}\n" for line in lines))

    def event(
        self, network: WorldNetwork, operation: str, xml: str | bytes | None = None, *, port: WorldPort = SOMEBODY
    ) -> list[Logged]:
        """An event as libvirt reports it. The hook has to end well and quietly; returns what was logged."""
        if xml is None:
            xml = network.event_xml(port if operation.startswith("p") else None)
        with HookProcess(self.machine, network.name, operation) as hook:
            hook.give(xml.encode() if isinstance(xml, str) else xml)
        return self.machine.syslog.new()

    def nethook(self, *arguments: str) -> str:
        """Run the command ``nethook`` and return what it prints; it has to succeed."""
        start = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from nethook.cli import main; sys.exit(main())"
        return self.machine.run("/usr/bin/python3", "-I", "-c", start, *arguments)

    def outside(self, family: int) -> Place:
        """The client on the internet."""
        return Place(self._outside, OUTSIDE[family], UPLINK, OUTSIDE[family])

    def host_itself(self, family: int) -> Place:
        """The host, at the address of its uplink."""
        return Place(self.host, HOST[family], "", HOST[family])

    def exchange(self, source: Place, destination: Place) -> str | None:
        """As whom the destination sees the source when a packet gets there and a reply back; None when not."""
        return exchange(source, destination)

    def reaches(self, source: Place, destination: Place) -> bool:
        """Whether a packet gets there."""
        return reaches(self.host, self._witness, source, destination)


def _added(addresses: Sequence[str]) -> list[str]:
    """What gives a guest these addresses."""
    return [f"address add {address} dev eth0" for address in addresses]


def _prepare(namespace: Namespace) -> None:
    """Addresses that can be used at once, and no help from reverse path filters, for devices that come now."""
    namespace.sysctl("ipv6/conf/default/accept_dad", 0)
    for scope in ("all", "default"):
        namespace.sysctl(f"ipv4/conf/{scope}/rp_filter", 0)
