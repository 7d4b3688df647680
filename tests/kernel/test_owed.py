"""Connections of an address that has moved are deleted, whatever goes wrong meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.waiting import wait_for
from lab.world.network import WorldPort
from lab.world.tracking import track
from tests.kernel.faults import Fault, OtherProgram
from tests.unit.machine import connection

if TYPE_CHECKING:
    from lab.world.syslog import Logged
    from lab.world.world import World

MOVED, STAYS, BOUND = "203.0.113.10", "203.0.113.17", "203.0.113.30"
FLOWS = f"- connections of {MOVED} to its former place"
DELETION = ("host/conntrack.py", "            found = _find(netlink, about)\n")
"""The file and the line at which connections are looked for, before they are deleted."""
FAULTS = {
    "the kernel refuses": "            raise ReadError('injected failure')\n",
    "it takes too long": "            time.sleep(3)\n",
    "killed": "            os.kill(os.getpid(), 9)\n",
}


class Move:
    """Two networks: an address with a connection from outside goes from a guest of the one to a guest of the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.here, self.there = world.network("here", 1), world.network("there", 2)
        self.guest, self.other = world.guest(self.here, MOVED, STAYS), world.guest(self.there)
        world.configure(f"{MOVED} here", f"{STAYS} here")
        for network in (self.here, self.there):
            world.event(network, "started")
        for address in (MOVED, STAYS):
            assert world.exchange(world.outside(4), self.guest.at(address))
        assert MOVED in self.flows

    @property
    def flows(self) -> str:
        """The connections that the kernel tracks."""
        return self.world.machine.run("conntrack", "-L")

    @property
    def noted(self) -> str:
        """The files that note what is owed."""
        return self.world.machine.run("find", "/run/nethook", "-name", "owed*")

    def move(self, *lines: str) -> list[Logged]:
        """The event with which the address moves."""
        self.world.configure(f"{MOVED} there", f"{STAYS} here", *lines)
        return self.world.event(self.there, "port-created", port=WorldPort("web1", self.other.mac))

    def check(self) -> None:
        """It has moved, with no connection from before, and nothing is left to be done."""
        assert MOVED not in self.flows
        assert STAYS in self.flows
        assert self.noted == ""
        self.other.add(MOVED)
        assert self.world.exchange(self.world.outside(4), self.other.at(MOVED))
        assert self.world.event(self.there, "updated") == []


@pytest.fixture
def move(nftables_world: World) -> Move:
    return Move(nftables_world)


def test_where_binding_fails(move: Move) -> None:
    """Which is what guest= does on a host whose nft is too old for it."""
    fault = Fault(move.world.machine, ["nft"], "too old to bind")
    logged = [line.text for line in move.move(f"{BOUND} there guest=web1")]
    assert [text for text in logged if text.startswith(FLOWS)]
    assert MOVED not in move.flows
    assert move.noted == ""
    fault.mend()
    move.world.event(move.there, "updated")
    move.check()


def test_where_the_run_is_killed_behind_the_tables(move: Move) -> None:
    fault = Fault(move.world.machine, ["nft"], "kill -9 when it has written")
    move.move()
    assert fault.was_hit
    fault.mend()
    wait_for(lambda: not move.world.machine.processes(), "no process is left behind")
    assert MOVED in move.flows
    logged = [line.text for line in move.world.event(move.here, "port-created")]
    assert [text for text in logged if text.startswith(FLOWS)], "any network's event does it"
    move.world.event(move.there, "updated")
    move.check()


@pytest.mark.parametrize("what", FAULTS)
def test_where_they_cannot_be_deleted(move: Move, what: str) -> None:
    fault = OtherProgram(move.world.machine, *DELETION, FAULTS[what] + DELETION[1])
    logged = move.move()
    assert [line for line in logged if line.is_error]
    fault.mend()
    assert MOVED in move.flows
    wait_for(lambda: not move.world.machine.processes(), "no process is left behind")
    logged = move.world.event(move.here, "port-created")
    assert [line for line in logged if line.text.startswith(FLOWS)]
    move.check()


def test_where_it_cannot_be_noted(move: Move) -> None:
    move.world.machine.run("sh", "-c", "cat /dev/zero >/run/full; :", check=False)
    logged = move.move()
    errors = [line.text for line in logged if line.is_error]
    assert [text for text in errors if "note" in text and "No space left on device" in text]
    assert [line for line in logged if line.text.startswith(FLOWS)]
    assert MOVED not in move.flows
    move.world.machine.run("rm", "/run/full")
    move.world.event(move.there, "updated")
    move.check()


def test_what_takes_too_long_goes_on_with_the_next_run(move: Move) -> None:
    """A file is paid in parts: those that are done are not done again. A busy machine may need more than one run."""

    def left() -> int:
        return len(move.world.machine.run("sh", "-c", "cat /run/nethook/owed*", check=False).split())

    addresses = [MOVED, *(f"203.0.113.{number}" for number in range(100, 120))]
    lines = [f"{address} here" for address in addresses]
    move.world.configure(*lines, f"{STAYS} here")
    move.world.event(move.here, "updated")
    with move.world.host.entered():
        track(connection("192.0.2.1", address) for address in addresses)
    late = "time.monotonic() > deadline"
    fault = OtherProgram(move.world.machine, DELETION[0], late, f"sum(counts.values()) >= 5 or {late}")
    move.world.configure(*(line.replace("here", "there") for line in lines), f"{STAYS} here")
    logged = move.world.event(move.there, "updated")
    assert [line for line in logged if line.is_error]
    before = left()
    assert 0 < before < len(addresses)
    fault.mend()
    while before:
        move.world.event(move.here, "port-created")
        before, earlier = left(), before
        assert before < earlier
    move.check()


@pytest.mark.parametrize("content", ["\0\0\0", "-x\n$(y) /\n", "virbr1 5"])
def test_a_note_that_is_none(nftables_world: World, content: str) -> None:
    """It is not tried and logged at each event from then on, and what is right in it is done."""
    move = Move(nftables_world)
    nftables_world.machine.write("/run/nethook/owed.1.2", content)
    assert nftables_world.event(move.there, "updated") == []
    nftables_world.machine.write("/run/nethook/owed.1.2", f"{content}\n{MOVED}\n")
    nftables_world.event(move.there, "updated")
    assert MOVED not in move.flows
    assert move.noted == ""
