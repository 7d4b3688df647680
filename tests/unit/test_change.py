"""Desired minus kernel → change, and the steps that make it."""

from __future__ import annotations

from nethook.engine.change import Change, difference
from nethook.engine.desired import Desired
from nethook.engine.present import Present
from nethook.engine.reconcile import Outcome
from nethook.engine.steps import clearance, steps
from nethook.gates.gate import GateChange
from nethook.host.nftables import Table
from nethook.host.process import Call, Result, Tools
from nethook.libvirt.network import Network, Port, Ports
from nethook.parts.fallback_rules import FALLBACK_RULES
from nethook.parts.fallbacks import FALLBACKS, INNER
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.tables.binding import BINDING
from nethook.parts.tables.ruleset import SETS, Ruleset
from nethook.placement.bound import apart, blocks
from nethook.placement.scope import Scope, scope_of
from nethook.steps.effect import ADD, REMOVE, Effect
from nethook.steps.step import Step
from tests.unit.lines import desired_by, routed

RULES = Ruleset(0x40)
PUBLIC = Network("public", "virbr1", "nat")
OTHER = Network("other", "virbr2", "nat")
HERE = Scope({"virbr1": ()})


def present_like(desired: Desired) -> Present:
    """A kernel that holds exactly this."""
    table = Table(SETS)
    table.elements = {name: set(desired.elements[name]) for name in SETS}
    table.comments = {chain: [RULES.comment(rule) for rule in rules] for chain, rules in RULES.chains.items()}
    return Present({kind: set(keys) for kind, keys in desired.objects.items()}, table)


def run(change: Change, desired: Desired) -> list[Step]:
    """The steps, with all gates open."""
    return steps(change, desired, [], [], protocol=218)


def commands(change: Change, desired: Desired) -> list[list[str]]:
    """The input of each step, line by line."""
    return [step.call.stdin.splitlines() for step in run(change, desired)]


def test_no_rule_leads_to_fallback_routes_without_the_one_before_it() -> None:
    """Then they would win over all of the main table. It may be read, or the run killed, between any two lines."""
    desired = desired_by(routed("203.0.113.0/24 public"), [PUBLIC])
    present = present_like(desired)
    fallbacks = {("203.0.113.10", ""), ("203.0.113.10", "", INNER), ("192.0.2.20", "")}
    present.objects[FALLBACKS] = desired.kept[FALLBACKS] = fallbacks
    (added,) = commands(difference(desired, present, RULES, HERE), desired)
    pairs = ["main suppress_prefixlength 31", "218032", "main suppress_prefixlength 3", "218000"]
    assert added == [f"rule add from 0.0.0.0/0 pref 32765 lookup {lookup} protocol 218" for lookup in pairs]
    present.objects[FALLBACK_RULES] = {("0.0.0.0/0", "", number) for number in ("065", "064", "001", "000")}
    removed = next(each for each in clearance(present, [], 218) if "rule del" in each.call.stdin).call.stdin
    order = [removed.index(f"lookup {lookup} ") for lookup in reversed(pairs)]
    assert order == sorted(order)
    present.objects[FALLBACK_RULES].remove(("0.0.0.0/0", "", "065"))  # somebody has deleted it
    (mended,) = commands(difference(desired, present, RULES, HERE), desired)
    gone = [f"rule del from 0.0.0.0/0 pref 32765 lookup {lookup} protocol 218" for lookup in reversed(pairs[1:])]
    assert mended == [*gone, *added]


def test_nothing_is_run_when_nothing_differs() -> None:
    desired = desired_by(routed("203.0.113.10 public\n2001:db8::/64 public"), [PUBLIC])
    change = difference(desired, present_like(desired), RULES, HERE)
    assert run(change, desired) == []


def test_an_empty_kernel_gets_table_elements_and_routes_in_this_order() -> None:
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    nft, routes = commands(difference(desired, Present(), RULES, HERE), desired)
    assert nft[0].startswith("add table inet nethook")
    assert 'add element inet nethook to4 { "virbr1" . 203.0.113.10 }' in nft
    assert routes == ["route add 203.0.113.10 dev virbr1 proto 218"]


