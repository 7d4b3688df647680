"""A host as people run it: a network of every mode, with guests that use routed addresses of every kind.

Every mode's guest has one address of each kind, an address that nobody configured, and the private one of its network.
Besides there is a bystander: a guest without routed addresses on a network that libvirt does not filter, through
which a flow runs while things are disturbed; and a second network with a routed IP of its own, without a guest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab.hosts.flow import PingFlow, flow
from lab.hosts.guest import Guest
from lab.hosts.host import Host
from lab.hosts.network import HostNetwork
from lab.hosts.wan import CLIENT, AddressPair, Wan

DELIVERED = ("203.0.113.0/24", "2001:db8:7::/48")
FILE = "/etc/sysconfig/routed-ips"
FORWARDS = "/etc/sysconfig/forwarded-ports"
BYSTANDER = "192.0.2.130"
BYSTANDERS = "192.0.2.128/28"


@dataclass(frozen=True)
class Kind:
    """A kind of routed IP: how it is called, what the line says, and the address that the guest uses of it."""

    name: str
    line: str
    address: str


@dataclass(frozen=True)
class Mode:
    """A forward mode of libvirt's networks, and the addresses that its network and guest have here."""

    name: str
    number: int

    @property
    def forward(self) -> str | None:
        """What ``<forward mode=…>`` says; None without one."""
        return None if self.name == "isolated" else self.name

    @property
    def gateways(self) -> list[str]:
        """The bridge's own addresses."""
        return [f"192.168.{100 + self.number}.1", f"2001:db8:100{self.number}::1"]

    @property
    def private(self) -> list[str]:
        """The guest's addresses out of its network's own subnets, with length."""
        return [f"192.168.{100 + self.number}.2/24", f"2001:db8:100{self.number}::2/64"]

    @property
    def kinds(self) -> list[Kind]:
        """One routed IP of each kind."""
        n = self.number
        return [
            Kind("IPv4 address", f"203.0.113.{10 + n}", f"203.0.113.{10 + n}"),
            Kind("IPv4 prefix", f"203.0.113.{128 + 8 * n}/29", f"203.0.113.{130 + 8 * n}"),
            Kind("IPv6 address", f"2001:db8:7::{10 + n}", f"2001:db8:7::{10 + n}"),
            Kind("IPv6 prefix", f"2001:db8:7:{n}::/64", f"2001:db8:7:{n}::5"),
        ]

    @property
    def mac(self) -> str:
        """The MAC of the guest's NIC, for which its network reserves the private IPv4 address."""
        return f"52:54:00:f0:00:{self.number:02x}"

    @property
    def port(self) -> int:
        """The port of the host that is forwarded to the guest's web server."""
        return 8000 + self.number

    @property
    def any_port(self) -> int:
        """The port of all addresses of the host that is forwarded there."""
        return 8100 + self.number

    @property
    def whole(self) -> str:
        """The address that is forwarded to the guest as a whole, which nobody has."""
        return f"203.0.113.{90 + self.number}"

    def forwards(self, place: AddressPair) -> list[str]:
        """The lines of its forwards, on the host at this place: IPv4 by reservation, IPv6 by the guest's address."""
        name, private = self.name, self.private[1].partition("/")[0]
        return [
            f"{place.ipv4}:{self.port}  {name}  guest={name} to=80",
            f"[{place.ipv6}]:{self.port}  {name}  guest={name} to=[{private}]:80",
            f"0.0.0.0:{self.any_port}  {name}  guest={name} to=80",
            f"[::]:{self.any_port}  {name}  guest={name} to=[{private}]:80",
            f"{self.whole}  {name}  guest={name}",
        ]

    @property
    def unconfigured(self) -> list[str]:
        """Addresses that the guest uses and the provider delivers, but no line names."""
        return [f"203.0.113.{60 + self.number}", f"2001:db8:7:ff::{self.number}"]


MODES = [Mode(name, number) for number, name in enumerate(("nat", "route", "open", "isolated"), 1)]
SECOND = Mode("nat", 9)


