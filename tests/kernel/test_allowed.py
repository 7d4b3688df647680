"""What is allowed, and nothing else: the table of the design, row by row, with packets.

The rows share a host for each firewall, because they change nothing there. A guest is named by its network: ``nat`` is
the routed address of the guest on network nat, ``nat private`` its private one, ``nat as route`` the routed address of
the guest on network route, forged by that on nat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.firewalls import FIREWALLS
from lab.world.network import ISOLATED
from lab.world.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.packets import Place
    from lab.world.world import WorldGuest

YES = True
NO = False

TABLE = [
    ("outside", "nat", YES),
    ("outside", "route", YES),
    ("outside", "open", YES),
    ("outside", "isolated", YES),
    ("nat", "outside", YES),
    ("route", "outside", YES),
    ("open", "outside", YES),
    ("isolated", "outside", YES),
    ("nat", "host", YES),
    # routed to routed, on one network and across
    ("nat", "nat neighbour", YES),
    ("nat", "other nat", YES),
    ("nat", "route", YES),
    ("nat", "open", YES),
    ("nat", "isolated", YES),
    ("route", "nat", YES),
    ("open", "nat", YES),
    ("isolated", "nat", YES),
    # who may reach the internet may reach this part of it
    ("nat private", "nat neighbour", YES),
    ("nat private", "other nat", YES),
    ("nat private", "route", YES),
    ("nat private", "open", YES),
    ("nat private", "isolated", YES),
    ("route private", "nat", YES),
    ("open private", "nat", YES),
    ("open private", "other open", YES),
    # isolated stays isolated, beside its routed address
    ("isolated private", "nat", NO),
    ("isolated private", "route", NO),
    ("isolated private", "open", NO),
    ("isolated private", "outside", NO),
    ("other isolated private", "nat", NO),
    ("other isolated private", "isolated", NO),
    # a routed address opens nothing that libvirt closes
    ("nat", "other nat private", NO),
    ("nat", "isolated private", NO),
    ("route", "nat private", NO),
    ("open", "nat private", NO),
    ("isolated", "nat private", NO),
    ("isolated", "other isolated private", NO),
    ("outside", "nat private", NO),
    ("outside", "isolated private", NO),
    # an address that nobody configured
    ("outside", "nat unconfigured", NO),
    ("outside", "isolated unconfigured", NO),
    ("nat unconfigured", "outside", NO),
    ("nat unconfigured", "route", NO),
    ("open unconfigured", "nat", NO),
    ("isolated unconfigured", "nat", NO),
    # the routed address of another network, forged
    ("nat as route", "outside", NO),
    ("nat as route", "other nat", NO),
    ("nat as route", "host", NO),
    ("open as route", "outside", NO),
    ("open as route", "nat", NO),
    ("open as route", "other open private", NO),
    ("open as route", "host", NO),
    ("isolated as nat", "outside", NO),
    ("isolated as nat", "route", NO),
    ("isolated as nat", "host", NO),
    ("other isolated as nat", "route", NO),
    ("other isolated as nat", "host", NO),
    # a private address of another network, or somebody's on the internet, forged
    ("nat as route private", "other nat", NO),
    ("isolated as nat private", "nat", NO),
    ("isolated as nat private", "route", NO),
    ("open as nat private", "route", NO),
    ("open as nat private", "other open", NO),
    ("open unconfigured", "other open", NO),
    ("nat as outside", "route", NO),
    ("isolated as outside", "nat", NO),
    ("open as outside", "nat", NO),
    # a reply opens no way for new connections: the other direction of rows that are allowed
    ("route", "other nat private", NO),
]


class Case(NamedTuple):
    """The host of a table, and which of the two kinds of routed things it has."""

    world: World
    guests: dict[str, WorldGuest]
    blocks: dict[str, int]

    def place(self, description: str, family: int) -> Place:
        """Where that is."""
        if description == "outside":
            return self.world.outside(family)
        if description == "host":
            return self.world.host_itself(family)
        who, _, forged = description.partition(" as ")
        if forged:
            return self.place(f"{who} private", family).forging(self.place(forged, family).address)
        for kind in (" private", " unconfigured"):
            if description.endswith(kind):
                guest = self.guests[description[: -len(kind)]]
                private = guest.private(family)
                return private if kind == " private" else guest.at(unconfigured(guest, family))
        return self.guests[description].at(routed(self.blocks[description], family))


def routed(block: int, family: int) -> str:
    """The routed address that is in use of block 1 … 7."""
    return f"203.0.113.{16 * block + 1}" if family == 4 else f"2001:db8:7:{block}::1"


def prefix(block: int, family: int) -> str:
    """The whole block."""
    return f"203.0.113.{16 * block}/28" if family == 4 else f"2001:db8:7:{block}::/64"


def unconfigured(guest: WorldGuest, family: int) -> str:
    """An address that comes to the host, and that the guest uses without being allowed to."""
    number = guest.network.number
    return f"203.0.113.{240 + number}" if family == 4 else f"2001:db8:7:ffff::{number}"


@pytest.fixture(scope="module", params=["addresses", "prefixes"])
def kind(request: pytest.FixtureRequest) -> str:
    """Whether single addresses are routed, or prefixes that they are in."""
    return str(request.param)


@pytest.fixture(scope="module", params=FIREWALLS)
def case(request: pytest.FixtureRequest, kind: str) -> Iterator[Case]:
    """A host with all kinds of networks, after libvirt has reported their start."""
    world = World(FIREWALLS[request.param])
    networks = {
        name: world.network(name, number, mode)
        for number, (name, mode) in enumerate(
            (
                ("nat", "nat"),
                ("other nat", "nat"),
                ("route", "route"),
                ("open", "open"),
                ("other open", "open"),
                ("isolated", ISOLATED),
                ("other isolated", ISOLATED),
            ),
            start=1,
        )
    }
    networks["nat neighbour"] = networks["nat"]
    without_routed = "other isolated"
    blocks = {name: block for block, name in enumerate((name for name in networks if name != without_routed), start=1)}
    guests = {}
    lines = []
    for name, network in networks.items():
        block = blocks.get(name)
        addresses = [routed(block, family) for family in (4, 6)] if block else []
        guest = guests[name] = world.guest(network, *addresses)
        if name != "nat neighbour":  # a receiver would drop what claims to come from itself
            guest.add(unconfigured(guest, 4), unconfigured(guest, 6))
        if block:
            chosen = addresses if kind == "addresses" else [prefix(block, family) for family in (4, 6)]
            lines += [f'{item} "{network.name}"' for item in chosen]
    world.configure(*lines)
    for network in dict.fromkeys(networks.values()):
        assert not [line for line in world.event(network, "started") if line.is_error]
    yield Case(world, guests, blocks)
    world.close()


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("source", "destination", "allowed"),
    TABLE,
    ids=[f"{source} to {destination}: {'yes' if allowed else 'no'}" for source, destination, allowed in TABLE],
)
def test_row(case: Case, family: int, source: str, destination: str, *, allowed: bool) -> None:
    sender = case.place(source, family)
    receiver = case.place(destination, family)
    if allowed:
        seen_as = case.world.exchange(sender, receiver)
        assert seen_as is not None
        if source in case.blocks:
            assert seen_as == sender.address, "a routed address is seen as itself, not as the host's"
    else:
        assert not case.world.reaches(sender, receiver)
