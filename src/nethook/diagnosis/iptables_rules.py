"""Whether a rule of iptables, as ``-S`` prints it, stops what is sent to a guest, or what it answers. Pure."""

from __future__ import annotations

import shlex

from nethook.prefix import parse_address

STOPPING = frozenset({"DROP", "REJECT"})
FULL = {4: 32, 6: 128}
WITHOUT_MEANING = frozenset({"--comment", "--reject-with"})


def may_stop(rule: str, address: str, bridge: str, uplink: str, outside: str) -> bool | None:
    """Yes, no, or None: a part of it, or nobody can tell. Chains that a rule jumps to are not looked at.

    ``outside`` is an address that stands for all others.
    """
    words = words_of(rule)
    if not STOPPING.intersection(words[words.index("-j") + 1 :] if "-j" in words else ()):
        return False
    inwards, outwards = True, True
    certain = True
    negated = False
    values = iter(words)
    for word in values:
        if word == "!":
            negated = True
            continue
        if word in {"-s", "-d", "-i", "-o"}:
            value = next(values, "")
            inwards &= _fits(word, value, {"-d": address, "-s": outside, "-o": bridge, "-i": uplink}) != negated
            outwards &= _fits(word, value, {"-s": address, "-d": outside, "-i": bridge, "-o": uplink}) != negated
        elif word in WITHOUT_MEANING or word == "-j":
            next(values, "")
        elif word == "-m":
            if next(values, "") != "comment":
                certain = False
        else:
            certain = False
        negated = False
    if not (inwards or outwards):
        return False
    return True if certain else None


def words_of(rule: str) -> list[str]:
    """The words of a rule; its quotes are those of a shell."""
    try:
        return shlex.split(rule)
    except ValueError:
        return rule.split()


def _fits(option: str, value: str, known: dict[str, str]) -> bool:
    """Whether a packet whose properties are ``known`` may have this one."""
    have = known.get(option)
    if have is None:
        return True
    if option in {"-i", "-o"}:
        return have.startswith(value[:-1]) if value.endswith("+") else have == value
    text, _, length = value.partition("/")
    try:
        (family, number), (of_block, first) = parse_address(have), parse_address(text)
    except ValueError:
        return True
    free = FULL[family] - int(length or FULL[family])
    return family == of_block and number >> free == first >> free
