"""The verdict of iptables rules, as ``-S`` prints them, on a packet that is known only in part. Pure, as nft_judge."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from nethook.prefix import parse_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nethook.doctor.nft_judge import Packet

STOPPING = frozenset({"DROP", "REJECT"})
FULL = {4: 32, 6: 128}
JUMPS = {"-j", "-g"}
STATES = {"--ctstate", "--state"}
WITHOUT_MEANING = {"--comment"}
MODULES_KNOWN = {"comment", "conntrack", "state"}
MOST_JUMPS = 32
STOPPED, ACCEPTED, RETURNED, PERHAPS = "stopped", "accepted", "returned", "perhaps returned"


class Listing(NamedTuple):
    """A table: the policies of its built-in chains, and the rules of all chains, by the name of the chain."""

    policies: Mapping[str, str]
    rules: Mapping[str, Sequence[str]]


class Ruling(NamedTuple):
    """The verdict on a packet: whether it is stopped (None: a part of such packets, or unknown), and by which rule.

    The rule is in the chain where the packet came in; '' is the policy.
    """

    stops: bool | None
    rule: str = ""


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
    return Listing(policies, rules)


def judge(listing: Listing, chain: str, packet: Packet) -> Ruling:
    """Return the verdict of this built-in chain on the packet."""
    walk = _Walk(listing.rules, packet)
    policy = listing.policies.get(chain, "")
    is_certain = True
    may_stop = None
    for rule in listing.rules.get(chain, ()):
        ended = walk.rule(rule, certain=is_certain)
        if ended == STOPPED:
            return Ruling(None if walk.lets_a_part_pass else True, rule)
        if walk.may_stop and may_stop is None:
            may_stop = rule
        if ended == ACCEPTED:
            policy = "ACCEPT"
        if ended in {ACCEPTED, RETURNED}:
            break
        is_certain = is_certain and ended != PERHAPS
    if policy == "DROP":
        return Ruling(None if walk.lets_a_part_pass else True)
    return Ruling(False) if may_stop is None else Ruling(None, may_stop)


class _Walk:
    """The walk of a packet through the rules.

    ``may_stop``: a rule may stop it. ``lets_a_part_pass``: a rule accepts a part of the packets to or from this guest,
    as rules of an admin who filters guests do.
    """

    def __init__(self, chains: Mapping[str, Sequence[str]], packet: Packet) -> None:
        self._chains = chains
        self._packet = packet
        self.may_stop = False
        self.lets_a_part_pass = False

    def rule(self, rule: str, *, certain: bool, depth: int = 0) -> str:
        """Return how the rule ends, '' if the next rule follows."""
        words = words_of(rule)
        matches = _matches(words, self._packet)
        jump, target = target_of(words)
        if matches is False or depth > MOST_JUMPS:
            return ""
        certain = certain and matches is True
        if target in STOPPING:
            self.may_stop = self.may_stop or not certain
            return STOPPED if certain else ""
        if target == "ACCEPT":
            self.lets_a_part_pass = self.lets_a_part_pass or (not certain and not {"-s", "-d"}.isdisjoint(words))
            return ACCEPTED if certain else ""
        ended = self._chain(target, certain=certain, depth=depth) if target != "RETURN" else RETURNED
        if ended in {STOPPED, ACCEPTED}:
            return ended
        is_over = target == "RETURN" or jump == "-g"
        return "" if not is_over else RETURNED if certain else PERHAPS

    def _chain(self, name: str, *, certain: bool, depth: int) -> str:
        for inner in self._chains.get(name, ()):
            ended = self.rule(inner, certain=certain, depth=depth + 1)
            if ended in {STOPPED, ACCEPTED}:
                return ended
            if ended == RETURNED:
                break
            certain = certain and ended != PERHAPS
        return ""


def _matches(words: Sequence[str], packet: Packet) -> bool | None:
    """Return whether the packet matches; None if that is unknown."""
    known = {
        "-s": packet.source,
        "-d": packet.destination,
        "-i": packet.device_in,
        "-o": packet.device_out,
    }
    matches: bool | None = True
    negated = False
    values = iter(words)
    for word in values:
        if word == "!":
            negated = True
            continue
        if word in JUMPS:
            break
        one: bool | None = True
        if word in known:
            fits = _fits(word, next(values, ""), known[word])
            one = None if fits is None else fits != negated
        elif word in STATES:
            one = (packet.state.upper() in next(values, "").split(",")) != negated
        elif word == "-m":
            one = True if next(values, "") in MODULES_KNOWN else None
        elif word in WITHOUT_MEANING:
            next(values, "")
        else:
            one = None
        if one is False:
            return False
        matches = matches and one
        negated = False
    return matches


def target_of(words: Sequence[str]) -> tuple[str, str]:
    """Return the option of the jump, and its target; ('', '') for a rule that only counts."""
    return next(((word, following) for word, following in zip(words, words[1:]) if word in JUMPS), ("", ""))


def words_of(rule: str) -> list[str]:
    """Return the words of a rule, whose quotes are those of a shell."""
    try:
        return shlex.split(rule)
    except ValueError:
        return rule.split()


def _fits(option: str, value: str, have: str) -> bool | None:
    """Return whether the value of an option fits what the packet has, ``have``; None if that is unknown."""
    if not have:
        return None
    if option in {"-i", "-o"}:
        return have.startswith(value[:-1]) if value.endswith("+") else have == value
    text, _, length = value.partition("/")
    try:
        (family, number), (of_block, first) = parse_address(have), parse_address(text)
        free = FULL[family] - int(length or FULL[family])
    except ValueError:
        return None
    return family == of_block and (number >> free) == (first >> free)
