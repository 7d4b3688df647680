"""A host with one network and a routed thing of every sort on it: what many tests start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.world.syslog import Logged
    from lab.world.world import World

NAME = "public"
LINES = (
    "203.0.113.10 public",
    "203.0.113.16/29 public",
    "2001:db8:7::10 public",
    "2001:db8:7:1::/64 public",
)
ADDRESSES = ("203.0.113.10", "203.0.113.17", "2001:db8:7::10", "2001:db8:7:1::1")


class Scenario:
    """Network ``public`` runs with a guest that has all of this; libvirt has not yet called the hook."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machine = world.machine
        self.network = world.network(NAME, 1)
        self.guest = world.guest(self.network, *ADDRESSES)
        world.configure(*LINES)

    def event(self, operation: str) -> list[Logged]:
        """An event of the network. The hook has to end well; returns what it logged."""
        return self.world.event(self.network, operation)

    def silent(self) -> list[str]:
        """The addresses that do not answer to the outside."""
        return [
            address
            for address in ADDRESSES
            if not self.world.exchange(self.world.outside(6 if ":" in address else 4), self.guest.at(address))
        ]