def test_routes_go_before_what_accepts_them() -> None:
    lines = routed("203.0.113.10 public")
    nothing = desired_by(lines, [])
    change = difference(nothing, present_like(desired_by(lines, [PUBLIC])), RULES, HERE)
    routes, nft = commands(change, nothing)
    assert routes == ["route del 203.0.113.10 dev virbr1 proto 218"]
    assert set(nft) == {
        'delete element inet nethook bridges { "virbr1" }',
        'delete element inet nethook to4 { "virbr1" . 203.0.113.10 }',
        'delete element inet nethook from4 { "virbr1" . 203.0.113.10 }',
    }


def test_what_other_networks_have_stays() -> None:
    lines = routed("203.0.113.10 public\n203.0.113.20 other")
    desired = desired_by(lines, [PUBLIC])
    change = difference(desired, present_like(desired_by(lines, [PUBLIC, OTHER])), RULES, HERE)
    assert commands(change, desired) == []


def test_an_address_that_moved_to_this_network_is_taken_from_the_other() -> None:
    before = desired_by(routed("203.0.113.10 other"), [OTHER])
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    nft, routes, _ = commands(difference(desired, present_like(before), RULES, HERE), desired)
    assert 'delete element inet nethook to4 { "virbr2" . 203.0.113.10 }' in nft
    assert 'add element inet nethook to4 { "virbr1" . 203.0.113.10 }' in nft
    assert not any("virbr2" in command and " bridges " in command for command in nft)
    assert routes == [
        "route del 203.0.113.10 dev virbr2 proto 218",
        "route add 203.0.113.10 dev virbr1 proto 218",
    ]


def test_a_rule_that_is_missing_renews_the_rules_and_leaves_the_elements() -> None:
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    present = present_like(desired)
    assert present.table is not None
    present.table.comments["forward4"].pop()
    (nft,) = commands(difference(desired, present, RULES, HERE), desired)
    assert "flush chain inet nethook forward4" in nft
    assert not any("element" in command or "flush set" in command for command in nft)


def test_rules_that_could_not_be_renewed_are_built_anew_with_all_elements() -> None:
    lines = routed("203.0.113.10 public\n203.0.113.20 other")
    desired = desired_by(lines, [PUBLIC])
    present = present_like(desired_by(lines, [PUBLIC, OTHER]))
    assert present.table is not None
    present.table.comments["forward4"].pop()
    (nft,) = commands(difference(desired, present, RULES, HERE, rebuild=True), desired)
    assert nft[0] == "delete table inet nethook"
    assert 'add element inet nethook to4 { "virbr1" . 203.0.113.10, "virbr2" . 203.0.113.20 }' in nft


def test_networks_that_share_a_bridge_of_the_host_leave_each_others_addresses_alone() -> None:
    first, second = Network("first", "br0", "bridge"), Network("second", "br0", "bridge")
    lines = routed("203.0.113.10 first\n203.0.113.20 second")
    desired = desired_by(lines, [second], kept=[("203.0.113.10", "br0", "")])
    scope = scope_of([second], lines)
    change = difference(desired, present_like(desired_by(lines, [first, second])), RULES, scope)
    assert commands(change, desired) == []


def test_rules_for_another_mark_bit_are_renewed() -> None:
    desired = desired_by([], [])
    assert difference(desired, present_like(desired), Ruleset(0x80), Scope({})).table.what == "renewed"


def test_every_change_is_said_with_the_line_that_wants_it() -> None:
    desired = desired_by(routed("\n203.0.113.10 public"), [PUBLIC])
    change = difference(desired, Present(), RULES, HERE)
    said = [str(effect) for step in run(change, desired) for effect in step.effects]
    assert said == [
        "+ table inet nethook created",
        "+ bridge virbr1 as one of libvirt's",
        "+ accept 203.0.113.10 on virbr1",
        "+ route 203.0.113.10 → virbr1 (public), routed-ips:2",
    ]


