"""Read, compare, apply: what every run does, whoever started it.

"Could not read" is not "empty": a failed read ends the run before it has written anything. Others write at the same
time (libvirt, iptables), and what they made stale is read and decided anew, once. Nothing is atomic across tools: what
one of them refuses is said, and the rest is done all the same. When nothing differs, nothing is written.
"""

from __future__ import annotations

from nethook.change import Kernel, difference
from nethook.config import RoutedIP
from nethook.config.problem import Place
from nethook.desired import desire, in_doubt
from nethook.errors import NethookError, ReadError
from nethook.gates import gates
from nethook.kernel import device, routes, table
from nethook.kernel.ruleset import Ruleset
from nethook.libvirt import record
from nethook.libvirt.network import Network
from nethook.steps import steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.change import Scope
    from nethook.config import Configuration
    from nethook.gates.gate import Gate, Opening
    from nethook.kernel.process import Tools
    from nethook.kernel.routes import Route
    from nethook.steps import Step

ATTEMPTS = 2
NO_PLACE = Place("a line that is wrong")


class Outcome:
    """What a run has done, a line for each change, and what failed, a sentence each."""

    __slots__ = ("done", "failures")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures: list[str] = []


def reconcile(configuration: Configuration, networks: Sequence[Network], scope: Scope, tools: Tools) -> Outcome:
    """Make the kernel as it should be within the scope, when exactly these networks of it are up.

    ReadError if the kernel's state cannot be known; then nothing was changed.
    """
    outcome = Outcome()
    for attempt in range(ATTEMPTS):
        try:
            todo = _decide(configuration, networks, scope, tools, rebuild=attempt > 0)
        except NethookError as error:
            if not outcome.done:
                raise
            outcome.failures.append(str(error))
            break
        outcome.failures = []
        if _apply(todo, outcome, tools):
            break
    outcome.failures += _remember(networks, scope)
    return outcome


def _remember(networks: Sequence[Network], scope: Scope) -> list[str]:
    """Keep the record of networks true. Returns what failed."""
    try:
        before = record.read()
        after = {bridge: mode for bridge, mode in before.items() if bridge not in scope.bridges}
        after.update({network.bridge: network.forward_mode for network in networks if network.is_libvirts_own})
        if after != before:
            record.write(after)
    except OSError as error:
        return [f"cannot record which networks are up in {record.FILE}: {error.strerror}"]
    return []


def _recorded(scope: Scope) -> list[Network]:
    """The networks outside the scope that were up when libvirt last told, nameless; their bridges are still there."""
    try:
        modes = record.read()
    except OSError as error:
        raise ReadError(f"cannot read {record.FILE}: {error.strerror}") from None
    found = ((bridge, mode) for bridge, mode in modes.items() if bridge not in scope.bridges and device.exists(bridge))
    return [Network("", bridge, mode) for bridge, mode in found]


def _decide(
    configuration: Configuration, networks: Sequence[Network], scope: Scope, tools: Tools, *, rebuild: bool
) -> list[Step]:
    """Read the kernel and say what there is to do."""
    settings = configuration.settings
    families = {routed.prefix.family for routed in configuration.routed_ips}
    chosen = gates(settings.gates, sorted(families), settings.mark_bit)
    kernel, openings = _read(settings.route_protocol, chosen, tools)

    doubtful = in_doubt(kernel.routes, configuration)
    names = {network.bridge: network.name for network in networks}
    routed_ips = [
        *configuration.routed_ips,
        *(RoutedIP(prefix, names[route[1]], NO_PLACE) for route, prefix in doubtful.items() if route[1] in names),
    ]
    elsewhere: list[Route] = []
    if kernel.table is None:
        # New, or somebody deleted it: then our routes and our record tell what it held of other networks.
        networks = [*networks, *_recorded(scope)]
        here = {routed.prefix.text for routed in routed_ips if routed.network in names.values()}
        elsewhere = [route for route in kernel.routes if route[1] not in scope.bridges and route[0] not in here]
    desired = desire(routed_ips, networks, elsewhere=elsewhere, guarded=doubtful.values())
    ruleset = Ruleset(settings.mark_bit)
    change = difference(desired, kernel, ruleset, scope, rebuild=rebuild)
    return steps(change, desired, openings, ruleset, settings.route_protocol)


def _read(protocol: int, chosen: Sequence[Gate], tools: Tools) -> tuple[Kernel, list[Opening]]:
    calls = [*routes.read_calls(protocol), *(gate.read_call() for gate in chosen)]
    results = tools.start(calls)
    try:
        our_table = table.read()
    finally:
        routes4, routes6, *listings = results()
    kernel = Kernel(routes.parse((routes4, routes6)), our_table)
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
