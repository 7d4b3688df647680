"""Read, compare, apply: what every run does, whoever started it.

"Could not read" is not "empty": a failed read ends the run before it has written anything. Others write at the same
time (libvirt, iptables), and what they made stale is read and decided anew, once. Nothing is atomic across tools: what
one of them refuses is said, and the rest is done all the same. When nothing differs, nothing is written.
"""

from __future__ import annotations

from nethook.bound import blocks, nic
from nethook.change import Kernel, difference
from nethook.desired import desire, in_doubt, keep_bindings, undecided
from nethook.errors import NethookError, ReadError
from nethook.gates import gates
from nethook.kernel import binding, device, ruleset, table, taps
from nethook.kernel.kinds import KINDS
from nethook.kernel.neighbours import NEIGHBOURS
from nethook.kernel.ruleset import Ruleset
from nethook.libvirt import record
from nethook.libvirt.network import Network, Ports
from nethook.steps import steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.bound import Blocks
    from nethook.change import Scope
    from nethook.config import Configuration
    from nethook.desired import Desired
    from nethook.effect import Effect
    from nethook.firewalld.gate import Firewalld
    from nethook.gates.gate import Chain, Gate
    from nethook.kernel.kind import Key
    from nethook.kernel.process import Tools
    from nethook.others import Others
    from nethook.step import Step

ATTEMPTS = 2
FAMILIES = (4, 6)


class Outcome:
    """What a run has done, and what failed, a sentence each."""

    __slots__ = ("done", "failures")

    def __init__(self) -> None:
        self.done: list[Effect] = []
        self.failures: list[str] = []

    def take(self, todo: Sequence[Step], tools: Tools) -> bool:
        """Take the steps. False when one failed without which the others must not be taken."""
        for step in todo:
            if step.needs_all and self.failures:
                continue
            try:
                done, failures = step.take(tools)
            except NethookError as error:  # what the steps before have done is still said
                done, failures = [], [str(error)]
            self.done += done
            self.failures += failures
            if failures and step.ends_run:
                return False
        return True


class Plan:
    """What was read (``kernel``, ``chains``), what should be (``desired``), and the ``steps`` that lead there.

    ``firewalld`` is None where it does not run or was not looked at; ``failures`` are what could not be decided.
    """

    __slots__ = ("chains", "desired", "failures", "firewalld", "kernel", "steps")

    def __init__(
        self,
        kernel: Kernel,
        chains: Sequence[tuple[Gate, Chain]],
        desired: Desired,
        steps: Sequence[Step],
        *,
        firewalld: Firewalld | None = None,
        failures: Sequence[str] = (),
    ) -> None:
        self.kernel = kernel
        self.chains = chains
        self.desired = desired
        self.steps = steps
        self.firewalld = firewalld
        self.failures = failures

    @property
    def effects(self) -> list[Effect]:
        """What the steps do, in their order."""
        return [effect for step in self.steps for effect in step.effects]


def reconcile(
    configuration: Configuration, networks: Sequence[Network], scope: Scope, tools: Tools, others: Others | None = None
) -> Outcome:
    """Make the kernel as it should be within the scope, when exactly these networks of it are up.

    ReadError if the kernel's state cannot be known; then nothing was changed.
    """
    outcome = Outcome()
    for attempt in range(ATTEMPTS):
        try:
            plan = decide(configuration, networks, scope, tools, others, rebuild=attempt > 0)
        except NethookError as error:
            if not outcome.done:
                raise
            outcome.failures.append(str(error))
            break
        outcome.failures = list(plan.failures)
        if outcome.take(plan.steps, tools):
            break
    outcome.failures += _remember(networks, scope)
    return outcome


def decide(
    configuration: Configuration,
    networks: Sequence[Network],
    scope: Scope,
    tools: Tools,
    others: Others | None = None,
    *,
    rebuild: bool = False,
) -> Plan:
    """Read the kernel and say what there is to do. ReadError if its state cannot be known.

    ``others`` looks at what others have in the place of ours, which takes time that a hook has not; ``rebuild`` makes
    a table anew that could not be mended.
    """
    settings = configuration.settings
    families = {routed.prefix.family for routed in configuration.routed_ips}
    chosen = gates(settings.gates, FAMILIES if others else sorted(families), settings.mark_bit)
    kernel, chains = read(settings.route_protocol, chosen, tools, others)

    doubtful = in_doubt(kernel.routes, configuration)
    up = {network.bridge for network in networks}
    kept = [route for route in doubtful if route[1] in up]
    bound, decided = _bound(configuration, networks, scope, kernel, kept)
    if kernel.table is None:
        # New, or somebody deleted it: then our routes and our record tell what it held of other networks.
        names = {network.name for network in networks}
        networks = [*networks, *_recorded(scope)]
        here = {routed.prefix.text for routed in configuration.routed_ips if routed.network in names}
        here.update(route[0] for route in kept)
        kept += [route for route in kernel.routes if not scope.has(route[1]) and route[0] not in here]
    desired = desire(
        configuration.routed_ips,
        networks,
        kept=kept,
        guarded=doubtful.values(),
        bound=decided,
        holders=kernel.holders if bound else {},
    )
    if bound or kernel.binding:
        kernel.taps = taps.read()
        desired.named.update(block.text for blocks in bound.values() for block in blocks)
        keep_bindings(desired, kernel, configuration.in_doubt_within)
        if kernel.binding is None:
            _rebind(desired, kernel, configuration, bound)
    change = difference(desired, kernel, Ruleset(settings.mark_bit), scope, rebuild=rebuild)
    changes = (gate.opening(chain) if gate.family in families else gate.closing(chain) for gate, chain in chains)
    gate_changes = [changed for changed in changes if changed]
    firewalld: Firewalld | None = None
    failures: list[str] = []
    if "firewalld" in settings.gates and (others or change.concerns_configured):
        firewalld, failures = _firewalld(desired, tools)
        gate_changes += firewalld.changes() if firewalld else []
    removals = others.removals(desired, chains) if others else []
    todo = steps(change, desired, gate_changes, removals, protocol=settings.route_protocol)
    return Plan(kernel, chains, desired, todo, firewalld=firewalld, failures=failures)


