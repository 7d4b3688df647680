"""The outside world of a lab: the provider's router with its switch, and behind it a client and a web server.

client 192.0.2.1, 2001:db8:c::1 ── router 198.51.100.1, 2001:db8:100::1 ═ switch ═ uplinks of the hosts
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Protocol

from lab.hosts.footprint import Footprint
from lab.hosts.named_namespace import NamedNamespace
from lab.waiting import wait_for

SWITCH = "switch"
SWITCH_MAC = "02:00:c6:33:64:01"
"""Of its own: without, the router would get another MAC address when a host is unplugged."""
UPLINK = "uplink0"

WEB_SERVER = Path(__file__).with_name("web_server.py")


@dataclass(frozen=True)
class AddressPair:
    """The two addresses that something has: one of each family."""

    ipv4: str
    ipv6: str

    def of_family(self, version: int) -> str:
        return self.ipv4 if version == 4 else self.ipv6


CLIENT = AddressPair("192.0.2.1", "2001:db8:c::1")
ROUTER = AddressPair("198.51.100.1", "2001:db8:100::1")


class Uplinked(Protocol):
    @property
    def place(self) -> AddressPair: ...


class Wan:
    """What can be done from outside; every request comes from CLIENT's address."""

    client = CLIENT

    def __init__(self, footprint: Footprint) -> None:
        self._log = footprint.folder / "web-server.log"
        self.namespace = NamedNamespace(footprint, "wan")
        self.namespace.sysctl("ipv4/ip_forward", 1)
        self.namespace.sysctl("ipv6/conf/all/forwarding", 1)
        self.namespace.ip(
            f"link add {SWITCH} address {SWITCH_MAC} type bridge",
            f"link set {SWITCH} up",
            f"address add {CLIENT.ipv4} dev lo",
            f"address add {CLIENT.ipv6} dev lo",
            f"address add {ROUTER.ipv4}/24 dev {SWITCH}",
            f"address add {ROUTER.ipv6}/64 dev {SWITCH} nodad",
        )
        self._serve()

    def connect(self, host: NamedNamespace, number: int) -> AddressPair:
        """Plug the host with this number (from 1) into the switch and return the addresses it got."""
        place = AddressPair(f"198.51.100.{10 + number}", f"2001:db8:100::{10 + number}")
        port = f"port{number}"
        self.namespace.run(["ip", "link", "delete", port], check=False)  # of a namespace that is not quite gone yet
        self.namespace.ip(
            f"link add {port} type veth peer name {UPLINK} netns {host.name}",
            f"link set {port} master {SWITCH} up",
        )
        host.ip(
            f"address add {place.ipv4}/24 dev {UPLINK}",
            f"address add {place.ipv6}/64 dev {UPLINK} nodad",
            f"link set {UPLINK} up",
            f"route add default via {ROUTER.ipv4}",
            f"route add default via {ROUTER.ipv6}",
        )
        return place

    def unplug(self, number: int) -> None:
        """Take the host with this number from the switch. Neither end notices, as when a machine loses its power."""
        self.namespace.ip(f"link set port{number} nomaster")

    def plug(self, number: int) -> None:
        """Put it back."""
        self.namespace.ip(f"link set port{number} master {SWITCH}")

    def deliver(self, prefix: str, host: Uplinked) -> None:
        """Route a prefix to the host, as a provider does with addresses that were ordered."""
        version = ip_network(prefix).version
        via, source = host.place.of_family(version), CLIENT.of_family(version)
        self.namespace.ip(f"route replace {prefix} via {via} src {source}")

    def fetch(self, address: str, port: int = 80, timeout: float = 3) -> str | None:
        """What the web server at this address answers to the client; None without an answer.

        Guests answer with their name and the client's address as they see it.
        """
        version = ip_address(address).version
        with self.namespace.entered():
            line = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
        with line, closing(HTTPConnection(address, port)) as connection:
            line.bind((CLIENT.of_family(version), 0))
            line.settimeout(timeout)
            try:
                line.connect((address, port))
                connection.sock = line
                connection.request("GET", "/")
                answer = connection.getresponse()
                return answer.read().decode().strip()
            except (OSError, HTTPException):
                return None

    def http(self, address: str, port: int = 80, timeout: float = 3) -> bool:
        """Whether a web server answers at this address."""
        return self.fetch(address, port, timeout) is not None

    def answering(self, addresses: Sequence[str]) -> list[str]:
        """Return which of these answer a ping within a second. They are asked side by side."""
        with ThreadPoolExecutor(len(addresses)) as pool:
            answers = pool.map(lambda address: self.ping(address, 1), addresses)
        return [address for address, has_answered in zip(addresses, answers) if has_answered]

    def ping(self, address: str, timeout: int = 2) -> bool:
        source = CLIENT.of_family(ip_address(address).version)
        argv = ["ping", "-n", "-q", "-c", "1", "-W", str(timeout), "-I", source, address]
        return self.namespace.run(argv, check=False).returncode == 0

    def web_server_log(self) -> str:
        """One line per request that came to the outside's web server: the client's address."""
        return self._log.read_text()

    def _serve(self) -> None:
        self.namespace.start([sys.executable, WEB_SERVER], self._log)
        wait_for(lambda: self.http(CLIENT.ipv4), "the outside's web server answers")
