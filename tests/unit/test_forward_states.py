"""The state of lines of forwarded-ports: never ``forwarded`` where something of ours is missing in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.engine.plan import decide
from nethook.engine.snapshot import Question
from nethook.parts.forwards.ruleset import FAMILIES, SETS
from nethook.parts.forwards.wanted import OF_BRIDGES
from nethook.placement.scope import Scope
from nethook.status.forward_states import forward_states
from tests.unit.scenarios import SCENARIOS, steps_of, world_of

if TYPE_CHECKING:
    from tests.unit.machine import World


def running() -> World:
    """The world of all kinds of lines, with guests that run."""
    world = world_of(SCENARIOS["forwards"])
    for step in steps_of(SCENARIOS["forwards"]):
        if step.name.startswith("port-deleted"):
            break
        step.before(world)
        assert step.act(world) == []
    return world


def states(world: World) -> set[str]:
    """The states of all lines."""
    up = world.networks()
    plan = decide(Question(world.configuration, up, Scope(known=up), world.host, is_thorough=True))
    return {each.state for each in forward_states(plan, (), world.host)}


@pytest.mark.parametrize("family", FAMILIES.values())
@pytest.mark.parametrize("name", sorted(SETS[4].keys() - OF_BRIDGES))
def test_a_line_whose_element_is_missing_is_not_forwarded(name: str, family: str) -> None:
    world = running()
    assert states(world) == {"forwarded"}
    elements = world.host.nftables.tables[family, "nethook"].sets[name].elements
    if elements:
        del elements[min(elements)]
        assert states(world) == {"forwarded", "not applied"}


@pytest.mark.parametrize("family", FAMILIES.values())
def test_no_line_is_forwarded_without_our_rules(family: str) -> None:
    world = running()
    world.host.nftables.tables[family, "nethook"].chains["ours"].rules.pop()
    assert states(world) == {"forwarded", "not applied"}
    del world.host.nftables.tables[family, "nethook"]
    assert states(world) == {"forwarded", "not applied"}
