"""Events of three networks and five guests in any order, also between those of others: the end is the same.

libvirt holds a network locked while the hook handles one of its events. So the parts of what happens to one network
come one after the other, and those of several in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from lab.world.network import WorldPort
from tests.unit.machine import World
from tests.unit.scenarios import LONELY, PUBLIC, ROUTED, Scenario, world_of
from tests.unit.state import foreign, ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.world.network import WorldNetwork

    Part = Callable[[], object]

NETWORKS = (PUBLIC, ROUTED, LONELY)
GUESTS = {
    PUBLIC: [WorldPort("web1", "52:54:00:00:01:02"), WorldPort("db", "52:54:00:00:01:03")],
    ROUTED: [WorldPort("web2", "52:54:00:00:02:02"), WorldPort("db", "52:54:00:00:02:03")],
    LONELY: [WorldPort("web3", "52:54:00:00:03:02")],
}
FILES = (
    (
        "203.0.113.0/27 public",
        "203.0.113.10 public guest=web1",
        "203.0.113.16/29 public guest=db",
        "203.0.113.17 routed guest=web2",
        "2001:db8:7::/64 routed",
        "2001:db8:7::10 public guest=web1",
        "203.0.113.50 lonely guest=web3",
    ),
    (
        "203.0.113.10 routed",
        "203.0.113.16/29 routed guest=db",
        "2001:db8:7::10 routed guest=web2",
        "203.0.113.60 public",
    ),
)


class Life:
    """What happens to one network: parts of what is going on, one at a time."""

    def __init__(self, world: World, network: WorldNetwork) -> None:
        self._world = world
        self._network = network
        self._left: list[Part] = []

    def go_on(self, choice: int) -> None:
        """Do the next part; where nothing is going on, begin something that is possible."""
        if not self._left:
            self._left = list(self._begin(choice))
        self._left.pop(0)()

    def end(self) -> None:
        """Do all parts that are left, and have libvirt tell that the network is as it is."""
        while self._left:
            self._left.pop(0)()
        if self._network.name in self._world.up:
            self._event("updated")()

    def _begin(self, choice: int) -> Iterator[Part]:
        world, network = self._world, self._network
        if network.name not in world.up:
            yield self._event("start")
            yield lambda: world.bring_up(network)
            yield self._event("started")
            return
        guests = GUESTS[network]
        if choice >= len(guests):
            yield lambda: world.take_down(network)
            yield self._event("stopped")
            return
        port = guests[choice]
        if port in world.ports[network.name]:
            yield lambda: world.pull(network, port)
            yield self._event("port-deleted", port)
        else:
            yield lambda: world.announce(network, port)
            yield self._event("port-created", port)
            yield lambda: world.put_in(network, port)

    def _event(self, operation: str, port: WorldPort | None = None) -> Part:
        def happen() -> None:
            assert self._world.event(self._network, operation, port) == []
            self._world.known.add(self._network.bridge)

        return happen


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40), st.lists(st.integers(0, 40), max_size=3))
def test_the_end_is_the_same(parts: list[tuple[int, int]], edits: list[int]) -> None:
    world = world_of(Scenario(FILES[0]))
    of_others = foreign(world.host)
    assert world.apply() == []  # as at boot
    lives = [Life(world, network) for network in NETWORKS]
    written = 0
    for number, (which, choice) in enumerate(parts):
        if number in edits:
            written = 1 - written
            world.configure(*FILES[written])
        lives[which].go_on(choice)
    for life in lives:
        life.end()
    assert world.broken == set()
    state = ours(world.host)
    assert world.apply() == []
    if not edits:  # an event decides about the lines of its network alone
        assert ours(world.host) == state, "apply agrees with the events"
    state = ours(world.host)
    assert world.clear() == []
    assert world.apply() == []
    assert ours(world.host) == state, "apply agrees, where nothing was there before"
    for network in NETWORKS:
        if network.name in world.up:
            world.take_down(network)
            assert world.event(network, "stopped") == []
    assert world.clear() == []
    chains = {chain for chain, _ in of_others["chains"]}
    left = foreign(world.host)
    left["chains"] = [each for each in left["chains"] if each[0] in chains]
    assert left == of_others
