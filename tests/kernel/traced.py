"""A host whose packets are traced: a guest with a routed address, and one that ports are forwarded to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any

from lab.world.servers import Client, Servers
from lab.world.verbs import command, nethook, tell_libvirt
from lab.world.world import CONFIGURATION
from nethook.host.netlink import (
    ACKNOWLEDGE,
    BATCH_BEGIN,
    BATCH_END,
    CREATE,
    FAMILIES,
    NESTED,
    NETLINK_NETFILTER,
    NFTABLES,
    Netlink,
    attribute,
    envelope,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.namespace import Namespace
    from lab.world.world import World

ADDRESS = {4: "203.0.113.10", 6: "2001:db8:7::10"}
LISTENING, LISTENING_PORT = "203.0.113.1", 443
FORWARDS = CONFIGURATION.replace("routed-ips", "forwarded-ports")
PORT, SECOND_PORT, OWN_PORT = 8080, 8443, 40000
ELSEWHERE = "192.0.2.250"
"""An address outside that is not on the host's link."""


class Trace:
    """A trace that runs, by this verb. It has begun when this is made."""

    def __init__(self, world: World, *arguments: str, verb: str = "trace", begin: str = "tracing packets") -> None:
        self._process = subprocess.Popen(
            command(world, verb, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        first = b""
        while not first.endswith(b"\n") and (byte := os.read(self._process.stderr.fileno(), 1)):
            first += byte  # readline() would take more, which communicate() does not find then
        self.said = first.decode()
        assert begin in self.said, self.said + self._process.stderr.read()

    def stop(self, number: int) -> int:
        """Send it this signal, and return its exit status."""
        # nsenter is outside, and has the program as its child inside.
        (child,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text("ascii").split()
        os.kill(int(child), number)
        return self.end()[0]

    def end(self) -> tuple[int, str, str]:
        """Wait for its end, and return its exit status, and what it has printed and said."""
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out, self.said + err


class Traced:
    """A world with network ``public``, servers in both guests, and all lines in force."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.network("public", 1)
        self.guest = world.guest(self.network, *ADDRESS.values())
        self.db = world.guest(self.network)
        world.configure(*(f"{address} public" for address in ADDRESS.values()))
        target = self.db.private(4).address
        lines = (
            f"{LISTENING}:{LISTENING_PORT} public to={target}:{SECOND_PORT}",
            f"{LISTENING}:53/udp public to={target}",
        )
        world.machine.write(FORWARDS, "".join(f"{line}\n" for line in lines))
        tell_libvirt(world, self.network)
        nethook(world, "apply")
        self._clients: list[socket.socket] = []
        self._servers = [
            Servers(self.guest.namespace, "guest", [PORT, SECOND_PORT]),
            Servers(self.db.namespace, "db", [SECOND_PORT]),
        ]

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for client in self._clients:
            client.close()

    def ask(self, address: str, port: int = PORT, *, protocol: str = "tcp", source: str = "") -> str:
        """What the client outside gets as an answer."""
        family = 6 if ":" in address else 4
        return self.ask_from(self.world.outside(family).namespace, address, port, protocol=protocol, source=source)

    @staticmethod
    def ask_from(namespace: Namespace, address: str, port: int, *, protocol: str = "tcp", source: str = "") -> str:
        client = Client(namespace, address, port, protocol=protocol, source=source, own_port=OWN_PORT)
        try:
            return client.ask()
        finally:
            client.close()

    def trace(self, *arguments: str, traffic: Callable[[], object], count: int = 1) -> tuple[int, list[dict[str, Any]]]:
        """Trace what this traffic causes; return the exit status, and the packets that were found."""
        trace = Trace(self.world, *arguments, "--count", str(count), "--json")
        traffic()
        status, out, _ = trace.end()
        found: list[dict[str, Any]] = json.loads(out)["found"]
        return status, found

    def text(self, *arguments: str, traffic: Callable[[], object], count: int = 1) -> tuple[int, str, str]:
        """Trace what this traffic causes; return the exit status, and what is printed and said."""
        trace = Trace(self.world, *arguments, "--count", str(count))
        traffic()
        return trace.end()

    def send(self, address: str, port: int = PORT, *, protocol: str = "tcp", source: str = "") -> None:
        """Have the client outside send one packet, and not wait for an answer."""
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        family = 6 if ":" in address else 4
        with self.world.outside(family).namespace.entered():
            client = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        self._clients.append(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((source, OWN_PORT))
        client.connect_ex((address, port))
        if protocol == "udp":
            client.send(b"packet")

    def flood(self, address: str, packets: int) -> None:
        """Have the client outside send so many packets, and begin one connection in the midst of them."""
        with self.world.outside(4).namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((address, 9))
            for number in range(packets):
                if number == packets // 2:
                    self.send(address)
                with suppress(ConnectionRefusedError):
                    client.send(b"packet")

    def send_to_ports(self, address: str, *ports: int) -> None:
        """Have the client outside send one packet to each."""
        for port in ports:
            self.send(address, port)

    def drop_in(self, table: str, chain: str) -> None:
        """Add a table and a chain that drops all, with names that nft cannot say."""
        header = pack("BBH", FAMILIES["inet"], 0, 0) + attribute(1, table.encode() + b"\0")
        where = attribute(1, pack(">I", 2)) + attribute(2, pack(">i", 5))
        body = attribute(3, chain.encode() + b"\0") + attribute(4 | NESTED, where)
        body += attribute(5, pack(">I", 0)) + attribute(7, b"filter\0")
        changes = [envelope(NFTABLES, CREATE | ACKNOWLEDGE, header)]
        changes.append(envelope(NFTABLES | 3, CREATE | ACKNOWLEDGE, header + body))
        subsystem = pack("!BBH", 0, 0, NFTABLES >> 8)
        batch = [envelope(BATCH_BEGIN, 0, subsystem), *changes, envelope(BATCH_END, 0, subsystem)]
        with self.world.host.entered(), Netlink(NETLINK_NETFILTER, "nftables") as netlink:
            netlink.change(b"".join(batch), len(changes))

    def tables(self) -> list[str]:
        """Our tables for tracing that are there."""
        listed = self.world.machine.run("nft", "list", "tables").splitlines()
        return [line for line in listed if "nethook-trace" in line]

    def sh(self, script: str) -> str:
        return self.world.machine.run("sh", "-ec", script)

    def add_uplink(self, name: str) -> None:
        """Add a device that leads nowhere."""
        self.sh(f"ip link add {name} type veth peer name {name}-end; ip link set {name} up; ip link set {name}-end up")


def chains(packet: dict[str, Any]) -> list[str]:
    """The chains on the way of a packet that was found."""
    return [row["chain"] for row in packet["way"] if row["kind"] == "chain"]


def rows(packet: dict[str, Any], kind: str) -> list[str]:
    """The texts of its rows of this kind."""
    return [row["text"] for row in packet["way"] if row["kind"] == kind]
