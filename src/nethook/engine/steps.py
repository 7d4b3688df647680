"""Change → steps: which tools run with which input, in which order, and what each does.

Where the mark bit changes, that transaction gives packets both bits, and when all gates are open for the new one, those
for the former one are closed, and another transaction ends it.

A packet must never be routed to where it is not let in. So routes (and other objects) that go are deleted first, then
one nft transaction changes what is accepted, then the gates of other tools open, and new ones come last. What is only
elsewhere now is deleted right before it is added, in that last step. What is bound to a guest comes behind another
transaction, the one that keeps others from it: an nft that cannot do that costs these lines and no other.
"""

from __future__ import annotations

from nethook.host.process import Call
from nethook.parts.kinds import KINDS
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.proxies import PROXIES
from nethook.parts.routes import ROUTES
from nethook.parts.tables.arp import ArpRules
from nethook.parts.tables.binding import BINDING
from nethook.parts.tables.ruleset import BRIDGES, ISOLATED, TABLE
from nethook.steps.effect import ADD, REMOVE, REPLACE, Effect
from nethook.steps.step import (
    BatchStep,
    BindingStep,
    FlowStep,
    IPv6Step,
    LearningStep,
    ObjectChange,
    ProxyNdpStep,
    Step,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.config import RoutedIP
    from nethook.engine.change import Change, TableChange
    from nethook.engine.desired import Desired
    from nethook.engine.present import Present
    from nethook.gates.gate import GateChange
    from nethook.host.nftables import Elements
    from nethook.parts.kind import Key, Kind
    from nethook.parts.tables.ruleset import Ruleset


def steps(
    change: Change,
    desired: Desired,
    gate_changes: Sequence[GateChange],
    removals: Sequence[GateChange],
    *,
    protocol: int,
    apart: bool = False,
    settled: Ruleset | None = None,
) -> list[Step]:
    """What has to be run, in this order; nothing if there is nothing to do.

    ``removals`` delete rules that are of no use any more when everything else is done: of release 0.6, and gates for
    other mark bits. ``settled`` are our rules without these bits, which come behind that. ``apart``: what may fail
    alone is not in one transaction with anything else; it costs a process more.
    """
    todo: list[Step] = []
    moved = {kind: {key[0] for key in keys} for kind, keys in change.new.items()}
    gone = [
        _gone(kind, key, protocol) for kind in reversed(KINDS) for key in change.gone[kind] if key[0] not in moved[kind]
    ]
    todo += _batches(gone)
    todo += [IPv6Step(REMOVE, bridge, values) for bridge, values in change.closed.items()]

    commands = [command for each in gate_changes for command in each.nft] + _table_commands(change.table)
    effects = [effect for each in gate_changes if each.nft for effect in each.effects]
    effects += _table_effects(change.table, desired)
    arp = change.arp
    if arp and commands and not apart:
        commands += arp.commands()
        effects.append(_arp_effect(arp))
        arp = None
    if commands:
        todo.append(_nft(commands, effects))
    todo += _calls(gate_changes)
    if arp:
        todo.append(_arp(arp))
    todo += [ProxyNdpStep(ADD if on else REMOVE, uplink) for uplink, on in change.proxy_ndp.items()]
    todo += [IPv6Step(ADD, bridge, values) for bridge, values in change.opened.items()]
    todo += [LearningStep(ADD if on else REMOVE, bridge) for bridge, on in change.no_learning.items()]

    came = []
    for kind in KINDS:
        came += [_gone(kind, key, protocol) for key in change.gone[kind] if key[0] in moved[kind]]
        came += [_new(kind, key, protocol, desired) for key in change.new[kind]]
    came += [_taken_over(key, protocol, desired) for key in change.inherited]
    commands = _table_commands(change.binding)
    if commands:
        of_bound = _of_bound_lines(change, desired)
        free = [each for each in came if (each.kind, each.key[0]) not in of_bound]
        came = [each for each in came if (each.kind, each.key[0]) in of_bound]
        todo += _batches(free)
        effects = [*_table_effects(change.binding, desired)]
        todo.append(BindingStep(_nft_call(commands), effects, _unkept(change, desired)))
    todo += _batches(came)
    if change.moved or change.owed.prefixes:
        todo.append(FlowStep(change.owed.prefixes.union(change.moved), change.owed))
    todo += [Step(change.call, change.effects, needs_all=True) for change in removals if change.call]
    commands = [command for each in removals for command in each.nft]
    effects = [effect for each in removals if each.nft for effect in each.effects]
    if settled:
        commands += settled.creation()
        effects.append(Effect(REMOVE, "rule", note=f"for the former mark bit in {settled.table}"))
    if commands:
        todo.append(Step(_nft_call(commands), effects, needs_all=True))
    return todo


def _of_bound_lines(change: Change, desired: Desired) -> set[tuple[Kind, str]]:
    """What new objects of bound lines are about, that must not be there when binding has failed.

    Others may: a fallback route leads nowhere, and a gateway is that of all lines of its bridge.
    """
    new = [(kind, key) for kind in (NEIGHBOURS, ROUTES, PROXIES) for key in change.new[kind]]
    new += [(ROUTES, key) for key in change.inherited]
    return {(kind, key[0]) for kind, key in new if desired.objects[kind][key].guest}


def _unkept(change: Change, desired: Desired) -> list[RoutedIP]:
    """Return the bound lines that are routed already, and that are not kept to their guests before binding changes."""
    new = {*change.new[ROUTES], *change.inherited}
    lines = desired.bindings.lines
    blocks = {block for elements in change.binding.new.values() for *_, block in elements}
    lacking = {lines[block].prefix.text for block in blocks & lines.keys()}
    routes = ((key, line) for key, line in desired.routes.items() if line.guest and key not in new)
    return [line for _, line in routes if line.prefix.text in lacking]


def clearance(present: Present, closings: Sequence[GateChange], protocol: int) -> list[Step]:
    """What removes everything of ours, in this order."""
    todo: list[Step] = []
    gone = [_gone(kind, key, protocol) for kind in reversed(KINDS) for key in sorted(present.objects[kind])]
    todo += _batches(gone)
    todo += [IPv6Step(REMOVE, bridge, values) for bridge, values in present.opened.items()]
    todo += [LearningStep(REMOVE, bridge) for bridge in sorted(present.no_learning)]
    todo += [ProxyNdpStep(REMOVE, uplink) for uplink in sorted(present.proxy_ndp)]
    if present.arp:
        todo.append(_arp(ArpRules(())))
    todo += _calls(closings)  # before our table goes, which keeps others' marks from passing them
    commands = [command for closing in closings for command in closing.nft]
    effects = [effect for closing in closings if closing.nft for effect in closing.effects]
    for found, name in ((present.table, TABLE), (present.binding, BINDING.table)):
        if found:
            commands.append(f"delete table {name}")
            effects.append(Effect(REMOVE, "table", to=name, note=name))
    if commands:
        todo.append(_nft(commands, effects))
    return todo


def _batches(changes: Sequence[ObjectChange]) -> list[Step]:
    """A process for all changes, and one more for each family that ip has to be told."""
    families = dict.fromkeys(change.kind.family(change.key) for change in changes)
    return [
        BatchStep([change for change in changes if change.kind.family(change.key) == family], family)
        for family in sorted(families)
    ]


def _nft(commands: Sequence[str], effects: Sequence[Effect]) -> Step:
    return Step(_nft_call(commands), effects, ends_run=True)


def _arp(rules: ArpRules) -> Step:
    """As a step of its own: a kernel that cannot do this still routes."""
    return Step(_nft_call(rules.commands()), [_arp_effect(rules)])


def _nft_call(commands: Sequence[str]) -> Call:
    return Call(("nft", "-f", "-"), "\n".join(commands) + "\n")


def _arp_effect(rules: ArpRules) -> Effect:
    if rules.addresses:
        return Effect(ADD, "arp", note=f"for {', '.join(rules.addresses)}, answered towards guests only")
    return Effect(REMOVE, "arp", note="rules for gateways")


def _calls(gate_changes: Iterable[GateChange]) -> list[Step]:
    return [Step(change.call, change.effects) for change in gate_changes if change.call]


def _gone(kind: Kind, key: Key, protocol: int) -> ObjectChange:
    return ObjectChange(kind, key, kind.delete(key, protocol), _effect(REMOVE, kind, key))


def _new(kind: Kind, key: Key, protocol: int, desired: Desired) -> ObjectChange:
    return ObjectChange(kind, key, kind.add(key, protocol), _effect(ADD, kind, key, desired))


def _taken_over(key: Key, protocol: int, desired: Desired) -> ObjectChange:
    effect = _effect(REPLACE, ROUTES, key, desired)
    effect.note = "until now of release 0.6"
    return ObjectChange(ROUTES, key, ROUTES.take_over(key, protocol), effect)


def _effect(sign: str, kind: Kind, key: Key, desired: Desired | None = None) -> Effect:
    line = desired.objects[kind].get(key) if desired else None
    return Effect(sign, kind.name, prefix=key[0], bridge=key[1], to=kind.leads_to(key), line=line)


def _table_commands(change: TableChange) -> list[str]:
    layout = change.layout
    commands = [f"delete table {layout.table}"] if change.what in {"rebuilt", "removed"} else []
    if change.what and change.what != "removed":
        commands += layout.creation()
    return commands + layout.deletions(change.gone) + layout.additions(change.new)


def _table_effects(change: TableChange, desired: Desired) -> Iterator[Effect]:
    name = change.layout.table
    if change.what == "removed":
        yield Effect(REMOVE, "table", to=name, note=name)
    elif change.what:
        yield Effect(ADD, "table", to=name, note=f"{name} {change.what}")
    element_effects = _binding_effects if change.layout is BINDING else _element_effects
    yield from element_effects(REMOVE, change.gone, desired)
    yield from element_effects(ADD, change.new, desired)


def _element_effects(sign: str, elements: Elements, _: Desired) -> Iterator[Effect]:
    """An effect for each address or prefix whose acceptance changes, in however many of our sets."""
    accepted: set[tuple[str, str]] = set()
    guarded: set[str] = set()
    for name, members in elements.items():
        if name == BRIDGES:
            yield from (Effect(sign, "bridge", bridge=bridge) for (bridge,) in sorted(members))
        elif name == ISOLATED:
            yield from (Effect(sign, "isolated", bridge=bridge) for (bridge,) in sorted(members))
        elif name.startswith("routed"):
            guarded.update(block for (block,) in members)
        else:
            accepted.update((block, bridge) for bridge, block in members)
    yield from (Effect(sign, "accept", prefix=block, bridge=bridge) for block, bridge in sorted(accepted))
    unaccepted = guarded - {block for block, _ in accepted}
    yield from (Effect(sign, "guard", prefix=block) for block in sorted(unaccepted))


def _binding_effects(sign: str, elements: Elements, desired: Desired) -> Iterator[Effect]:
    """An effect for each block that is reserved for a guest, or bound to a NIC, and each address apart from such."""
    for name, kind in (("bound", "reserved"), ("holders", "bound"), ("apart", "apart")):
        members = {member for found, members in elements.items() if found.startswith(name) for member in members}
        for *mac, block in sorted(members):
            line = desired.bindings.lines.get(block) if sign == ADD else None
            yield Effect(sign, kind, prefix=block, to="".join(mac), line=line)
