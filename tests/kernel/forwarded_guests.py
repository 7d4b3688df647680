"""Forwarded ports on a real kernel: a network with two guests whose addresses are reserved, and servers everywhere.

The same ports are open on the host, so that an answer of the host in the guest's place is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.world.network import WorldPort
from lab.world.servers import Servers, ask
from lab.world.world import CONFIGURATION

if TYPE_CHECKING:
    from lab.world.network import WorldNetwork
    from lab.world.world import World, WorldGuest

FORWARDS = CONFIGURATION.replace("routed-ips", "forwarded-ports")
WHOLE = {4: "203.0.113.5", 6: "2001:db8:7::5"}
PORTS = (22, 53, 80, 443, 777, 2201, 5100, 25565)
WEB, DB = "web1", "db"


def at(address: str, ports: str) -> str:
    """The listening part of a line."""
    return f"[{address}]:{ports}" if ":" in address else f"{address}:{ports}"


class Forwarding:
    """A network with two guests, whose addresses are reserved, and servers everywhere."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.network("default", 1)
        self.web, self.db = world.guest(self.network), world.guest(self.network)
        self.network = self.reserving(self.web, self.db)
        world.configure()
        self._servers = [
            Servers(world.host, "host", PORTS),
            Servers(self.web.namespace, WEB, PORTS),
            Servers(self.db.namespace, DB, PORTS),
        ]

    def close(self) -> None:
        for each in self._servers:
            each.close()

    def reserving(self, web: WorldGuest, db: WorldGuest) -> WorldNetwork:
        """The network with the addresses of these guests reserved for the two."""
        reserves = []
        for name, mac, guest in ((WEB, self.web.mac, web), (DB, self.db.mac, db)):
            reserves.append((mac, guest.private(4).address))
            reserves.append((name, guest.private(6).address))
        return self.network._replace(reserves=tuple(reserves))

    def write(self, *lines: str) -> None:
        self.world.machine.write(FORWARDS, "".join(f"{line}\n" for line in lines))

    def event(self, operation: str, guest: str = "", network: WorldNetwork | None = None) -> list[str]:
        """What the hook logs."""
        macs = {WEB: self.web.mac, DB: self.db.mac}
        port = WorldPort(guest, macs[guest]) if guest else WorldPort("somebody", "52:54:00:7b:35:93")
        return [each.text for each in self.world.event(network or self.network, operation, port=port)]

    def start(self, *lines: str) -> None:
        """Both guests run."""
        self.write(*lines)
        self.event("started")
        self.event("port-created", WEB)
        self.event("port-created", DB)

    def from_outside(self, address: str, port: int, protocol: str = "tcp") -> str:
        return ask(self.world.outside(4).namespace, address, port, protocol=protocol)
