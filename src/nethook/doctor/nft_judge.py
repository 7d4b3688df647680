"""The verdict of a chain of nftables on a packet that is known only in part: accepted, dropped, or unknown. Pure.

Rules are as ``nft --json`` lists them (libnftables-json(5)). Of a packet to or from a guest, its devices, addresses,
mark bit and connection state are known. Its ports are unknown, for example, and so are some expressions to this module.
So a match has three values: True, False, and None for unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.prefix import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rules = Mapping[str, Sequence[dict[str, Any]]]
    """Rules by the name of their chain."""

MOST_JUMPS = 32
NEGATION = {"!="}
EQUALITY = {"==", "in", "!="}
VERDICTS = ("accept", "drop", "reject", "return", "continue", "jump", "goto", "queue")
WITHOUT_EFFECT = frozenset({"counter", "log", "mangle", "ct helper", "notrack", "flow", "set", "map", "ct timeout"})
FULL = {4: 32, 6: 128}
FAMILIES = {"ip": 4, "ip6": 6}


class Packet(NamedTuple):
    """A packet to or from a guest, in one hook.

    A device is '' if it is unknown, as the outgoing one is in the prerouting hook. ``bit`` is our mark bit; ``mark`` is
    the same bit if the packet has it in this hook, else 0. ``state`` is that of conntrack.
    """

    family: int
    device_in: str
    device_out: str
    source: str
    destination: str
    bit: int
    mark: int
    state: str


class Judgement(NamedTuple):
    """The verdict on a packet.

    ``rule`` is the rule of the base chain that blocks, or that jumps to the blocking one; None for the policy.
    ``may_block`` is a rule that may block a packet that is not ``blocked``. ``is_meant``: an earlier rule accepts a
    part of the packets to this guest, as rules of an admin who filters guests do.
    """

    blocked: bool
    rule: dict[str, Any] | None = None
    may_block: dict[str, Any] | None = None
    is_meant: bool = False


class Judge:
    """The judge of packets by the rules of one table.

    ``lookup`` returns whether a named set has a value, None if that is unknown.
    """

    def __init__(self, rules: Rules, lookup: Callable[[str, str], bool | None]) -> None:
        self._rules = rules
        self._lookup = lookup

    def judge(self, chain: str, policy: str, packet: Packet) -> Judgement:
        """Return the verdict of this base chain on the packet."""
        self._packet = packet
        self._may_block: dict[str, Any] | None = None
        self._is_meant = False
        for rule in self._rules.get(chain, ()):
            self._top = rule
            ended = self._rule(rule, certain=True, depth=0)
            if ended == "accept":
                return Judgement(False, may_block=self._may_block, is_meant=self._is_meant)
            if ended == "drop":
                return Judgement(True, rule, is_meant=self._is_meant)
            if ended == "return":
                break
        if policy == "drop":
            return Judgement(True, None, is_meant=self._is_meant)
        return Judgement(False, may_block=self._may_block, is_meant=self._is_meant)

    def _chain(self, name: str, *, certain: bool, depth: int) -> str:
        if depth > MOST_JUMPS:
            return ""
        for rule in self._rules.get(name, ()):
            ended = self._rule(rule, certain=certain, depth=depth)
            if ended in {"accept", "drop"}:
                return ended
            if ended == "return":
                return ""
            if ended == "perhaps":  # it may have returned, so the following rules are uncertain
                certain = False
        return ""

    def _rule(self, rule: dict[str, Any], *, certain: bool, depth: int) -> str:
        """Return how the rule ends: accept, drop, return, perhaps (it may return); '' if the next rule follows."""
        matches: bool | None = True
        names_it = False
        for statement in rule.get("expr", ()):
            ((kind, content),) = statement.items()
            if kind == "match":
                one = self.match(content)
                if one is False:
                    return ""
                matches = matches and one
                names_it = names_it or (one is True and self._is_about_guest(content))
            elif kind == "vmap":
                return self._vmap(content, certain=certain and matches is True, depth=depth)
            elif kind in VERDICTS:
                return self._verdict(kind, content, certain and matches is True, names_it=names_it, depth=depth)
            elif kind not in WITHOUT_EFFECT:  # limit, xt and new kinds
                matches = None
        return ""

    def _verdict(self, kind: str, content: Any, certain: bool, *, names_it: bool, depth: int) -> str:
        if kind == "accept":
            if not certain:
                self._is_meant = self._is_meant or names_it
            return "accept" if certain else ""
        if kind in {"drop", "reject"}:
            if not certain:
                self._may_block = self._may_block or self._top
            return "drop" if certain else ""
        if kind == "return":
            return "return" if certain else "perhaps"
        if kind in {"jump", "goto"}:
            ended = self._chain(content["target"], certain=certain, depth=depth + 1)
            if kind == "goto" and not ended:
                return "return" if certain else "perhaps"
            return ended
        return ""

    def _vmap(self, content: Any, *, certain: bool, depth: int) -> str:
        data = content["data"]
        pairs = data["set"] if isinstance(data, dict) and "set" in data else None
        if pairs is None:  # a named map, whose content is unknown
            return ""
        value = self._value(content["key"])
        for key, verdict in pairs:
            same = None if value is None else self._is(value, key)
            if same is False:
                continue
            ((kind, target),) = verdict.items()
            ended = self._verdict(kind, target, certain and same is True, names_it=False, depth=depth)
            if ended or same is True:
                return ended
        return ""

    def match(self, content: dict[str, Any]) -> bool | None:
        """Return whether the packet matches; None if that is unknown."""
        left, right, operator = content["left"], content["right"], content["op"]
        other = self._other_family(left)
        if other:
            return False
        if operator not in EQUALITY:
            return None
        if isinstance(left, dict) and "ct" in left and left["ct"].get("key") == "status":
            # These packets are addressed to the guest itself, without NAT.
            words = right if isinstance(right, list) else [right]
            same: bool | None = False if set(words) <= {"dnat", "snat"} else None
        else:
            value = self._value(left)
            same = None if value is None else self._is(value, right)
        if same is None:
            return None
        return not same if operator in NEGATION else same

    def _other_family(self, left: Any) -> bool:
        protocol = left.get("payload", {}).get("protocol") if isinstance(left, dict) else None
        return protocol in FAMILIES and FAMILIES[protocol] != self._packet.family

    def _is_about_guest(self, content: dict[str, Any]) -> bool:
        """Return whether a true match selects this guest, its network, or routed addresses in general."""
        left = content["left"]
        payload = left.get("payload", {}) if isinstance(left, dict) else {}
        meta = left.get("meta", {}) if isinstance(left, dict) else {}
        is_address = payload.get("field") in {"daddr", "saddr"}
        return is_address or meta.get("key") in {"oifname", "oif"} or (isinstance(left, dict) and "&" in left)

    def _value(self, left: Any) -> Any:  # noqa: PLR0911 # one for each kind of expression
        """Return the packet's value of an expression: a text, a number, a list for a concatenation; None if unknown."""
        if not isinstance(left, dict):
            return None
        ((kind, content),) = left.items()
        packet = self._packet
        if kind == "meta":
            return {
                "iifname": packet.device_in or None,
                "iif": packet.device_in or None,
                "oifname": packet.device_out or None,
                "oif": packet.device_out or None,
                "nfproto": f"ipv{packet.family}",
                "protocol": "ip" if packet.family == 4 else "ip6",
            }.get(content.get("key"))
        if kind == "payload" and content.get("protocol") in FAMILIES:
            return {"saddr": packet.source, "daddr": packet.destination}.get(content.get("field"))
        if kind == "ct" and content.get("key") == "state":
            return packet.state
        if kind == "&" and content[0] == {"meta": {"key": "mark"}} and content[1] == packet.bit:
            return packet.mark
        if kind == "concat":
            values = [self._value(part) for part in content]
            return None if None in values else values
        return None

    def _is(self, value: Any, right: Any) -> bool | None:  # noqa: PLR0911 # one for each kind of value
        """Return whether the value equals the right side of a match, or is in its set; None if that is unknown."""
        if isinstance(right, list):
            return _any(self._is(value, each) for each in right)
        if isinstance(right, str) and right.startswith("@"):
            return self._lookup(right[1:], " . ".join(value) if isinstance(value, list) else str(value))
        if isinstance(right, dict):
            ((kind, content),) = right.items()
            if kind in {"set", "|"}:
                return self._is(value, content)
            if kind == "concat" and isinstance(value, list):
                found = [self._is(one, other) for one, other in zip(value, content)]
                return False if False in found else None if None in found else True
            if kind == "elem":
                return self._is(value, content["val"])
            if kind in {"prefix", "range"} and isinstance(value, str):
                return _lies_in(value, kind, content)
            return None
        if isinstance(right, str) and right.endswith("*") and isinstance(value, str):
            return value.startswith(right[:-1])
        if isinstance(value, list):
            return None
        return bool(value == right)


def _any(answers: Any) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False


def _lies_in(address: str, kind: str, content: Any) -> bool | None:
    try:
        family, number = parse_address(address)
        if kind == "range":
            (of_first, first), (of_last, last) = parse_address(content[0]), parse_address(content[1])
            return of_first == of_last == family and first <= number <= last
        of_block, first = parse_address(content["addr"])
        free = FULL[of_block] - content["len"]
    except (TypeError, ValueError, AttributeError):
        return None
    return of_block == family and (number >> free) == (first >> free)