class Site:
    """Sets the host up; then every guest runs and every line is in the file."""

    def __init__(self, host: Host, wan: Wan) -> None:
        self.host = host
        self.wan = wan
        self.deliver()
        wan.deliver(BYSTANDERS, host)
        self.networks = {mode: self._network(mode.name, mode) for mode in MODES}
        self.second = self._network("second", SECOND)
        self.second.stop()
        host.network("bystander", mode="open", addresses=["192.0.2.129/28"])
        self.bystander = host.guest(
            "bystander", network="bystander", addresses=[f"{BYSTANDER}/28"], gateways=["192.0.2.129"]
        )
        self.guests = {mode: self._guest(mode) for mode in MODES}
        at_once([guest.start for guest in (self.bystander, *self.guests.values())])
        host.write(FILE, "".join(self._lines()))
        self._named = host.place
        """Where the host was when the lines were written."""
        host.write(FORWARDS, "".join(f"{line}\n" for mode in MODES for line in mode.forwards(host.place)))

    def deliver(self) -> None:
        """Have the provider route our prefixes to the host, where it is now."""
        for prefix in DELIVERED:
            self.wan.deliver(prefix, self.host)

    def restart_guests(self) -> None:
        """Stop and start the guests with routed addresses."""
        at_once([guest.stop for guest in self.guests.values()])
        at_once([guest.start for guest in self.guests.values()])

    def _network(self, name: str, mode: Mode) -> HostNetwork:
        addresses = [f"{mode.gateways[0]}/24", f"{mode.gateways[1]}/64"]
        reserves = {mode.mac: mode.private[0].partition("/")[0]}
        return self.host.network(name, mode=mode.forward, addresses=addresses, reserves=reserves)

    def _guest(self, mode: Mode) -> Guest:
        used = [*(kind.address for kind in mode.kinds), *mode.unconfigured]
        addresses = [f"{address}/{128 if ':' in address else 32}" for address in used]
        return self.host.guest(
            mode.name,
            network=mode.name,
            addresses=[*mode.private, *addresses],
            gateways=mode.gateways,
            mac=mode.mac,
        )

    def _lines(self) -> Iterator[str]:
        for mode in MODES:
            yield from (f"{kind.line}\t{mode.name}\n" for kind in mode.kinds)
        yield from (f"{kind.line}\tsecond\n" for kind in SECOND.kinds)

    def failures(self, mode: Mode) -> dict[str, list[str]]:
        """What is wrong with the mode's routed IP or forward of each kind right now: nothing if all is well."""
        clients = {kind.address: CLIENT.of_family(6 if ":" in kind.address else 4) for kind in mode.kinds}
        private = mode.private[0].partition("/")[0]
        *all_seen, leaves_as = self.guests[mode].fetch_from({**clients, private: CLIENT.ipv4}, timeout=2)
        found: dict[str, list[str]] = {}
        for kind, client, seen in zip(mode.kinds, clients.values(), all_seen):
            wrong = found.setdefault(kind.name, [])
            answer = self.wan.fetch(kind.address, timeout=2)
            if answer != f"{mode.name} {client}":
                wrong.append(f"from outside: {answer or 'no answer'}")
            if seen != kind.address:
                wrong.append(f"towards the outside: {'seen as ' + seen if seen else 'no answer'}")
        place = self.host.place
        forwarded = mode.port if place == self._named else mode.any_port
        for name, address, port in (
            ("IPv4 port", place.ipv4, forwarded),
            ("IPv6 port", place.ipv6, forwarded),
            ("whole address", mode.whole, 80),
        ):
            client = CLIENT.of_family(6 if ":" in address else 4)
            answer = self.wan.fetch(address, port, timeout=2)
            found[name] = [] if answer == f"{mode.name} {client}" else [f"from outside: {answer or 'no answer'}"]
        if leaves_as != mode.whole:
            found["whole address"].append(
                f"towards the outside: {'seen as ' + leaves_as if leaves_as else 'no answer'}"
            )
        return found

    def diagnosed(self) -> list[str]:
        """What the doctor finds wrong with any of the addresses: nothing as long as all of them answer."""
        addresses = [kind.address for mode in MODES for kind in mode.kinds]
        addresses += [*(mode.whole for mode in MODES), self._named.ipv4, self._named.ipv6]
        found = json.loads(self.host.nethook("doctor", "--json", *addresses).stdout)
        failures = [finding for finding in found["findings"] if finding["verdict"] == "failure"]
        stopped = [found["stopped_by"]] if found["stopped_by"] else []
        return [f"doctor: {finding['station']}: {finding['text']}" for finding in failures] + stopped

    def open_doors(self, mode: Mode) -> list[str]:
        """Which unconfigured addresses of the mode's guest answer all the same."""
        return [f"{address}, unconfigured, answers" for address in self.wan.answering(mode.unconfigured)]

    def flow_through_bystander(self) -> AbstractContextManager[PingFlow]:
        """A flow to the bystander and back, for the time of the block."""
        return flow(self.wan, BYSTANDER)


def at_once(actions: Sequence[Callable[[], None]]) -> None:
    """Do several things side by side, and fail if one fails."""
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(action) for action in actions]:
            future.result()
