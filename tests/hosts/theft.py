"""A bridge with a thief on it: what it sends in the name of another guest, and where how much of that arrives.

outside ── host ── bridge ═ holder (has the addresses), thief (wants them), neighbour (talks to the holder)
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from lab.hosts.flow import PingFlow, flow, flow_from
from lab.hosts.guest import IMAGE, Guest
from lab.hosts.guest_image import guest_image
from lab.hosts.host import Host
from lab.hosts.wan import CLIENT, SWITCH, Wan
from lab.waiting import wait_for
from tests.hosts.forgery import LINK_LOCAL_GROUPS, Forger, Forgery, Station
from tests.hosts.frame_counter import counted_frames
from tests.hosts.site import at_once

FILE = "/etc/sysconfig/routed-ips"
BRIDGE = "br-public"
GATEWAYS = ("192.168.50.1", "fd00:50::1")
STOLEN = ("203.0.113.10", "2001:db8:7::10")
MACS = {"holder": "52:54:00:00:00:10", "neighbour": "52:54:00:00:00:20", "thief": "52:54:00:00:00:66"}
TIMES = 10
"""How often each frame is sent: one may get lost where it should arrive, as on every network."""
GAP_MS = 2
DATAGRAMS = 20

# What gets as far as to the host's sockets, behind all filters; those are not asked about ARP and NDP.
WITNESS = "table inet witness {{ chain input {{ type filter hook input priority 300; {rules}; }}; }}"


class Arrival(NamedTuple):
    """A forgery, who of its receivers is looked at, how often it was sent, and how often it came there."""

    forgery: Forgery
    receiver: str
    sent: int
    arrived: int

    def __str__(self) -> str:
        return f"{self.forgery.name} → {self.receiver}: {self.sent} sent, {self.arrived} arrived"


class Theft:
    """Sets the host's network and guests up; nothing is routed before something is configured."""

    def __init__(self, host: Host, wan: Wan) -> None:
        self.host = host
        self.wan = wan
        self.rows: list[str] = []
        """What was counted, for the reader."""
        wan.deliver("203.0.113.0/24", host)
        wan.deliver("2001:db8:7::/48", host)
        self.network = host.network("public", addresses=["192.168.50.1/24", "fd00:50::1/64"])
        self.guests = {name: self._guest(name) for name in MACS}
        at_once([guest.start for guest in self.guests.values()])
        # what is on its own bridge the neighbour asks for by ARP and NDP, without the host
        for address, version in zip(STOLEN, "46"):
            self.neighbour.run(f"ip -{version} route add {address} dev eth0")

    @property
    def holder(self) -> Guest:
        return self.guests["holder"]

    @property
    def thief(self) -> Guest:
        return self.guests["thief"]

    @property
    def neighbour(self) -> Guest:
        return self.guests["neighbour"]

    def _guest(self, name: str) -> Guest:
        return self.host.guest(
            name, network="public", addresses=self._addresses(name), gateways=GATEWAYS, mac=MACS[name]
        )

    def _addresses(self, name: str) -> list[str]:
        """The private ones that each has, and what the holder is stolen."""
        last = MACS[name][-2:]
        own = [f"192.168.50.{last}/24", f"fd00:50::{last}/64"]
        return [f"{STOLEN[0]}/32", f"{STOLEN[1]}/128", *own] if name == "holder" else own

    def configure(self, *lines: str) -> None:
        """Have these lines in force."""
        self.host.write(FILE, "".join(f"{line}\n" for line in lines))
        applied = self.host.nethook("apply")
        assert applied.returncode == 0, applied.stderr

    def routed(self, address: str) -> bool:
        """Whether the host has a route to a guest for it."""
        return (
            f"dev {BRIDGE}" in self.host.run(["ip", "-6" if ":" in address else "-4", "route", "show", address]).stdout
        )

    def spoofed(self) -> dict[int, int]:
        """How many frames were dropped because they claimed the stolen address of each family, as status tells it."""
        found = {}
        for address, version in zip(STOLEN, (4, 6)):
            (line,) = json.loads(self.host.nethook("status", "--json", address).stdout)["lines"]
            found[version] = line["spoofed"]
        return found

    def owner(self, address: str) -> str | None:
        """The label of the guest that answers at this address from outside."""
        answer = self.wan.fetch(address, timeout=10)
        return answer.split()[0] if answer else None

    def is_held_by(self, label: str, *addresses: str) -> None:
        """Return when it answers at these addresses, or at the stolen ones."""
        for address in addresses or STOLEN:
            wait_for(lambda: self.owner(address) == label, f"{label} answers at {address}")  # noqa: B023

    def is_unrouted(self, *addresses: str) -> None:
        """Return when these, or the stolen ones, are no more routed to anybody."""
        for address in addresses or STOLEN:
            wait_for(lambda: not self.routed(address), f"{address} is not routed")  # noqa: B023

    def datagrams(self) -> dict[str, int]:
        """Who gets how many of a flow's packets from outside: always the same addresses and ports."""
        mark = b"the same flow"
        with ExitStack() as stack:
            counted = {
                guest.name: stack.enter_context(counted_frames(guest.run, "frames", "eth0", [mark]))
                for guest in (self.holder, self.neighbour)
            }
            target, source = (STOLEN[0], 4400), (CLIENT.ipv4, 4400)
            flow = f"""if True:
                import socket
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sender.bind({source})
                for number in range({DATAGRAMS}):
                    sender.sendto({mark!r}, {target})
                """
            self.wan.namespace.run([sys.executable, "-c", flow])
            wait_for(lambda: self.wan.ping(STOLEN[0]), "what is behind them has come")
        return {name: found[mark] for name, found in counted.items()}

    def take_addresses(self) -> None:
        """The thief makes the stolen addresses its own, and tells everybody."""
        for address, version in zip(STOLEN, "46"):
            self.thief.run(f"ip -{version} addr add {address} dev eth0")
        self.thief.run(f"arping -q -c 5 -U -I eth0 -s {STOLEN[0]} {STOLEN[0]}", check=False)
        self.thief.run(f"arping -q -c 5 -A -I eth0 -s {STOLEN[0]} {STOLEN[0]}", check=False)
        self.send([forgery for forgery in self.forgeries() if forgery.version == 6 and not forgery.port])

    def give_back(self) -> None:
        """The thief has only its own addresses again, and whoever was deceived has forgotten it."""
        for address, version in zip(STOLEN, "46"):
            self.thief.run(f"ip -{version} addr del {address} dev eth0", check=False)
        # the bridge learns anew where the holder's MAC address is
        self.holder.run(f"arping -q -c 2 -U -I eth0 -s {STOLEN[0]} {STOLEN[0]}", check=False)
        self.host.run(["ip", "neigh", "flush", "dev", BRIDGE])
        self.neighbour.run("ip neigh flush dev eth0")
        self.is_held_by("holder")

    def believed(self) -> dict[str, set[str]]:
        """Who host and neighbour take for the stolen addresses: names of guests."""
        names = {mac: name for name, mac in MACS.items()}
        listings = {"host": self.host.run(["ip", "neigh"]).stdout, "neighbour": self.neighbour.run("ip neigh")}
        return {
            where: {
                names[mac]
                for address, mac in re.findall(r"^(\S+) .*lladdr (\S+)", listing, re.MULTILINE)
                if address in STOLEN
            }
            for where, listing in listings.items()
        }

    def frames_to_bridge(self, source: str, claimed: str, groups: Sequence[str] = LINK_LOCAL_GROUPS) -> list[Forgery]:
        """What the thief can send to the host as link-local frames, from the MAC of one guest, as another or itself."""
        stations = self._stations()
        stolen = Station("holder", MACS["holder"], *STOLEN) if claimed == "holder" else stations[claimed]
        forger = Forger(MACS[source], stations["thief"], stolen)
        return [*forger.packets_to_bridge(Station("host", self._bridge_mac(), *GATEWAYS), groups)]

    def port_of(self, name: str) -> str:
        """Behind which port the bridge believes this guest's MAC to be; '' if it does not know."""
        found = self._ports()
        return found.get(MACS[name], "")

    def tap_of(self, name: str) -> str:
        """The port of this guest, by the MAC that libvirt gives to it."""
        return self._ports()[f"fe{MACS[name][2:]}"]

    def _ports(self) -> dict[str, str]:
        listing = self.host.run(["bridge", "fdb", "show", "br", BRIDGE]).stdout
        return dict(re.findall(r"^(\S+) dev (\S+) ", listing, re.MULTILINE))

    def _stations(self) -> dict[str, Station]:
        return {name: Station(name, MACS[name], *self._private(name)) for name in MACS}

    def _bridge_mac(self) -> str:
        found: str = json.loads(self.host.run(["ip", "-json", "link", "show", BRIDGE]).stdout)[0]["address"]
        return found

    def forgeries(self, source: str = "thief") -> list[Forgery]:
        """All that the thief can send, from the MAC address of this guest."""
        stations, mac = self._stations(), self._bridge_mac()
        host = Station("host", mac, *GATEWAYS)
        outside = Station("outside", mac, CLIENT.ipv4, CLIENT.ipv6)
        stolen = Station("holder", MACS["holder"], *STOLEN)
        plain, *tagged = (Forger(MACS[source], stations["thief"], stolen, tags=tags) for tags in range(3))
        return [
            *(forgery for target in (host, stations["neighbour"], outside) for forgery in plain.packets(target)),
            *plain.claims([host, stations["neighbour"]]),
            # without VLANs of its own a guest has its NIC drop all that is tagged
            *(forgery for forger in tagged for target in (host, outside) for forgery in forger.packets(target)),
            *(forgery for forger in tagged for forgery in forger.claims([host])),
        ]

    def _private(self, name: str) -> tuple[str, str]:
        ipv4, ipv6 = (address.split("/")[0] for address in self._addresses(name)[-2:])
        return ipv4, ipv6

    def send(self, forgeries: Sequence[Forgery]) -> None:
        frames = " ".join(forgery.frame.hex() for forgery in forgeries)
        self.thief.run(f"frames send eth0 {TIMES} {GAP_MS} {frames}", timeout=120)

    def arrivals(self, forgeries: Sequence[Forgery]) -> list[Arrival]:
        """Send them, and count what arrives at each receiver."""
        marks = [forgery.mark for forgery in forgeries]
        local, program = str(guest_image().frames), f"{IMAGE}/frames"
        self._witness([forgery.port for forgery in forgeries if forgery.port])
        with ExitStack() as stack:
            at_neighbour = stack.enter_context(counted_frames(self.neighbour.run, "frames", "eth0", marks))
            on_bridge = stack.enter_context(counted_frames(self._on_host, program, BRIDGE, marks))
            outside = stack.enter_context(counted_frames(self._outside, local, SWITCH, marks))
            self.send(forgeries)
        at_sockets = self._witnessed()
        found = []
        for forgery in forgeries:
            arrived = {
                "neighbour": at_neighbour[forgery.mark],
                "outside": outside[forgery.mark],
                "host": at_sockets[forgery.port] if forgery.port else on_bridge[forgery.mark],
            }
            found += [Arrival(forgery, name, TIMES, arrived[name]) for name in sorted(forgery.receivers)]
        return found

    def take_link_local_frames(self, groups: Sequence[str] = LINK_LOCAL_GROUPS) -> None:
        """The host's sockets get none of these frames that claims a stolen address; they do get the thief's own."""
        for source in ("thief", "holder"):
            forged = self.arrivals(self.frames_to_bridge(source, "holder", groups))
            own = self.arrivals(self.frames_to_bridge(source, "thief", groups))
            self.rows += [f"link-local frames from the MAC address of the {source}:", *map(str, forged + own)]
            assert [str(arrival) for arrival in forged if arrival.arrived] == []
            assert {arrival.forgery.version for arrival in own if arrival.arrived} == {4, 6}

    def _on_host(self, command: str) -> str:
        return self.host.run(["sh", "-c", command]).stdout

    def _outside(self, command: str) -> str:
        return self.wan.namespace.run(["sh", "-c", command]).stdout

    def _witness(self, ports: Sequence[int]) -> None:
        self.host.run(["nft", "delete", "table", "inet", "witness"], check=False)
        rules = "; ".join(f"udp dport {port} counter drop" for port in ports)
        self.host.run(["nft", WITNESS.format(rules=rules)])

    def _witnessed(self) -> dict[int, int]:
        listing = self.host.run(["nft", "list", "chain", "inet", "witness", "input"]).stdout
        return {int(port): int(count) for port, count in re.findall(r"dport (\d+) counter packets (\d+)", listing)}

    @contextmanager
    def flows(self) -> Iterator[list[PingFlow]]:
        """To the holder's addresses, from outside and from the neighbour, for the time of the block."""
        with ExitStack() as stack:
            running = [stack.enter_context(flow(self.wan, address)) for address in STOLEN]
            running += [stack.enter_context(flow_from(self.neighbour, address)) for address in STOLEN]
            yield running
