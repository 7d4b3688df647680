"""The verdict of iptables rules, as ``-S`` prints them, on a packet that is known only in part. Pure, as nft_judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.doctor.iptables_match import level as level_by_conditions
from nethook.doctor.iptables_match import target_of, words_of
from nethook.doctor.nft_match import FOR_A_PART, SURE, UNSURE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nethook.doctor.nft_match import Packet

STOPPING = frozenset({"DROP", "REJECT"})
ENDING = frozenset({"ACCEPT", "DROP", "REJECT", "NFQUEUE", "QUEUE"})
GOING_ON = frozenset(
    {
        *("", "LOG", "NFLOG", "TRACE", "AUDIT", "MARK", "CONNMARK", "CT", "NOTRACK", "SET", "CLASSIFY"),
        *("TCPMSS", "DSCP", "TOS", "TTL", "HL", "CHECKSUM"),
    }
)
"""Targets behind which the next rule follows."""
MOST_JUMPS = 32
STOPPED, ACCEPTED, RETURNED = "stopped", "accepted", "returned"
PERHAPS, IN_PART = "perhaps returned", "returned in part"
LEVELS = {PERHAPS: UNSURE, IN_PART: FOR_A_PART}
"""The level behind a rule, by how it ended."""


class Listing(NamedTuple):
    """A table: the policies of its built-in chains, and the rules of all chains, by the name of the chain."""

    policies: Mapping[str, str]
    rules: Mapping[str, Sequence[str]]


class Ruling(NamedTuple):
    """The verdict on a packet: whether it is stopped (None: a part of such packets, or unknown), and by which rule.

    The rule is in the chain where the packet came in; '' is the policy. ``is_meant``: another rule accepts a part of
    the packets to this guest, as rules of an admin who filters guests do.
    """

    stops: bool | None
    rule: str = ""
    is_meant: bool = False


def parse(text: str) -> Listing:
    """Return the listing in the output of ``-S`` for a table."""
    policies: dict[str, str] = {}
    rules: dict[str, list[str]] = {}
    for line in text.splitlines():
        option, _, rest = line.partition(" ")
        chain, _, specification = rest.partition(" ")
        if option == "-P":
            policies[chain] = specification
        elif option == "-A":
            rules.setdefault(chain, []).append(specification)
        elif option == "-N":
            rules.setdefault(chain, [])
    return Listing(policies, rules)


def judge(listing: Listing, chain: str, packet: Packet, stopping: Collection[str] = STOPPING) -> Ruling:
    """Return the verdict of this built-in chain on the packet; ``stopping`` count as stopping it."""
    walk = _Walk(listing.rules, packet, stopping)
    policy = listing.policies.get(chain, "")
    level = SURE
    may_stop = None
    for rule in listing.rules.get(chain, ()):
        ended = walk.rule(rule, level)
        if ended == STOPPED:
            return Ruling(None if walk.lets_a_part_pass else True, rule, walk.lets_a_part_pass)
        if walk.may_stop and may_stop is None:
            may_stop = rule
        if ended == ACCEPTED:
            policy = "ACCEPT"
        if ended in {ACCEPTED, RETURNED}:
            break
        level |= LEVELS.get(ended, SURE)
    if policy in stopping and not walk.may_be_over:
        return Ruling(None if walk.lets_a_part_pass else True, is_meant=walk.lets_a_part_pass)
    return Ruling(False) if may_stop is None else Ruling(None, may_stop, walk.lets_a_part_pass)


class _Walk:
    """The walk of a packet through the rules.

    ``may_stop``: a rule stops a part of such packets, or may stop those of this guest. ``lets_a_part_pass``: a rule
    accepts a part of the packets to or from this guest, as rules of an admin who filters guests do. ``may_be_over``:
    an unknown rule may have accepted the packet.
    """

    def __init__(self, chains: Mapping[str, Sequence[str]], packet: Packet, stopping: Collection[str]) -> None:
        self._chains = chains
        self._packet = packet
        self._stopping = stopping
        self.may_stop = False
        self.lets_a_part_pass = False
        self.may_be_over = False

    def rule(self, rule: str, level: int, depth: int = 0) -> str:
        """Return how the rule ends, '' if the next rule follows."""
        words = words_of(rule)
        own = level_by_conditions(words, self._packet)
        jump, target = target_of(words)
        if own is None or depth > MOST_JUMPS:
            return ""
        level |= own | (UNSURE if self.may_be_over else SURE)
        names_it = not {"-s", "-d"}.isdisjoint(words)
        if target in self._stopping:
            self.may_stop = self.may_stop or level == FOR_A_PART or bool(level and names_it)
            return "" if level else STOPPED
        if target in ENDING or (
            target not in self._chains and target not in GOING_ON | {"RETURN"} and target.isupper()
        ):
            is_unsure = level & UNSURE or target not in ENDING or target.endswith("QUEUE")
            self.lets_a_part_pass = self.lets_a_part_pass or bool(level and names_it)
            self.may_be_over = self.may_be_over or bool(is_unsure and not level & FOR_A_PART)
            return "" if level or is_unsure else ACCEPTED
        ended = self._chain(target, level, depth) if target != "RETURN" else RETURNED
        if ended in {STOPPED, ACCEPTED}:
            return ended
        if target != "RETURN" and jump != "-g":
            return ""
        return PERHAPS if level & UNSURE else IN_PART if level else RETURNED

    def _chain(self, name: str, level: int, depth: int) -> str:
        for inner in self._chains.get(name, ()):
            ended = self.rule(inner, level, depth + 1)
            if ended in {STOPPED, ACCEPTED}:
                return ended
            if ended == RETURNED:
                break
            level |= LEVELS.get(ended, SURE)
        return ""
