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
from lab.hosts.wan import CLIENT, Wan

DELIVERED = ("203.0.113.0/24", "2001:db8:7::/48")
FILE = "/etc/sysconfig/routed-ips"
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
        return self.host.network(name, mode=mode.forward, addresses=addresses)

    def _guest(self, mode: Mode) -> Guest:
        used = [*(kind.address for kind in mode.kinds), *mode.unconfigured]
        addresses = [f"{address}/{128 if ':' in address else 32}" for address in used]
        return self.host.guest(
            mode.name, network=mode.name, addresses=[*mode.private, *addresses], gateways=mode.gateways
        )

    def _lines(self) -> Iterator[str]:
        for mode in MODES:
            yield from (f"{kind.line}\t{mode.name}\n" for kind in mode.kinds)
        yield from (f"{kind.line}\tsecond\n" for kind in SECOND.kinds)

    def failures(self, mode: Mode) -> dict[str, list[str]]:
        """What is wrong with the mode's routed IP of each kind right now: nothing if it is as it should be."""
        clients = {kind.address: CLIENT.of_family(6 if ":" in kind.address else 4) for kind in mode.kinds}
        all_seen = self.guests[mode].fetch_from(clients, timeout=2)
        found: dict[str, list[str]] = {}
        for kind, client, seen in zip(mode.kinds, clients.values(), all_seen):
            wrong = found.setdefault(kind.name, [])
            answer = self.wan.fetch(kind.address, timeout=2)
            if answer != f"{mode.name} {client}":
                wrong.append(f"from outside: {answer or 'no answer'}")
            if seen != kind.address:
                wrong.append(f"towards the outside: {'seen as ' + seen if seen else 'no answer'}")
        return found

    def diagnosed(self) -> list[str]:
        """What the doctor finds wrong with any of the addresses: nothing as long as all of them answer."""
        addresses = [kind.address for mode in MODES for kind in mode.kinds]
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
