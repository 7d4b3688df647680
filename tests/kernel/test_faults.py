"""The same scenario once for each way in which each tool can fail.

Whatever fails: libvirt sees a hook that ended well, no process stays behind, a failed read changes nothing, what could
not be done is in syslog, and the next event brings about what should be.

Here a real process fails. Every call of every scenario does on the fake host: tests/unit/test_event_faults.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.waiting import wait_for
from lab.world.world import World
from tests.kernel import listings
from tests.kernel.faults import EVERY_CALL, TOOLS, Fault, Missing
from tests.kernel.golden import golden
from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

FIREWALL = "iptables-nft"  # with it, all tools are used

# How often each tool is called, and how many of its calls, the first ones, only read.
CALLS = {
    "started": {
        "nft": (1, 0),
        "ip": (1, 0),
        "iptables-nft": (1, 1),
        "iptables-nft-restore": (1, 0),
        "ip6tables-nft": (1, 1),
        "ip6tables-nft-restore": (1, 0),
    },
    "stopped": {
        "nft": (1, 0),
        "ip": (3, 0),
        "iptables-nft": (1, 1),
        "ip6tables-nft": (1, 1),
    },
}
# A host with libvirt's nftables backend need not have them; with the other backend libvirt itself cannot do without.
MAY_BE_MISSING = ("iptables-nft", "ip6tables-nft")
FAILING = [
    *(
        ("started", tool, call)
        for tool, (calls, _) in CALLS["started"].items()
        for call in sorted({EVERY_CALL if calls > 1 else 1, 1, calls})
    ),
    *(("stopped", tool, CALLS["stopped"][tool][0]) for tool in ("nft", "ip")),
]
"""Of each tool the first call, which reads if any does, the last one, which writes if any does, and all of them."""
GOLDEN = {"started": FIREWALL, "stopped": f"{FIREWALL}-stopped"}
NEXT = {"started": "port-created", "stopped": "stopped"}


class Run:
    """A host on which the event ``operation`` comes next."""

    def __init__(self, world: World, operation: str) -> None:
        self.machine = world.machine
        self.scenario = Scenario(world)
        self.operation = operation
        if operation == "stopped":
            self.scenario.event("started")
        self.before = listings.listing(self.machine)

    @property
    def done(self) -> str:
        """What is ours when all is well."""
        return golden(GOLDEN[self.operation])

    def check_what_is_left(self) -> str:
        """After the failure. Returns what is ours."""
        left = listings.listing(self.machine)
        assert left.foreign == self.before.foreign
        wait_for(lambda: not self.machine.processes(), "no process is left behind")
        return left.ours

    def check_that_the_next_event_mends_it(self) -> None:
        """Without the failure."""
        logged = self.scenario.event(NEXT[self.operation])
        assert not [line for line in logged if line.is_error]
        assert listings.ours(self.machine) == self.done
        assert self.scenario.event(NEXT[self.operation]) == []
        if self.operation == "started":
            assert self.scenario.silent() == []


@contextmanager
def world_of(firewall: str) -> Iterator[World]:
    world = World(FIREWALLS[firewall])
    try:
        yield world
    finally:
        world.close()


@contextmanager
def run_of(operation: str) -> Iterator[Run]:
    with world_of(FIREWALL) as world:
        yield Run(world, operation)


@pytest.fixture
def start() -> Iterator[Run]:
    with run_of("started") as run:
        yield run


@pytest.mark.parametrize("operation", CALLS)
def test_these_are_all_calls(operation: str) -> None:
    with run_of(operation) as run:
        tools = Fault(run.machine, TOOLS, "nothing")
        run.scenario.event(operation)
        assert tools.calls == {tool: calls for tool, (calls, _) in CALLS[operation].items()}


def test_an_event_that_finds_nothing_to_do_starts_no_tool() -> None:
    with world_of("libvirt-nftables") as world:
        scenario = Scenario(world)
        scenario.event("started")
        tools = Fault(world.machine, TOOLS, "nothing")
        assert scenario.event("port-created") == []
        assert not tools.calls
        tools.mend()
        world.machine.run("iptables-nft", "-P", "FORWARD", "ACCEPT")  # which makes the table
        tools = Fault(world.machine, TOOLS, "nothing")
        assert scenario.event("port-created") == []
        assert tools.calls == {"iptables-nft": 1}


def fail(operation: str, tool: str, call: int, kind: str) -> None:
    """One run with one failure, and what comes after it."""
    with run_of(operation) as run:
        fault = Fault(run.machine, [tool], kind, call)
        logged = run.scenario.event(operation)
        assert fault.was_hit
        assert logged
        fault.mend()
        left = run.check_what_is_left()
        _, reads = CALLS[operation][tool]
        if call in range(1, reads + 1) or (call == EVERY_CALL and reads):
            assert left == run.before.ours, "a failed read changes nothing"
            assert [line for line in logged if line.is_error]
        elif kind != "garbage":  # nobody can know that what ended with exit status 0 did nothing
            assert left == run.done or [line for line in logged if line.is_error], "not done, and nobody is told"
        run.check_that_the_next_event_mends_it()


@pytest.mark.parametrize(("operation", "tool", "call"), FAILING)
@pytest.mark.parametrize("kind", ["exit 1", "garbage"])
def test_a_tool_fails(operation: str, tool: str, call: int, kind: str) -> None:
    fail(operation, tool, call, kind)


def test_what_is_not_let_in_is_not_routed_either(start: Run) -> None:
    fault = Fault(start.machine, ["nft"], "exit 1 if it writes")
    logged = start.scenario.event("started")
    fault.mend()
    assert [line for line in logged if line.is_error]
    assert listings.ours(start.machine) == start.before.ours
    start.check_that_the_next_event_mends_it()


def test_a_tool_hangs() -> None:
    """All of them at once, because each takes the seconds that a tool is given."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        hangs = [pool.submit(fail, operation, tool, call, "hang") for operation, tool, call in FAILING]
    for hang in hangs:
        hang.result()


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool not in MAY_BE_MISSING])
def test_a_tool_is_missing(start: Run, tool: str) -> None:
    missing = Missing(start.machine, tool)
    logged = start.scenario.event("started")
    assert [line for line in logged if line.is_error and tool in line.text]
    missing.mend()
    start.check_what_is_left()
    start.check_that_the_next_event_mends_it()


@pytest.mark.parametrize("tool", MAY_BE_MISSING)
def test_a_host_without_iptables_needs_no_gate_in_it(tool: str) -> None:
    with world_of("libvirt-nftables") as world:
        scenario = Scenario(world)
        Missing(world.machine, tool)
        assert not [line for line in scenario.event("started") if line.is_error]
        assert scenario.silent() == []


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("kind", ["kill -9 before", "kill -9 after"])
def test_the_hook_is_killed_when_it_starts_a_tool(start: Run, kind: str, tool: str) -> None:
    """Its last call, which writes where the tool writes at all."""
    fault = Fault(start.machine, [tool], kind, CALLS["started"][tool][0])
    logged = start.scenario.event("started")
    assert fault.was_hit
    assert [line for line in logged if line.is_error]
    wait_for(lambda: not start.machine.processes(), "no process is left behind")
    fault.mend()
    start.check_what_is_left()
    start.check_that_the_next_event_mends_it()
