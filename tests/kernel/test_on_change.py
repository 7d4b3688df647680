"""The program of `on-change` is told which addresses came and went, by events and verbs, and cannot do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.verbs import tell_libvirt, verb
from lab.world.world import SETTINGS

if TYPE_CHECKING:
    from lab.world.network import WorldNetwork
    from lab.world.world import World

PROGRAM = "/etc/nethook/on-change"
TOLD = "/run/told"
WRITES = f"#!/bin/sh\n[ $# = 0 ] && cat >>{TOLD}\n"
ADDED = "add 203.0.113.10 {0}\nadd 203.0.113.16/29 {0}\n"


@pytest.fixture
def network(world: World) -> WorldNetwork:
    found = world.network("public", 1)
    world.configure("203.0.113.10 public", "203.0.113.16/29 public")
    world.machine.write(SETTINGS, f"on-change = {PROGRAM}\n")
    return found


def has(world: World, program: str, mode: str = "755") -> None:
    """Have this program there."""
    world.machine.write(PROGRAM, program)
    world.machine.run("chmod", mode, PROGRAM)


def told(world: World) -> str:
    """What the program has read since this was asked last."""
    text = world.machine.run("sh", "-c", f"cat {TOLD}; rm -f {TOLD}", check=False)
    return "".join(sorted(text.splitlines(keepends=True)))


def test_it_is_told_what_came_and_went(world: World, network: WorldNetwork) -> None:
    has(world, WRITES)
    world.event(network, "started")
    added = ADDED.format(network.bridge)
    assert told(world) == added
    world.event(network, "started")
    assert told(world) == ""
    world.configure("203.0.113.16/29 public")
    tell_libvirt(world, network)
    assert verb(world, "apply").returncode == 0
    assert told(world) == f"remove 203.0.113.10 {network.bridge}\n"
    verb(world, "clear", "--yes")
    assert told(world) == f"remove 203.0.113.16/29 {network.bridge}\n"


def test_it_is_told_when_the_network_stops(world: World, network: WorldNetwork) -> None:
    """Its routes go with the bridge, before the event: somebody else may have the addresses now."""
    has(world, WRITES)
    world.event(network, "started")
    added = ADDED.format(network.bridge)
    assert told(world) == added
    world.destroy(network)
    world.event(network, "stopped")
    assert told(world) == added.replace("add", "remove")
    world.event(network, "stopped")
    assert told(world) == ""


@pytest.mark.parametrize(
    ("program", "mode", "said"),
    [
        ("#!/bin/sh\necho no >&2; exit 7\n", "755", f"on-change: `{PROGRAM}` failed with exit status 7: no"),
        ("#!/bin/sh\nexec sleep 60\n", "755", f"on-change: `{PROGRAM}` did not end in time and was killed"),
        (WRITES, "644", f"on-change: {PROGRAM} is not executable"),
        (WRITES, "757", f"on-change: the program was not run: {PROGRAM}: users other than root may write to it; run: "),
        ("", "", f"on-change: there is no program {PROGRAM}"),
    ],
)
def test_its_failure_is_logged_and_no_other(
    program: str, mode: str, said: str, world: World, network: WorldNetwork
) -> None:
    if program:
        has(world, program, mode)
    logged = world.event(network, "started")
    assert [each.text for each in logged if each.is_error and each.text.startswith(said)]
    assert len([each for each in logged if each.is_error]) == 1
    assert "203.0.113.10 dev" in world.machine.run("ip", "route", "show", "proto", "218")
    assert told(world) == ""
