"""Wanted minus kernel → changes, and the steps that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.changes import ADD, CLASSIFY, GATES, REMOVE, SETTLE, Effect, NftPiece, Step, StepPiece
from nethook.engine.run import Outcome
from nethook.gates.gate import Chain, ChainOpening, Rule
from nethook.gates.iptables import IptablesGate
from nethook.gates.libvirt_nftables import LibvirtNftablesGate
from nethook.host.fake import FakeHost
from nethook.host.process import Call, Result
from nethook.libvirt import Network, Port, Ports
from nethook.parts import PARTS
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.fallbacks import FALLBACK_RULES, FALLBACKS, INNER, Fallback
from nethook.parts.flows import FLOWS
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.routes import ROUTES, Route
from nethook.placement.scope import Scope, scope_of
from tests.unit.cases import NoMachine, applied, case, commands, empty, steps
from tests.unit.lines import configured, routed

if TYPE_CHECKING:
    from nethook.engine.case import Case
    from tests.unit.cases import States

PUBLIC = Network("public", "virbr1", "nat")
OTHER = Network("other", "virbr2", "nat")
HERE = Scope({"virbr1": ()}, {"public"}, [PUBLIC])
RULES = (FALLBACKS, FALLBACK_RULES)


def test_no_rule_leads_to_fallback_routes_without_the_one_before_it() -> None:
    """Then they would win over all of the main table. It may be read, or the run killed, between any two lines."""
    lines = "203.0.113.0/24 public\n203.0.113.10 other\n192.0.2.20 other"
    there = {**applied(case(lines, [PUBLIC])), FALLBACK_RULES: set()}
    assert Fallback(("203.0.113.10", "", INNER)) in there[FALLBACKS]
    (added,) = commands(case(lines, [PUBLIC], there), RULES)
    pairs = ["main suppress_prefixlength 31", "218032", "main suppress_prefixlength 3", "218000"]
    assert added == [f"rule add from 0.0.0.0/0 pref 32765 lookup {lookup} protocol 218" for lookup in pairs]
    there[FALLBACK_RULES] = set(case(lines, [PUBLIC], there).delta(FALLBACK_RULES).new)
    removed = commands(case("", [], there, clears=True), [FALLBACK_RULES])[0]
    order = [next(n for n, line in enumerate(removed) if f"lookup {lookup} " in line) for lookup in reversed(pairs)]
    assert order == sorted(order)
    there[FALLBACK_RULES].remove(("0.0.0.0/0", "", "065"))  # somebody has deleted it
    (mended,) = commands(case(lines, [PUBLIC], there), RULES)
    gone = [f"rule del from 0.0.0.0/0 pref 32765 lookup {lookup} protocol 218" for lookup in reversed(pairs[1:])]
    assert mended == [*gone, *added]


def test_nothing_is_run_when_nothing_differs() -> None:
    lines = "203.0.113.10 public\n2001:db8::/64 public"
    assert commands(case(lines, [PUBLIC], applied(case(lines, [PUBLIC])))) == []


def test_an_empty_kernel_gets_table_elements_and_routes_in_this_order() -> None:
    nft, routes = commands(case("203.0.113.10 public", [PUBLIC]))
    assert nft[0].startswith("add table inet nethook")
    assert 'add element inet nethook to4 { "virbr1" . 203.0.113.10 }' in nft
    assert routes == ["route add 203.0.113.10 dev virbr1 proto 218"]


def test_routes_go_before_what_accepts_them() -> None:
    lines = "203.0.113.10 public"
    scope = Scope({"virbr1": ()}, {"public"})
    routes, nft = commands(case(lines, [], applied(case(lines, [PUBLIC])), scope))
    assert routes == ["route del 203.0.113.10 dev virbr1 proto 218"]
    assert set(nft) == {
        'delete element inet nethook bridges { "virbr1" }',
        'delete element inet nethook to4 { "virbr1" . 203.0.113.10 }',
        'delete element inet nethook from4 { "virbr1" . 203.0.113.10 }',
    }


def test_what_other_networks_have_stays() -> None:
    lines = "203.0.113.10 public\n203.0.113.20 other"
    assert commands(case(lines, [PUBLIC], applied(case(lines, [PUBLIC, OTHER])), HERE)) == []


def test_an_address_that_moved_to_this_network_is_taken_from_the_other() -> None:
    there = applied(case("203.0.113.10 other", [OTHER]))
    nft, routes, _ = commands(case("203.0.113.10 public", [PUBLIC], there, HERE))
    assert 'delete element inet nethook to4 { "virbr2" . 203.0.113.10 }' in nft
    assert 'add element inet nethook to4 { "virbr1" . 203.0.113.10 }' in nft
    assert not any("virbr2" in command and " bridges " in command for command in nft)
    assert routes == [
        "route del 203.0.113.10 dev virbr2 proto 218",
        "route add 203.0.113.10 dev virbr1 proto 218",
    ]


def test_a_rule_that_is_missing_renews_the_rules_and_leaves_the_elements() -> None:
    lines = "203.0.113.10 public"
    there = applied(case(lines, [PUBLIC]))
    there[CLASSIFYING].comments["forward4"].pop()
    (nft,) = commands(case(lines, [PUBLIC], there))
    assert "flush chain inet nethook forward4" in nft
    assert not any("element" in command or "flush set" in command for command in nft)


def test_rules_that_could_not_be_renewed_are_built_anew_with_all_elements() -> None:
    lines = "203.0.113.10 public\n203.0.113.20 other"
    there = applied(case(lines, [PUBLIC, OTHER]))
    there[CLASSIFYING].comments["forward4"].pop()
    (nft,) = commands(case(lines, [PUBLIC], there, HERE, again=True))
    assert nft[0] == "delete table inet nethook"
    assert 'add element inet nethook to4 { "virbr1" . 203.0.113.10, "virbr2" . 203.0.113.20 }' in nft


def test_networks_that_share_a_bridge_of_the_host_leave_each_others_addresses_alone() -> None:
    first, second = Network("first", "br0", "bridge"), Network("second", "br0", "bridge")
    lines = "203.0.113.10 first\n203.0.113.20 second"
    there = applied(case(lines, [first, second]))
    assert commands(case(lines, [second], there, scope_of([second], routed(lines)))) == []


def test_rules_for_another_mark_bit_are_renewed() -> None:
    there = applied(case("", []))
    there[CLASSIFYING].comments = {chain: ["other"] for chain in there[CLASSIFYING].comments}
    assert case("", [], there, Scope({})).delta(CLASSIFYING).what == "renewed"


def test_every_change_is_said_with_the_line_that_wants_it() -> None:
    said = [str(effect) for step in steps(case("\n203.0.113.10 public", [PUBLIC])) for effect in step.effects]
    assert said == [
        "+ table inet nethook created",
        "+ bridge virbr1 as one of libvirt's",
        "+ accept 203.0.113.10 on virbr1",
        "+ route 203.0.113.10 → virbr1 (public), routed-ips:2",
    ]


def test_without_a_scope_what_no_network_and_no_line_has_goes() -> None:
    there = applied(case("203.0.113.10 public\n203.0.113.20 other", [PUBLIC, OTHER]))
    routes, nft = commands(case("203.0.113.10 public", [PUBLIC], there))
    assert routes == ["route del 203.0.113.20 dev virbr2 proto 218"]
    assert 'delete element inet nethook bridges { "virbr2" }' in nft
    assert 'delete element inet nethook to4 { "virbr2" . 203.0.113.20 }' in nft


def test_what_a_wrong_line_may_be_about_stays_also_without_a_scope() -> None:
    there = applied(case("203.0.113.10 public", [PUBLIC]))
    assert commands(case("203.0.113.10 public colour=blue", [PUBLIC], there)) == []


def test_a_route_of_others_that_leads_to_the_same_place_needs_none_of_ours() -> None:
    lines = "192.0.2.0/29 public"
    there = {**applied(case(lines, [PUBLIC])), ROUTES: set()}
    assert commands(case(lines, [PUBLIC], there, standing_in={("192.0.2.0/29", "virbr1")})) == []


def test_a_route_of_the_predecessor_is_replaced_in_one_step() -> None:
    lines = "203.0.113.10 public"
    there = {**applied(case(lines, [PUBLIC])), ROUTES: set()}
    (step,) = steps(case(lines, [PUBLIC], there, inherited={("203.0.113.10", "virbr1")}))
    assert step.call.stdin == "route replace 203.0.113.10 dev virbr1 proto 218\n"
    assert [str(effect) for effect in step.effects] == [
        "~ route 203.0.113.10 → virbr1, until now of release 0.6 (public), routed-ips:1"
    ]


def test_clearing_removes_routes_before_the_table() -> None:
    there = applied(case("203.0.113.10 public", [PUBLIC]))
    assert commands(case("", [], there, clears=True)) == [
        ["route del 203.0.113.10 dev virbr1 proto 218"],
        ["delete table inet nethook"],
    ]
    assert commands(case("", [], clears=True), PARTS) == []


def test_clearing_closes_the_gates_before_the_table_that_keeps_foreign_marks_from_them() -> None:
    there = applied(case("203.0.113.10 public", [PUBLIC]))
    gates = [
        StepPiece(GATES, Step(Call(("iptables-nft-restore",), "x"), [])),
        NftPiece(CLASSIFY, ["delete rule ip libvirt_network forward handle 7"], []),
    ]
    found = steps(case("", [], {**there, ROUTES: set()}, clears=True), gates=gates)
    assert [step.call.stdin for step in found] == [
        "delete rule ip libvirt_network forward handle 7\n",
        "x",
        "delete table inet nethook\n",
    ]


def with_former_gates() -> list[ChainOpening]:
    """Gates for an older mark bit, in chains that block."""
    gate = IptablesGate("iptables-nft", 0x10000000)
    text = "-P FORWARD DROP\n-A FORWARD -m mark --mark 0x40/0x40 -m comment --comment nethook-0x40 -j ACCEPT\n"
    chain = gate.read(FakeHost(), [Result(Call(("tool",)), 0, text, "")])
    assert chain
    rules = [Rule("7", "nethook-0x40", blocks=False), Rule("8", "", blocks=True)]
    libvirts = ChainOpening(LibvirtNftablesGate(4, 0x10000000), Chain(rules, policy_blocks=False))
    return [ChainOpening(gate, chain), libvirts]


def test_a_former_mark_bit_goes_when_all_gates_are_open_for_the_new_one() -> None:
    lines = "203.0.113.10 public"
    made = case(lines, [PUBLIC], applied(case(lines, [PUBLIC])), openings=with_former_gates())
    assert made.former_bits == [0x40]
    opened, closed = Call(("iptables-nft-restore",), "open"), Call(("iptables-nft-restore",), "close")
    former = ["delete rule ip libvirt_network forward handle 7"]
    gates = [
        StepPiece(GATES, Step(opened, [])),
        NftPiece(CLASSIFY, ["insert rule"], []),
        StepPiece(SETTLE, Step(closed, [], needs_all=True)),
        NftPiece(SETTLE, former, []),
    ]
    todo = steps(made, gates=gates)
    assert [(step.call.stdin.splitlines()[0], step.needs_all) for step in todo] == [
        ("insert rule", False),
        ("open", False),
        ("close", True),
        (former[0], True),
    ]
    assert "0x10000040" in todo[0].call.stdin
    assert "0x10000040" not in todo[-1].call.stdin
    assert "meta mark | 0x10000000" in todo[-1].call.stdin


def plugged(*ports: tuple[str, str]) -> Network:
    """``public`` with exactly these guests (MAC, name)."""
    return Network("public", "virbr1", "nat", Ports([Port("", *port) for port in ports], all_known=True))


MAC = "52:54:00:00:00:01"
OTHER_MAC = "52:54:00:00:00:02"


def bound(lines: str, *ports: tuple[str, str], there: States | None = None) -> Case:
    """The case of bound lines, when exactly these guests are plugged into ``public``."""
    return case(lines, [plugged(*ports)], there)


def test_what_is_bound_is_pinned_before_it_is_routed() -> None:
    _, nft, objects = commands(bound("203.0.113.10 public guest=web1", (MAC, "web1")))
    assert "add element bridge nethook bound4 { 203.0.113.10 }" in nft
    assert f"add element bridge nethook holders4 {{ {MAC} . 203.0.113.10 }}" in nft
    assert objects == [
        f"neighbour replace 203.0.113.10 lladdr {MAC} dev virbr1 nud permanent protocol 218",
        "route add 203.0.113.10 dev virbr1 proto 218",
    ]


def test_an_address_of_another_guest_stays_routed_while_it_moves() -> None:
    lines, guests = "203.0.113.10 public guest=web2", ((MAC, "web1"), (OTHER_MAC, "web2"))
    there = applied(bound(lines.replace("web2", "web1"), *guests))
    made = bound(lines, *guests, there=there)
    assert made.delta(FLOWS) == {"203.0.113.10"}
    nft, objects, _ = commands(made)
    assert f"delete element bridge nethook holders4 {{ {MAC} . 203.0.113.10 }}" in nft
    assert objects == [
        "neighbour delete 203.0.113.10 dev virbr1",
        f"neighbour replace 203.0.113.10 lladdr {OTHER_MAC} dev virbr1 nud permanent protocol 218",
    ]


def test_an_address_itself_tells_more_of_its_nic_than_a_line_with_it_as_next_hop() -> None:
    made = bound(
        "203.0.113.16/29 public guest=web2 via=203.0.113.10\n203.0.113.10 public guest=web1\n"
        "203.0.113.24/29 public guest=web2 via=203.0.113.10",
        (MAC, "web1"),
        (OTHER_MAC, "web2"),
    )
    assert set(made.wanted(NEIGHBOURS).keys) == {("203.0.113.10", "virbr1", MAC)}


def test_the_table_goes_when_nothing_is_bound_any_more() -> None:
    there = applied(bound("203.0.113.10 public guest=web1", (MAC, "web1")))
    assert commands(bound("203.0.113.10 public", there=there))[:2] == [
        ["neighbour delete 203.0.113.10 dev virbr1"],
        ["delete table bridge nethook"],
    ]


def test_clearing_removes_what_is_bound() -> None:
    there = applied(bound("203.0.113.10 public guest=web1", (MAC, "web1")))
    assert commands(case("", [], there, clears=True)) == [
        ["route del 203.0.113.10 dev virbr1 proto 218", "neighbour delete 203.0.113.10 dev virbr1"],
        ["delete table inet nethook", "delete table bridge nethook"],
    ]


class BrokenTools(NoMachine):
    """Fails at every call of iptables."""

    def run(self, call: Call) -> Result:
        return Result(call, 1 if call.argv[0].startswith("iptables") else 0, "", "")


def test_what_others_have_stays_until_ours_is_complete() -> None:
    opening = StepPiece(GATES, Step(Call(("iptables-nft-restore",)), [Effect(ADD, "gate")]))
    removal = StepPiece(SETTLE, Step(Call(("ip",)), [Effect(REMOVE, "rule")], needs_all=True))
    outcome = Outcome()
    outcome.take(steps(case("203.0.113.10 public", [PUBLIC]), gates=[opening, removal]), BrokenTools())
    assert len(outcome.failures) == 1
    assert "route" in {effect.kind for effect in outcome.done}
    assert not {"rule", "gate"} & {effect.kind for effect in outcome.done}


def test_a_case_changes_none_of_its_inputs() -> None:
    lines = routed("203.0.113.10 public guest=web1\n203.0.113.0/28 public guest=web1\n2001:db8::/64 public")
    there = applied(bound("203.0.113.10 public guest=web1", (MAC, "web1")))
    there[ROUTES].add(Route(("203.0.113.99", "virbr1", "")))
    before = repr(_as_text(there)), len(lines)
    made = case(configured(lines), [plugged((MAC, "web1"))], there)
    assert commands(made, PARTS)
    assert (repr(_as_text(there)), len(lines)) == before
    assert repr(_as_text(empty())) != before[0]


def _as_text(states: States) -> list[object]:
    found: list[object] = []
    for state in states.values():
        found.append(sorted(state) if isinstance(state, set) else vars(state) if hasattr(state, "__dict__") else state)
        if state is not None and hasattr(state, "elements"):
            found += [sorted((name, sorted(each)) for name, each in state.elements.items()), state.comments]
    return [each for each in found if not hasattr(each, "__slots__")]