def test_without_a_scope_what_no_network_and_no_line_has_goes() -> None:
    before = desired_by(routed("203.0.113.10 public\n203.0.113.20 other"), [PUBLIC, OTHER])
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    routes, nft = commands(difference(desired, present_like(before), RULES, Scope()), desired)
    assert routes == ["route del 203.0.113.20 dev virbr2 proto 218"]
    assert 'delete element inet nethook bridges { "virbr2" }' in nft
    assert 'delete element inet nethook to4 { "virbr2" . 203.0.113.20 }' in nft


def test_what_is_kept_stays_also_without_a_scope() -> None:
    before = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    desired = desired_by([], [PUBLIC], kept=before.routes, guarded=[line.prefix for line in before.routes.values()])
    assert commands(difference(desired, present_like(before), RULES, Scope()), desired) == []


def test_a_route_of_others_that_leads_to_the_same_place_needs_none_of_ours() -> None:
    desired = desired_by(routed("192.0.2.0/29 public"), [PUBLIC])
    present = Present(table=present_like(desired).table, standing_in={("192.0.2.0/29", "virbr1")})
    assert commands(difference(desired, present, RULES, Scope()), desired) == []


def test_a_route_of_the_predecessor_is_replaced_in_one_step() -> None:
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    present = Present(table=present_like(desired).table, inherited={("203.0.113.10", "virbr1")})
    (step,) = run(difference(desired, present, RULES, Scope()), desired)
    assert step.call.stdin == "route replace 203.0.113.10 dev virbr1 proto 218\n"
    assert [str(effect) for effect in step.effects] == [
        "~ route 203.0.113.10 → virbr1, until now of release 0.6 (public), routed-ips:1"
    ]


def test_clearing_removes_routes_before_the_table() -> None:
    present = present_like(desired_by(routed("203.0.113.10 public"), [PUBLIC]))
    assert [step.call.stdin for step in clearance(present, [], 218)] == [
        "route del 203.0.113.10 dev virbr1 proto 218\n",
        "delete table inet nethook\n",
    ]
    assert clearance(Present(), [], 218) == []


def test_clearing_closes_the_gates_before_the_table_that_keeps_foreign_marks_from_them() -> None:
    present = Present(table=Table(SETS))
    call, nft = Call(("iptables-nft-restore",), "x"), ["delete rule ip libvirt_network forward handle 7"]
    found = clearance(present, [GateChange(call=call), GateChange(nft=nft)], 218)
    assert [step.call.stdin for step in found] == ["x", f"{nft[0]}\ndelete table inet nethook\n"]


def test_a_former_mark_bit_goes_when_all_gates_are_open_for_the_new_one() -> None:
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    both, settled = Ruleset(0x80, [0x40]), Ruleset(0x80)
    change = difference(desired, present_like(desired), both, Scope({}))
    opened, closed = Call(("iptables-nft-restore",), "open"), Call(("iptables-nft-restore",), "close")
    former = ["delete rule ip libvirt_network forward handle 7"]
    todo = steps(
        change,
        desired,
        [GateChange(call=opened), GateChange(nft=["insert rule"])],
        [GateChange(call=closed), GateChange(nft=former)],
        protocol=218,
        settled=settled,
    )
    assert [(step.call.stdin.splitlines()[0], step.needs_all) for step in todo] == [
        ("insert rule", False),
        ("open", False),
        ("close", True),
        (former[0], True),
    ]
    assert "0x000000c0" in todo[0].call.stdin
    assert "0x000000c0" not in todo[-1].call.stdin
    assert "meta mark | 0x00000080" in todo[-1].call.stdin


def bound(lines: str, *ports: tuple[str, str]) -> Desired:
    """What should be with bound lines, when these guests (MAC, name) are plugged into ``public``."""
    network = Network("public", "virbr1", "nat", Ports([Port("", *port) for port in ports], all_known=True))
    routed_ips = routed(lines)
    parts = blocks(routed_ips)
    desired = desired_by(routed_ips, [network], bound=parts)
    desired.bindings.name(routed_ips, parts, apart(routed_ips))
    return desired


MAC = "52:54:00:00:00:01"
OTHER_MAC = "52:54:00:00:00:02"