def _firewalld(desired: Desired, tools: Tools) -> tuple[Firewalld | None, list[str]]:
    """firewalld, if it runs, and what failed. A hook asks it only when lines have come or gone: that takes time."""
    from nethook.firewalld.gate import entries, look  # noqa: PLC0415 - few events need it

    return look(entries(desired), tools)


def read(
    protocol: int, chosen: Sequence[Gate], tools: Tools, others: Others | None = None
) -> tuple[Kernel, list[tuple[Gate, Chain]]]:
    """What the kernel has of ours, and those of the gates' chains that this host has; ReadError if it is not known."""
    lists = {str(call): call for kind in KINDS for call in kind.read_calls(protocol)}
    calls = [*lists.values(), *(gate.read_call() for gate in chosen)]
    results = tools.start([*calls, *(others.read_calls() if others else [])])
    try:
        our_table = table.read(ruleset.FAMILY, ruleset.SETS)
        binding_table = table.read(binding.FAMILY, binding.SETS)
    finally:
        found = results()
    listed = dict(zip(lists, found))
    objects = {kind: kind.read([listed[str(call)] for call in kind.read_calls(protocol)], protocol) for kind in KINDS}
    kernel = Kernel(objects, our_table, binding=binding_table)
    listings = found[len(lists) : len(calls)]
    if others:
        kernel.standing_in, kernel.inherited = others.routes(found[len(calls) :])
    chains = ((gate, gate.chain(listing)) for gate, listing in zip(chosen, listings))
    return kernel, [(gate, chain) for gate, chain in chains if chain]


def _bound(
    configuration: Configuration, networks: Sequence[Network], scope: Scope, kernel: Kernel, kept: list[Key]
) -> tuple[Blocks, Blocks]:
    """The blocks of all bound lines, and of those that this run decides about.

    To ``kept`` is added what stays because nobody knows whether its guest is plugged in.
    """
    bound = blocks(configuration.routed_ips)
    decided: Blocks = {}
    if not bound:
        return bound, decided
    up = {network.name: network for network in networks}
    holders = kernel.holders
    for routed in configuration.routed_ips:
        text = routed.prefix.text
        if not routed.guest or not scope.has_network(routed.network):
            continue
        network = up.get(routed.network)
        if undecided(routed, network, bound[text], holders):
            kept += [route for route in kernel.routes if network and route[:2] == (text, network.bridge)]
        else:
            decided[text] = bound[text]
    return bound, decided


def _rebind(desired: Desired, kernel: Kernel, configuration: Configuration, bound: Blocks) -> None:
    """Bind again what this run does not decide about: somebody deleted the table that bound it, but not the routes."""
    there = {(route[0], route[1]): route for route in kernel.routes}
    lines = {routed.prefix.text: routed for routed in configuration.routed_ips if routed.prefix.text in bound}
    pins = {pin[:2]: pin[2] for pin in kernel.objects[NEIGHBOURS]}
    ports: dict[str, dict[str, str]] | None = None
    for (text, bridge), route in there.items():
        routed = lines.get(text)
        if not routed or bound[text][0].text in desired.decided:
            continue
        mac = pins.get((route[2] or text, bridge))
        if not mac:
            ports = recorded_ports() if ports is None else ports
            mac = nic(routed, Ports(ports.get(routed.network, {}), all_known=False), ())
        if mac:
            desired.rebind(routed, bound[text], mac)


def _remember(networks: Sequence[Network], scope: Scope) -> list[str]:
    """Keep the record of networks and ports true. Returns what failed."""
    try:
        before = record.read()
        after = {bridge: mode for bridge, mode in before.items() if not scope.has(bridge)}
        after.update({network.bridge: network.forward_mode for network in networks if network.is_libvirts_own})
        if after != before:
            record.write(after)
    except OSError as error:
        return [f"cannot record which networks are up in {record.FILE}: {error.strerror}"]
    try:
        ports = record.read_ports()
        plugged = {name: guests for name, guests in ports.items() if not scope.has_network(name)}
        plugged.update({network.name: dict(network.ports.guests) for network in networks if network.ports.guests})
        if plugged != ports:
            record.write_ports(plugged)
    except OSError as error:
        return [f"cannot record who is plugged in, in {record.PORTS_FILE}: {error.strerror}"]
    return []


def recorded_ports() -> dict[str, dict[str, str]]:
    """The guests by MAC that were plugged in when libvirt last told, by network; ReadError if that is not known."""
    try:
        return record.read_ports()
    except OSError as error:
        raise ReadError(f"cannot read {record.PORTS_FILE}: {error.strerror}") from None


def _recorded(scope: Scope) -> list[Network]:
    """The networks outside the scope that were up when libvirt last told, nameless; their bridges are still there."""
    try:
        modes = record.read()
    except OSError as error:
        raise ReadError(f"cannot read {record.FILE}: {error.strerror}") from None
    found = ((bridge, mode) for bridge, mode in modes.items() if not scope.has(bridge) and device.exists(bridge))
    return [Network("", bridge, mode) for bridge, mode in found]
