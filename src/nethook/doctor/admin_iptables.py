"""The station of an admin's iptables rules: those in front of our gate in FORWARD, and other tables of the legacy
variant.

Other tables of the nft variant are chains of nftables: firewalls.py.
"""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING

from nethook.doctor import packets
from nethook.doctor.finding import FAILURE, WARNING, Finding
from nethook.doctor.iptables_judge import STOPPING, Listing, judge, parse
from nethook.doctor.iptables_match import target_of, words_of
from nethook.doctor.ours import chains
from nethook.errors import ReadError
from nethook.gates.gate import first_blocker
from nethook.gates.iptables import LEGACY_TABLES, WAIT_SECONDS, IptablesGate
from nethook.host.files import read
from nethook.host.process import Call
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from nethook.doctor.facts import AnyTarget, Facts
    from nethook.doctor.iptables_judge import Ruling
    from nethook.gates.gate import Chain

STATION = "admin's iptables"
TABLES = frozenset({"mangle", "raw", "security"})
CHAINS = ("PREROUTING", "FORWARD", "POSTROUTING")
AS_MEANT = "nothing to do if that is how you filter this guest"
EXCEPT_THEM = "and except these addresses in the configuration that this rule comes from"


def in_front_of_gates(facts: Facts, targets: Sequence[AnyTarget]) -> Iterator[Finding]:
    """Yield the rules of an admin in FORWARD that stop packets before they reach the gate."""
    for gate, rules in in_front(facts, {target.family for target in targets}):
        for target in targets:
            if target.family != gate.family:
                continue
            what, ruling = _judged(facts, target, "FORWARD", rules, has_mark=True)
            if ruling.stops is not False:
                yield Finding(
                    FAILURE if ruling.stops else WARNING,
                    STATION,
                    f"a rule in {gate.where} stops {'' if ruling.stops else 'a part of '}{what}, "
                    f"in front of our gate: {ruling.rule}",
                    command=_past(facts, gate.tool, ruling.rule) if ruling.stops else "",
                    advice="" if ruling.stops else AS_MEANT,
                    addresses=[target.name],
                )


def in_front(facts: Facts, families: Collection[int]) -> Iterator[tuple[IptablesGate, Listing]]:
    """Yield each gate that has rules of an admin in front of it in FORWARD, with those rules. ReadError."""
    for gate, chain in chains(facts, families):
        if not isinstance(gate, IptablesGate) or is_known_to_nft_alone(chain):
            continue
        ours = [number for number, rule in enumerate(chain.rules) if rule.is_ours]
        rules = [rule for rule in chain.rules[: ours[0] if ours else first_blocker(chain.rules)] if not rule.blocks]
        if rules:
            rules_of_table = listing(facts, gate.tool, "filter")
            yield gate, Listing({}, {**rules_of_table.rules, "FORWARD": [rule.name for rule in rules]})


def is_known_to_nft_alone(chain: Chain) -> bool:
    """Return whether an admin has added conditions to the chain that only nft shows."""
    return any(rule.hides for rule in chain.rules)


def legacy_tables(facts: Facts, targets: Sequence[AnyTarget]) -> Iterator[Finding]:
    """Yield the rules of the legacy variant in tables other than filter that stop packets, which have no mark there."""
    for name, path in LEGACY_TABLES.items():
        members = [target for target in targets if (target.family == 6) == name.startswith("ip6")]
        tool = f"{name}-legacy"
        for table in sorted(TABLES.intersection((read(path) or "").split()) if members else ()):
            rules = listing(facts, tool, table)
            for chain in (chain for chain in CHAINS if chain in rules.policies):
                for target in members:
                    if target.is_forwarded and chain != "FORWARD":
                        continue  # before and after routing, its packets have other addresses
                    what, ruling = _judged(facts, target, chain, rules, is_tracked=table != "raw")
                    if ruling.stops is False:
                        continue
                    yield Finding(
                        FAILURE if ruling.stops else WARNING,
                        STATION,
                        f"chain {chain} of {tool}'s table {table} drops {'' if ruling.stops else 'a part of '}{what}: "
                        f"{ruling.rule or 'its policy'}",
                        command=by_address(tool, table, chain, target) if ruling.stops else "",
                        advice=EXCEPT_THEM if ruling.stops else AS_MEANT,
                        addresses=[target.name],
                    )


def by_address(tool: str, table: str, chain: str, target: AnyTarget) -> str:
    """Return the command that lets packets of the target pass a chain in which they carry no mark."""
    return " && ".join(f"{tool} -w -t {table} -I {chain} {option} {target.block} -j ACCEPT" for option in ("-d", "-s"))


def _judged(
    facts: Facts, target: AnyTarget, chain: str, rules: Listing, *, has_mark: bool = False, is_tracked: bool = True
) -> tuple[str, Ruling]:
    """Return the worst verdict on the packets of the target, and the name of that packet."""
    found = [
        (what, judge(rules, chain, packet))
        for what, packet in packets.routed(facts, target, chain.lower(), is_marked=has_mark, is_tracked=is_tracked)
    ]
    return min(found, key=lambda each: (True, None, False).index(each[1].stops))


def listing(facts: Facts, tool: str, table: str) -> Listing:
    """Return the rules of a table. ReadError."""
    result = facts.tools.run(Call((tool, "-w", WAIT_SECONDS, "-t", table, "-S")))
    if result.status != 0:
        raise ReadError(result.failure)
    return parse(result.out)


def _past(facts: Facts, tool: str, rule: str) -> str:
    """Return the command that lets routed packets past the rule to our gate.

    It deletes the rule, or lets these packets return from the chain to which the rule jumps.
    """
    words = words_of(rule)
    _, target = target_of(words)
    if target in STOPPING:
        return f"{tool} -w -D FORWARD {join(words)}"
    bit = f"{facts.settings.mark_bit:#x}"
    return f"{tool} -w -I {word(target)} -m mark --mark {bit}/{bit} -j RETURN"