def with_binding(desired: Desired) -> Present:
    """A kernel that holds exactly this, what is bound included."""
    present = present_like(desired)
    present.binding = Table(BINDING.sets)
    present.binding.comments = {
        chain: [BINDING.comment(rule) for rule in rules] for chain, rules in BINDING.chains.items()
    }
    desired.bindings.know_taps(
        {mac for mac, _ in desired.bindings.elements["holders4"] | desired.bindings.elements["holders6"]}, ()
    )
    present.binding.elements = {name: set(desired.bindings.elements[name]) for name in BINDING.sets}
    return present


def test_what_is_bound_is_pinned_before_it_is_routed() -> None:
    desired = bound("203.0.113.10 public guest=web1", (MAC, "web1"))
    _, nft, objects = commands(difference(desired, Present(), RULES, Scope()), desired)
    assert "add element bridge nethook bound4 { 203.0.113.10 }" in nft
    assert f"add element bridge nethook holders4 {{ {MAC} . 203.0.113.10 }}" in nft
    assert objects == [
        f"neighbour replace 203.0.113.10 lladdr {MAC} dev virbr1 nud permanent protocol 218",
        "route add 203.0.113.10 dev virbr1 proto 218",
    ]


def test_an_address_of_another_guest_stays_routed_while_it_moves() -> None:
    lines = "203.0.113.10 public guest=web2"
    desired = bound(lines, (MAC, "web1"), (OTHER_MAC, "web2"))
    present = with_binding(bound(lines.replace("web2", "web1"), (MAC, "web1"), (OTHER_MAC, "web2")))
    change = difference(desired, present, RULES, Scope())
    assert change.moved == ["203.0.113.10"]
    nft, objects, _ = commands(change, desired)
    assert f"delete element bridge nethook holders4 {{ {MAC} . 203.0.113.10 }}" in nft
    assert objects == [
        "neighbour delete 203.0.113.10 dev virbr1",
        f"neighbour replace 203.0.113.10 lladdr {OTHER_MAC} dev virbr1 nud permanent protocol 218",
    ]


def test_an_address_itself_tells_more_of_its_nic_than_a_line_with_it_as_next_hop() -> None:
    desired = bound(
        "203.0.113.16/29 public guest=web2 via=203.0.113.10\n203.0.113.10 public guest=web1\n"
        "203.0.113.24/29 public guest=web2 via=203.0.113.10",
        (MAC, "web1"),
        (OTHER_MAC, "web2"),
    )
    assert set(desired.objects[NEIGHBOURS]) == {("203.0.113.10", "virbr1", MAC)}


def test_the_table_goes_when_nothing_is_bound_any_more() -> None:
    present = with_binding(bound("203.0.113.10 public guest=web1", (MAC, "web1")))
    desired = bound("203.0.113.10 public")
    change = difference(desired, present, RULES, Scope())
    assert commands(change, desired)[:2] == [
        ["neighbour delete 203.0.113.10 dev virbr1"],
        ["delete table bridge nethook"],
    ]


def test_clearing_removes_what_is_bound() -> None:
    present = with_binding(bound("203.0.113.10 public guest=web1", (MAC, "web1")))
    assert [step.call.stdin for step in clearance(present, [], 218)] == [
        "route del 203.0.113.10 dev virbr1 proto 218\nneighbour delete 203.0.113.10 dev virbr1\n",
        "delete table inet nethook\ndelete table bridge nethook\n",
    ]


class BrokenTools(Tools):
    """Fails at every call of iptables."""

    def run(self, call: Call) -> Result:
        return Result(call, 1 if call.argv[0].startswith("iptables") else 0, "", "")


def test_what_others_have_stays_until_ours_is_complete() -> None:
    opening = GateChange(Effect(ADD, "gate"), call=Call(("iptables-nft-restore",)))
    removal = GateChange(Effect(REMOVE, "rule"), call=Call(("ip",)))
    desired = desired_by(routed("203.0.113.10 public"), [PUBLIC])
    change = difference(desired, Present(), RULES, Scope())
    outcome = Outcome()
    outcome.take(steps(change, desired, [opening], [removal], protocol=218), BrokenTools(1))
    assert len(outcome.failures) == 1
    assert "route" in {effect.kind for effect in outcome.done}
    assert not {"rule", "gate"} & {effect.kind for effect in outcome.done}
