"""The whole of what is ours in the kernel: after an address was set up, when nothing has changed, and after removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel import golden, listings
from tests.kernel.scenario import LINES, Scenario
from tests.kernel.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.world import World


@pytest.fixture
def scenario(world: World) -> Scenario:
    return Scenario(world)


@pytest.fixture
def watch(scenario: Scenario) -> Iterator[Watch]:
    made = Watch(scenario.world.host)
    yield made
    made.close()


def firewall(request: pytest.FixtureRequest) -> str:
    """The name of the firewall that the test runs with."""
    return str(request.node.callspec.params["world"])


def test_set_up_and_stopped(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    foreign = listings.foreign(scenario.machine)
    scenario.event("started")
    golden.check(firewall(request), listings.ours(scenario.machine))
    scenario.event("stopped")
    stopped = listings.listing(scenario.machine)
    golden.check(f"{firewall(request)}-stopped", stopped.ours)
    assert stopped.foreign == foreign


@pytest.mark.parametrize("operation", ["started", "port-created", "port-deleted", "updated", "plugged", "unplugged"])
def test_each_event_of_a_running_network_sets_up_the_same(
    scenario: Scenario, operation: str, request: pytest.FixtureRequest
) -> None:
    scenario.event(operation)
    assert listings.ours(scenario.machine) == golden.golden(firewall(request))
    assert scenario.silent() == []


def test_a_second_run_writes_nothing(scenario: Scenario, watch: Watch) -> None:
    scenario.event("started")
    assert watch.has_seen_routes()
    assert watch.has_seen_nftables()
    before = listings.listing(scenario.machine)
    for operation in ("started", "port-created", "updated"):
        assert scenario.event(operation) == []
    assert not watch.has_seen_routes()
    assert not watch.has_seen_nftables()
    assert listings.listing(scenario.machine) == before


def test_a_second_stop_writes_nothing(scenario: Scenario, watch: Watch) -> None:
    for operation in ("started", "stopped"):
        scenario.event(operation)
    assert watch.has_seen_nftables()
    assert watch.has_seen_routes()
    assert scenario.event("stopped") == []
    assert not watch.has_seen_routes()
    assert not watch.has_seen_nftables()


@pytest.mark.parametrize("operation", ["start", "started", "stopped", "port-created"])
def test_without_a_configuration_only_the_networks_are_noted(scenario: Scenario, operation: str) -> None:
    """A network without routed IPs may still be where a forged packet comes from."""
    scenario.world.configure("# nothing yet")
    foreign = listings.foreign(scenario.machine)
    scenario.event(operation)
    assert listings.foreign(scenario.machine) == foreign
    assert listings.routes(scenario.machine) == []
    assert listings.gates(scenario.machine) == []
    assert ("virbr1" in listings.table(scenario.machine)) == (operation != "stopped")


def test_a_line_less_takes_away_no_more_than_itself(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    scenario.world.configure(*LINES, "203.0.113.77 public")
    scenario.event("started")
    assert "203.0.113.77" in listings.ours(scenario.machine)
    scenario.world.configure(*LINES)
    logged = scenario.event("port-created")
    assert [line.text.partition(" [")[0] for line in logged] == [
        "- route 203.0.113.77 → virbr1",
        "- fallback route 203.0.113.77",
        "- accept 203.0.113.77 on virbr1",
    ]
    assert listings.ours(scenario.machine) == golden.golden(firewall(request))
