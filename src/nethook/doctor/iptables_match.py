"""The question whether a packet that is known only in part meets the conditions of an iptables rule. Pure.

Answers are as in nft_match. Rules are as ``-S`` prints them.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from typing import TYPE_CHECKING

from nethook.doctor.nft_match import PART, SURE, level_of
from nethook.prefix import BITS, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.nft_match import Answer, Packet

JUMPS = {"-j", "-g"}
STATES = frozenset({"--ctstate", "--state"})
TYPES = frozenset({"--dst-type", "--src-type"})
VALUES = {"--tcp-flags": 2, "--syn": 0}
"""The number of values of an option, if it is not one."""
OF_A_PART = frozenset(
    {
        *("--dport", "--sport", "--dports", "--sports", "--ports", "--icmp-type", "--icmpv6-type", "--length"),
    }
)
"""Conditions that some of the packets meet."""
MODULES_KNOWN = frozenset(
    {"comment", "conntrack", "state", "tcp", "udp", "multiport", "icmp", "icmp6", "mark", "addrtype", "length"}
)


def level(words: Sequence[str], packet: Packet) -> int | None:
    """Return the level of a rule by its conditions, as nft_match has it; None if the packet does not meet them."""
    found = SURE
    for option, value, negated in _conditions(words):
        met = _matches(option, value, packet)
        if isinstance(met, bool) and negated and option != "-m":
            met = not met
        if met is False:
            return None
        found |= level_of(met)
    return found


def _conditions(words: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield each option before the jump, its value, and whether it is negated."""
    rest = iter(words)
    negated = False
    for word in rest:
        if word in JUMPS:
            return
        if word == "!":
            negated = True
            continue
        values = [next(rest, "") for _ in range(VALUES.get(word, 1))]
        yield word, " ".join(values), negated
        negated = False


def conditions_of(words: Sequence[str], without: Sequence[str] = ()) -> list[str]:
    """Return the words of all conditions of a rule but those of the options in ``without``."""
    return [
        word
        for option, value, negated in _conditions(words)
        if option not in without
        for word in (*(["!"] if negated else []), option, *([value] if VALUES.get(option, 1) == 1 else value.split()))
    ]


def _matches(option: str, value: str, packet: Packet) -> Answer:  # noqa: PLR0911 # one for each kind of option
    known = {"-s": packet.source, "-d": packet.destination, "-i": packet.device_in, "-o": packet.device_out}
    if option in known:
        return _fits(option, value, known[option])
    if option in STATES:
        states = {packet.state.upper(), *(["DNAT"] if packet.is_forwarded else [])}
        return not states.isdisjoint(value.split(","))
    if option == "--mark":
        return _has_mark(value, packet)
    if option in TYPES:
        return "UNICAST" in value.split(",")
    if option == "-m":
        return True if value in MODULES_KNOWN else None
    if option == "-p":
        return True if value in {"all", "0"} else PART
    if option in OF_A_PART:
        return PART
    return True if option == "--comment" else None


def _has_mark(text: str, packet: Packet) -> bool | None:
    """Return whether the packet's mark has this value, perhaps with a mask; None if that is unknown."""
    value, _, mask = text.partition("/")
    try:
        wanted, bits = int(value, 0), int(mask or "0xffffffff", 0)
    except ValueError:
        return None
    if wanted & packet.bit != packet.mark & bits:
        return False
    return True if bits == packet.bit else None


def target_of(words: Sequence[str]) -> tuple[str, str]:
    """Return the option of the jump, and its target; ('', '') for a rule that only counts."""
    return next(((word, following) for word, following in zip(words, words[1:]) if word in JUMPS), ("", ""))


@lru_cache(maxsize=4096)
def words_of(rule: str) -> Sequence[str]:
    """Return the words of a rule, whose quotes are those of a shell."""
    try:
        return tuple(shlex.split(rule))
    except ValueError:
        return tuple(rule.split())


def _fits(option: str, value: str, have: str) -> bool | None:
    """Return whether the value of an option fits what the packet has, ``have``; None if that is unknown."""
    if not have:
        return None
    if option in {"-i", "-o"}:
        return have.startswith(value[:-1]) if value.endswith("+") else have == value
    text, _, length = value.partition("/")
    try:
        (family, number), (of_block, first) = parse_address(have), parse_address(text)
        free = BITS[family] - int(length or BITS[family])
    except ValueError:
        return None
    return family == of_block and (number >> free) == (first >> free)
