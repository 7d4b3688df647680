"""The packet mark that foreign rules give to packets of a guest before they are routed; policy rules can match it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nethook.doctor import packets
from nethook.doctor.admin_iptables import CHAINS, TABLES, listing
from nethook.doctor.iptables_judge import judge
from nethook.doctor.iptables_match import words_of
from nethook.doctor.nft_judge import Judge
from nethook.doctor.nft_match import MARK
from nethook.gates.gate import NFT_FAMILIES
from nethook.gates.iptables import LEGACY_TABLES
from nethook.host.files import read
from nethook.host.layout import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.doctor.facts import Facts, Target

HOOK = "prerouting"


def mark_of(facts: Facts, target: Target) -> int:
    """Return the mark that the guest's packets certainly get; 0 if that is none, or unknown."""
    return next((mark for marks in (_by_nft, _by_iptables) for mark in marks(facts, target)), 0)


def _by_nft(facts: Facts, target: Target) -> Iterator[int]:
    packet = packets.own(facts, target, HOOK)
    for chain in facts.nft.filter_chains():
        is_of_iptables = chain.table in TABLES and chain.name in CHAINS
        if chain.hook != HOOK or chain.table == NAME or is_of_iptables:
            continue
        if chain.family not in {"inet", NFT_FAMILIES[target.family]}:
            continue
        lookup = partial(facts.nft.has_element, chain.family, chain.table)
        rule = Judge(facts.nft.rules(chain), lookup, {"mangle"}).judge(chain.name, "accept", packet).rule or {}
        for statement in rule.get("expr", ()):
            set_to = statement.get("mangle", {})
            if set_to.get("key") == MARK and isinstance(set_to.get("value"), int):
                yield set_to["value"]


def _by_iptables(facts: Facts, target: Target) -> Iterator[int]:
    packet = packets.own(facts, target, HOOK)
    name = "ip6tables" if target.family == 6 else "iptables"
    in_nft = {(chain.family, chain.table) for chain in facts.nft.filter_chains()}
    tools = [f"{name}-nft"] if (NFT_FAMILIES[target.family], "mangle") in in_nft else []
    tools += [f"{name}-legacy"] if "mangle" in (read(LEGACY_TABLES[name]) or "").split() else []
    for tool in tools:
        verdict = judge(listing(facts, tool, "mangle"), HOOK.upper(), packet, {"MARK"})
        words = words_of(verdict.rule) if verdict.stops else ()
        if "--set-xmark" in words:
            yield int(words[words.index("--set-xmark") + 1].partition("/")[0], 0)
