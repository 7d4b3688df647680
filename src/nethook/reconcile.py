"""Read, compare, apply: what every run does, whoever started it.

"Could not read" is not "empty": a failed read ends the run before it has written anything. Others write at the same
time (libvirt, iptables), and what they made stale is read and decided anew, once. Nothing is atomic across tools: what
one of them refuses is said, and the rest is done all the same. When nothing differs, nothing is written.
"""

from __future__ import annotations

from nethook.change import Kernel, difference
from nethook.desired import desire, doubtful_in_force, networks_by_routes
from nethook.errors import NethookError
from nethook.gates import gates
from nethook.kernel import routes, table
from nethook.kernel.ruleset import Ruleset
from nethook.steps import steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.config import Configuration
    from nethook.gates.gate import Gate, Opening
    from nethook.kernel.process import Tools
    from nethook.libvirt.network import Network
    from nethook.steps import Step

ATTEMPTS = 2


class Outcome:
    """What a run has done, a line for each change, and what failed, a sentence each."""

    __slots__ = ("done", "failures")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures: list[str] = []


def reconcile(
    configuration: Configuration, networks: Sequence[Network], bridges: Collection[str], tools: Tools
) -> Outcome:
    """Make the kernel as it should be on these bridges, when exactly these networks of theirs are up.

    ReadError if the kernel's state cannot be known; then nothing was changed.
    """
    outcome = Outcome()
    for _ in range(ATTEMPTS):
        outcome.failures = []
        if _apply(_decide(configuration, networks, bridges, tools), outcome, tools):
            break
    return outcome


def _decide(
    configuration: Configuration, networks: Sequence[Network], bridges: Collection[str], tools: Tools
) -> list[Step]:
    """Read the kernel and say what there is to do."""
    settings = configuration.settings
    families = {routed.prefix.family for routed in configuration.routed_ips}
    chosen = gates(settings.gates, sorted(families), settings.mark_bit)
    kernel, openings = _read(settings.route_protocol, chosen, tools)
    if kernel.table is None:
        # New, or somebody deleted it: then the routes of the other networks tell what it held for them.
        others = networks_by_routes(kernel.routes, configuration.routed_ips, bridges)
        networks = [*networks, *others]
        bridges = {*bridges, *(network.bridge for network in others)}
    routed_ips = [*configuration.routed_ips, *doubtful_in_force(kernel.routes, configuration, networks)]
    desired = desire(routed_ips, networks)
    ruleset = Ruleset(settings.mark_bit)
    change = difference(desired, kernel, ruleset, bridges)
    return steps(change, desired, openings, ruleset, settings.route_protocol)


def _read(protocol: int, chosen: Sequence[Gate], tools: Tools) -> tuple[Kernel, list[Opening]]:
    calls = [*routes.read_calls(protocol), *(gate.read_call() for gate in chosen)]
    routes4, routes6, *listings = tools.run_all(calls)
    kernel = Kernel(routes.parse((routes4, routes6)), table.read())
    openings = [gate.opening(listing) for gate, listing in zip(chosen, listings)]
    return kernel, [opening for opening in openings if opening]


def _apply(todo: Sequence[Step], outcome: Outcome, tools: Tools) -> bool:
    """Take the steps. False when one failed without which the others must not be taken."""
    for step in todo:
        try:
            done, failures = step.take(tools)
        except NethookError as error:  # what the steps before have done is still said
            done, failures = [], [str(error)]
        outcome.done += done
        outcome.failures += failures
        if failures and step.ends_run:
            return False
    return True
