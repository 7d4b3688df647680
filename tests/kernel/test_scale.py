"""Many addresses: what an event cannot do in its time, `nethook apply` does. ``bench/scale.py`` measures."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from lab.world.world import SOURCE
from nethook.engine.run import MOST_BY_EVENT
from tests.kernel.faults import OtherProgram

if TYPE_CHECKING:
    from lab.world.world import World

SECONDS = 180
APPLY = f"""
import sys
sys.path.insert(0, "{SOURCE}")
from nethook.engine.situation import limited_host
from nethook.config import load
from nethook.libvirt import Network
from nethook.engine.run import reconcile
from nethook.engine.snapshot import Question
from nethook.placement.scope import Scope
up = [Network("public", "virbr1", "nat")]
host = limited_host()
with host.locked():
    outcome = reconcile(Question(load(host), up, Scope(known=up), host, is_thorough=True))
sys.exit("\\n".join(outcome.failures) or 0)
"""
"""What the verb does when libvirt has told it of its networks, which these hosts do not have."""


def routed(world: World) -> int:
    """How many addresses are routed to the bridge."""
    return world.machine.run("ip", "route", "show", "dev", "virbr1", "proto", "218").count("\n")


def apply(world: World) -> None:
    argv = world.machine.command(["/usr/bin/python3", "-I", "-c", APPLY])
    subprocess.run(argv, check=True, timeout=SECONDS)


def addresses(number: int) -> list[str]:
    """So many lines of addresses for the network."""
    return [f"198.18.{at // 250}.{at % 250} public" for at in range(number)]


def test_more_new_addresses_than_an_event_has_time_for(nftables_world: World) -> None:
    world = nftables_world
    # A busy machine has less time for more.
    OtherProgram(world.machine, "engine/run.py", f"MOST_BY_EVENT = {MOST_BY_EVENT:_}\n", "MOST_BY_EVENT = 500\n")
    network = world.network("public", 1)
    last = "203.0.113.10"
    guest = world.guest(network, last)
    world.configure(*addresses(500), f"{last} public")
    (error,) = world.event(network, "started")
    assert error.is_error
    assert error.text.startswith("network public started: nothing was changed: 501 new addresses are more than")
    assert error.text.endswith("run `nethook apply`")
    assert routed(world) == 0
    apply(world)
    assert routed(world) == 501
    assert world.exchange(world.outside(4), guest.at(last))
    assert world.event(network, "port-created") == []


def test_apply_has_the_time(nftables_world: World) -> None:
    world = nftables_world
    guest = world.guest(world.network("public", 1), "203.0.113.10")
    world.configure(*addresses(MOST_BY_EVENT), "203.0.113.10 public")
    apply(world)
    assert routed(world) == MOST_BY_EVENT + 1
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
    world.configure("203.0.113.10 public")
    apply(world)
    assert routed(world) == 1
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
