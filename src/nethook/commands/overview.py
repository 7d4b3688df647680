"""What ``nethook status`` shows, gathered: lines and their states, gates, leftovers, mistakes in the files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.commands.line_states import BLOCKED, NOT_APPLIED, line_states, states_without_root
from nethook.commands.situation import SECONDS, situation
from nethook.config import load
from nethook.effect import ADD
from nethook.firewalld.gate import WHERE
from nethook.kernel import counters, routes
from nethook.kernel.process import Tools
from nethook.reconcile import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.commands.line_states import LineState
    from nethook.config.problem import Problem
    from nethook.effect import Effect
    from nethook.gates.gate import Chain, Gate
    from nethook.kernel.routes import Route

MOST_LOOKED_UP = 100
"""For more lines than this that are not applied nobody looks who else has a route to each: they have one cause."""


class Overview:
    """``gates`` have their state each; ``leftovers`` are what apply would remove or replace."""

    def __init__(
        self,
        lines: Sequence[LineState],
        problems: Sequence[Problem],
        gates: Sequence[tuple[str, str]] = (),
        leftovers: Sequence[Effect] = (),
    ) -> None:
        self.lines = lines
        self.problems = problems
        self.gates = gates
        self.leftovers = leftovers

    @property
    def is_as_desired(self) -> bool:
        """Whether all is as the files say; a network that is not running is no difference."""
        wrong = any(line.state in {BLOCKED, NOT_APPLIED} for line in self.lines)
        return not (wrong or self.problems or self.leftovers)


def overview() -> Overview:
    """How everything is now; without root, as far as it can be read. NethookError if it cannot."""
    configuration = load()
    now = situation(configuration)
    tools = Tools(SECONDS)
    if os.geteuid() != 0:
        calls = routes.read_calls(configuration.settings.route_protocol)
        in_force = routes.parse(tools.start(calls)())
        return Overview(states_without_root(configuration.routed_ips, now.live, in_force), configuration.problems)
    plan = decide(configuration, now.up, now.scope, tools, now.others)
    states = line_states(configuration.routed_ips, now.live, plan)
    received, sent = counters.received(), counters.sent()
    for state in states:
        state.count(received, sent)
    _look_for_holders(
        [state for state in states if state.state == NOT_APPLIED],
        {(effect.prefix, effect.bridge) for effect in plan.effects if effect.kind == "route" and effect.sign == ADD},
        tools,
    )
    gates = [(gate.where, _gate_state(gate, chain)) for gate, chain in plan.chains]
    if plan.firewalld:
        gates.append((WHERE, plan.firewalld.state))
    return Overview(states, configuration.problems, gates, [effect for effect in plan.effects if effect.sign != ADD])


def _look_for_holders(states: Iterable[LineState], missing: set[Route], tools: Tools) -> None:
    """Where a route is missing because somebody else has one to the very prefix, say so."""
    lacking = [state for state in states if state.route in missing]
    if not lacking or len(lacking) > MOST_LOOKED_UP:
        return
    results = tools.start([routes.holder_call(state.line.prefix.text) for state in lacking])()
    for state, result in zip(lacking, results):
        if result.status == 0 and result.out.strip():
            state.state = BLOCKED
            state.reason = f"somebody else has a route to it: {routes.holder(result)}"


def _gate_state(gate: Gate, chain: Chain) -> str:
    return gate.misfit(chain) or ("open" if chain.gates else "not needed")
