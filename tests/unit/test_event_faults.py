"""The life of networks, once for each way in which each thing that an event asks of the host can go wrong.

Whatever goes wrong: what is of others stays as it is, nothing is ever routed to where it is not let in, no isolated
network passes for the outside (``World.check``, at each moment), what is not done is said, and the same event again, or
``apply``, ends where it would have ended without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nethook.engine.run import APPLIED, TALLY
from nethook.host.fake import Fault
from nethook.host.fake.machine import IPTABLES
from tests.unit.machine import World
from tests.unit.scenarios import SCENARIOS, Step, steps_of, world_of
from tests.unit.state import foreign, ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALL_THAT_IS_READ = {"plain", "iptables-legacy", "proxy", "guests", "isolated first", "IPv6 is off"}
"""The scenarios in which anything is read that is not read in others; a failed read is tried in these alone."""
KILLS = {Fault.KILLS_BEFORE, Fault.KILLS_AFTER}
COUNTED = f"record {TALLY}"
NOT_COUNTED = f"cannot count this run in {TALLY}: Input/output error"
OF_THE_KERNEL = {"addresses", "chain", "existence", "neighbours", "proxies", "routes", "routing", "sockets", "table"}
"""The first words of what a run reads of the kernel without a tool, before it changes anything."""


def after(world: World, act: Callable[[World], list[str]]) -> World:
    """Return the world after this."""
    made = world.copy()
    act(made)
    return made


class Expected:
    """What a step leads to when nothing goes wrong: at once, and when ``apply`` comes behind it."""

    def __init__(self, world: World, step: Step) -> None:
        self.of_others = foreign(world.host)
        self.done = after(world, step.act)
        self.touched = list(self.done.host.touched)
        self.at_once = ours(self.done.host)
        self.applied = ours(after(self.done, World.apply).host)
        self.seen: set[str] = set()
        """What was left after some fault."""

    def faults(self, *, of_reads: bool) -> Iterator[tuple[int, Fault]]:
        """Yield the faults, each with the number of its touch."""
        yield 1, Fault.KILLS_BEFORE
        for number, touch in enumerate(self.touched, 1):
            if touch.changes or of_reads:
                yield from ((number, fault) for fault in touch.faults)


def mistakes(world: World, step: Step, number: int, fault: Fault, expected: Expected) -> Iterator[str]:
    """Yield what is wrong after this fault."""
    world.host.faults = {number: fault}
    said = step.act(world)
    world.host.faults = {}
    if len(world.host.touched) < number:
        yield "it did not come to that"
    of_others = foreign(world.host)
    if of_others != expected.of_others:
        yield f"what is of others has changed: {difference(of_others, expected.of_others)}"
    if fault is not Fault.GARBAGE:  # nobody can know that what ended with exit status 0 did nothing
        yield from world.broken
    left = ours(world.host)
    if left != expected.at_once and not said and fault not in KILLS | {Fault.GARBAGE}:
        yield "not done, and nobody is told"
    touch = expected.touched[number - 1]
    if not touch.changes and (touch.by_tool or touch.what.split()[0] in OF_THE_KERNEL):
        changed = [each.what for each in world.host.touched[number:] if each.changes and each.what != COUNTED]
        if changed or not said:
            yield f"a failed read, after which {changed} was changed, and {said} was said"
    if touch.what == COUNTED and (left != expected.at_once or {*said} - {NOT_COUNTED, "killed"}):
        yield f"a run that was not counted did less: {said}"
    texts = {path: text for path, text in world.host.files.texts.items() if path not in {TALLY, APPLIED}}
    state = repr((left, texts))
    if state not in expected.seen:  # what comes next depends on nothing else
        expected.seen.add(state)
        yield from mistakes_next(world, step, expected, was_known=fault is not Fault.GARBAGE)


def mistakes_next(world: World, step: Step, expected: Expected, *, was_known: bool) -> Iterator[str]:
    """Yield what is wrong when the same event comes again, or ``apply``."""
    again = after(world, step.act)
    if ours(again.host) != expected.at_once:
        yield f"the same event again leads elsewhere: {difference(ours(again.host), expected.at_once)}"
    applied = after(world, World.apply)
    if ours(applied.host) != expected.applied:
        yield f"apply leads elsewhere: {difference(ours(applied.host), expected.applied)}"
    if was_known:
        yield from again.broken | applied.broken


def difference(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what differs."""
    return {key: (found[key], wanted[key]) for key in wanted if found[key] != wanted[key]}


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_goes_wrong(name: str) -> None:
    world = world_of(SCENARIOS[name])
    found = []
    for step in steps_of(SCENARIOS[name]):
        step.before(world)
        expected = Expected(world, step)
        for number, fault in expected.faults(of_reads=name in ALL_THAT_IS_READ):
            where = (
                f"{step.name}: {number} of {len(expected.touched)}, {expected.touched[number - 1].what}: {fault.value}"
            )
            found += [f"{where}: {mistake}" for mistake in mistakes(world.copy(), step, number, fault, expected)]
        found += expected.done.broken
        world = expected.done
        world.known = {each.network.bridge for each in world.up.values()}
    assert not found, "\n".join(found)


@pytest.mark.parametrize("tool", ["nft", "ip", *IPTABLES, *(f"{tool}-restore" for tool in IPTABLES)])
def test_a_tool_is_missing(tool: str) -> None:
    """With iptables, whose chains libvirt itself has filled: it cannot do without."""
    scenario = SCENARIOS["iptables-legacy" if "legacy" in tool else "iptables-nft"]
    world = world_of(scenario)
    start, started, *_ = steps_of(scenario)
    start.act(world)
    started.before(world)
    wanted = ours(after(world, started.act).host)
    world.host.programs.discard(tool)
    said = started.act(world)
    if tool not in IPTABLES:
        assert [line for line in said if f"the program {tool} is not installed" in line]
    world.host.programs.add(tool)
    assert started.act(world) == []
    assert ours(world.host) == wanted
    assert world.broken == set()


@pytest.mark.parametrize("tool", IPTABLES)
def test_a_host_without_iptables_needs_no_gate_in_it(tool: str) -> None:
    world = world_of(SCENARIOS["plain"])
    world.host.programs.discard(tool)
    for step in steps_of(SCENARIOS["plain"]):
        step.before(world)
        assert step.act(world) == []
