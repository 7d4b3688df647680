"""The verdict of a chain of nftables on a packet that is known only in part: accepted, dropped, or unknown. Pure.

Rules are as ``nft --json`` lists them (libnftables-json(5)). What comes behind a rule that perhaps accepts everything
is not certain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.doctor.nft_match import FOR_A_PART, PART, SURE, UNSURE, Matcher, is_about_guest, level_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nethook.doctor.nft_match import Packet

    Rules = Mapping[str, Sequence[dict[str, Any]]]
    """Rules by the name of their chain."""

MOST_JUMPS = 32
BLOCKING = frozenset({"drop", "reject"})
ENDING = frozenset({"accept", "drop", "reject", "queue"})
VERDICTS = ENDING | {"return", "continue", "jump", "goto"}
WITHOUT_EFFECT = frozenset({"counter", "log", "mangle", "ct helper", "notrack", "flow", "set", "map", "ct timeout"})
RETURNED = {"perhaps": UNSURE, "in part": FOR_A_PART}
"""The level behind a rule, by how it ended."""


class Judgement(NamedTuple):
    """The verdict on a packet.

    ``rule`` is the rule of the base chain that blocks, or that jumps to the blocking one; None for the policy.
    ``may_block`` is a rule that blocks a part of such packets, or may block one that it names, though they are not
    ``blocked``. ``is_meant``: an earlier rule accepts a part of the packets to this guest, as rules of an admin who
    filters guests do.
    """

    blocked: bool
    rule: dict[str, Any] | None = None
    may_block: dict[str, Any] | None = None
    is_meant: bool = False


class Judge:
    """The judge of packets by the rules of one table.

    ``lookup`` returns whether a named set has a value, None if that is unknown. ``blocking`` are the statements that
    count as blocking: others end the walk as an accept does. ``may_pass``: by the last verdict, a rule may have let a
    part of such packets pass before the one that blocks.
    """

    def __init__(
        self, rules: Rules, lookup: Callable[[str, str], bool | None], blocking: Collection[str] = BLOCKING
    ) -> None:
        self._rules = rules
        self._lookup = lookup
        self._blocking = blocking
        self.may_pass = False

    def judge(self, chain: str, policy: str, packet: Packet) -> Judgement:
        """Return the verdict of this base chain on the packet."""
        self._matcher = Matcher(packet, self._lookup)
        self._may_block: dict[str, Any] | None = None
        self._is_meant = self.may_pass = False
        self._may_be_over = False
        level = SURE
        for rule in self._rules.get(chain, ()):
            self._top = rule
            ended = self._rule(rule, level, 0)
            if ended == "accept":
                return Judgement(False, may_block=self._may_block, is_meant=self._is_meant)
            if ended == "drop":
                return Judgement(True, rule, is_meant=self._is_meant)
            if ended == "return":
                break
            level |= RETURNED.get(ended, SURE)
        if policy in self._blocking and not self._may_be_over:
            return Judgement(True, None, is_meant=self._is_meant)
        return Judgement(False, may_block=self._may_block, is_meant=self._is_meant)

    def _chain(self, name: str, level: int, depth: int) -> str:
        if depth > MOST_JUMPS:
            return ""
        for rule in self._rules.get(name, ()):
            ended = self._rule(rule, level, depth)
            if ended in {"accept", "drop"}:
                return ended
            if ended == "return":
                return ""
            level |= RETURNED.get(ended, SURE)
        return ""

    def _rule(self, rule: dict[str, Any], level: int, depth: int) -> str:
        """Return how the rule ends: accept, drop, return, or one of RETURNED; '' if the next rule follows."""
        names_it = False
        for statement in rule.get("expr", ()):
            ((kind, content),) = statement.items()
            if kind == "match":
                one = self._matcher.match(content)
                if one is False:
                    return ""
                level |= level_of(one)
                names_it = names_it or (one is not None and is_about_guest(content))
            elif kind == "vmap":
                return self._vmap(content, level, depth)
            elif kind in VERDICTS or kind in self._blocking:
                return self._verdict(kind, content, level, depth, names_it=names_it)
            elif kind not in WITHOUT_EFFECT:  # limit, xt and new kinds
                level |= UNSURE
        return ""

    def _verdict(self, kind: str, content: Any, level: int, depth: int, *, names_it: bool) -> str:
        if self._may_be_over:
            level |= UNSURE
        if kind in self._blocking:
            if level == FOR_A_PART or (level and names_it):
                self._may_block = self._may_block or self._top
            return "" if level else "drop"
        if kind in ENDING:
            is_unsure = level & UNSURE or kind == "queue"  # a program decides
            self.may_pass = self.may_pass or bool(level or is_unsure)
            self._is_meant = self._is_meant or (bool(level) and names_it)
            self._may_be_over = self._may_be_over or bool(is_unsure and not level & FOR_A_PART)
            return "" if level or is_unsure else "accept"
        ended = "" if kind == "continue" else "return"
        if kind in {"jump", "goto"}:
            ended = self._chain(content["target"], level, depth + 1) or ("return" if kind == "goto" else "")
        if ended == "return" and level:
            return "perhaps" if level & UNSURE else "in part"
        return ended

    def _vmap(self, content: Any, level: int, depth: int) -> str:
        data = content["data"]
        pairs = data["set"] if isinstance(data, dict) and "set" in data else None
        value = self._matcher.value(content["key"])
        if pairs is None:  # a named map, whose content is unknown
            self.may_pass = True
            is_for_a_part = PART in (value if isinstance(value, list) else [value])
            self._may_be_over = self._may_be_over or not (is_for_a_part or level & FOR_A_PART)
            return ""
        for key, verdict in pairs:
            same = self._matcher.equals(value, key)
            if same is False:
                continue
            ((kind, target),) = verdict.items()
            ended = self._verdict(kind, target, level | level_of(same), depth, names_it=False)
            if ended in {"accept", "drop"} or same is True:
                return ended
        return ""
