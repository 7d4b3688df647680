"""What is to be done: read, compare, and put the steps in order. Changes nothing."""

from __future__ import annotations

from nethook.engine.change import difference
from nethook.engine.desired import Desired, desire
from nethook.engine.present import read
from nethook.engine.steps import steps
from nethook.gates import gates
from nethook.gates.firewalld import is_configured
from nethook.parts.tables.ruleset import Ruleset
from nethook.placement.vital import claimed, dangers, read_needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.config.problem import Problem
    from nethook.engine.present import Present
    from nethook.gates.firewalld.gate import Firewalld
    from nethook.gates.gate import Chain, Gate
    from nethook.host.host import Host
    from nethook.legacy06.others import Others
    from nethook.libvirt.network import Network
    from nethook.placement.scope import Scope
    from nethook.steps.effect import Effect
    from nethook.steps.step import Step


class Plan:
    """What is there (``present``, ``chains``), what should be (``desired``), and the ``steps`` that lead there.

    ``left_out`` are the chains of gates that the setting ``gates`` leaves out, empty for a hook. ``firewalld`` is None
    where it does not run or was not looked at; ``failures`` are what could not be decided, and ``refused`` the problems
    of lines that must not be put in force on this host.
    """

    __slots__ = ("chains", "desired", "failures", "firewalld", "left_out", "present", "refused", "steps")

    def __init__(
        self,
        present: Present,
        chains: Sequence[tuple[Gate, Chain]],
        desired: Desired,
        steps: Sequence[Step],
        *,
        left_out: Sequence[tuple[Gate, Chain]] = (),
        firewalld: Firewalld | None = None,
        failures: Sequence[str] = (),
        refused: Sequence[Problem] = (),
    ) -> None:
        self.present = present
        self.chains = chains
        self.left_out = left_out
        self.desired = desired
        self.steps = steps
        self.firewalld = firewalld
        self.failures = failures
        self.refused = refused

    @property
    def effects(self) -> list[Effect]:
        """What the steps do, in their order."""
        return [effect for step in self.steps for effect in step.effects]


def decide(
    configuration: Configuration,
    networks: Sequence[Network],
    scope: Scope,
    host: Host,
    others: Others | None = None,
    *,
    again: bool = False,
) -> Plan:
    """What makes the kernel as it should be within the scope, when exactly these networks of it are up.

    ReadError if what is there cannot be known. ``others`` looks at what others have in the place of ours, which takes
    time that a hook has not; ``again`` is for when it did not work out: a table is made anew that could not be mended,
    and what may have failed alone is kept apart.
    """
    possible = host.families()
    configuration = configuration.of(possible)
    settings = configuration.settings
    protocol = settings.route_protocol
    families = {routed.prefix.family for routed in configuration.routed_ips}
    here = gates(host, possible if others or configuration.leaves_doubt else sorted(families), settings.mark_bit)
    chosen = [gate for gate in here if gate.setting in settings.gates]
    unwanted = [gate for gate in here if gate.setting not in settings.gates] if others else []
    host.allow_for(len(configuration.routed_ips))
    present, chains, left_out = read(protocol, chosen, host, others, unwanted)
    host.allow_for(len(present.routes))
    refused = _refused(configuration, scope, present, host)
    if refused:
        configuration = configuration.refusing(refused)
    desired = desire(configuration, networks, scope, present, host)
    needed = [(gate, chain) for gate, chain in chains if gate.family in desired.families]
    former = sorted({bit for _, chain in needed for bit in chain.mark_bits} - {settings.mark_bit})
    ruleset = Ruleset(settings.mark_bit, former)
    change = difference(desired, present, ruleset, scope, rebuild=again)

    gate_changes = [gate.opening(chain) for gate, chain in needed]
    superfluous = [(gate, chain) for gate, chain in chains if gate.family not in desired.families]
    gate_changes += [gate.closing(chain) for gate, chain in (*superfluous, *left_out)]
    firewalld: Firewalld | None = None
    failures: list[str] = []
    if "firewalld" in settings.gates and (others or change.concerns_configured):
        firewalld, failures = _firewalld(desired, host)
        gate_changes += firewalld.changes() if firewalld else []
    elif others:  # what was let in there until now
        former_firewalld, _ = _firewalld(Desired(), host)
        gate_changes += former_firewalld.changes() if former_firewalld else []
    removals = others.removals(desired, chains) if others else []
    removals += filter(None, [gate.former_closing(chain) for gate, chain in needed])
    settled = Ruleset(settings.mark_bit) if former else None
    todo = steps(
        change, desired, [*filter(None, gate_changes)], removals, protocol=protocol, apart=again, settled=settled
    )
    return Plan(
        present,
        chains,
        desired,
        todo,
        left_out=left_out,
        firewalld=firewalld,
        failures=failures,
        refused=[problem for _, problem in refused],
    )


def _refused(
    configuration: Configuration, scope: Scope, present: Present, host: Host
) -> list[tuple[RoutedIP, Problem]]:
    """Return the lines that must not be put in force on this host, each with its problem.

    Only those that are not in force are looked at: what the host needs costs some milliseconds to read.
    """
    routed = {route[0] for route in present.routes}
    lacking = [
        line for line in configuration.routed_ips if line.prefix.text not in routed and scope.has_network(line.network)
    ]
    owners = scope.owners
    found = [(line, problem) for line in configuration.routed_ips if (problem := claimed(line, owners))]
    if lacking:
        found += dangers(read_needs(host), lacking, scope.known)
    return found


def _firewalld(desired: Desired, host: Host) -> tuple[Firewalld | None, list[str]]:
    """firewalld, if it runs, and what failed. A hook asks it only when lines have come or gone: that takes time."""
    if not is_configured(host):
        return None, []
    from nethook.gates.firewalld.gate import entries, look  # noqa: PLC0415 - few events need it

    return look(entries(desired), host)
