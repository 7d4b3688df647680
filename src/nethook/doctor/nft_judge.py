"""What a chain of nftables does to a packet that is known in part: accepts, drops, or who knows. Pure.

Rules come as ``nft --json`` lists them (libnftables-json(5)). Of a packet to or from a guest its devices, addresses,
the mark bit and the state of its connection are known; ports, for example, are not, and neither is what expressions
mean that are not understood here. So a match has three values: yes, no, and perhaps (None).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.net.prefix import parse_address

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
    """A device is '' where it is not known, as the one that leads out is in the prerouting hook.

    ``mark`` is the mark bit if the packet has it there, else 0; ``bit`` the mark bit; ``state`` as conntrack's.
    """

    family: int
    device_in: str
    device_out: str
    source: str
    destination: str
    bit: int
    mark: int
    state: str


class Outcome(NamedTuple):
    """``blocked`` or not; the rule that does it (None: the policy), or that may (if not blocked); ``is_meant``: before
    it, something lets a part of what is sent to this very guest through, as who filters guests writes it.

    ``rule`` is in the base chain: what blocks, or the jump that leads there.
    """

    blocked: bool
    rule: dict[str, Any] | None = None
    may_block: dict[str, Any] | None = None
    is_meant: bool = False


class Judge:
    """Judges packets by the rules of one table. ``lookup`` tells whether a named set has a value; None: unknown."""

    def __init__(self, rules: Rules, lookup: Callable[[str, str], bool | None]) -> None:
        self._rules = rules
        self._lookup = lookup

    def judge(self, chain: str, policy: str, packet: Packet) -> Outcome:
        """What becomes of the packet in this base chain."""
        self._packet = packet
        self._may_block: dict[str, Any] | None = None
        self._is_meant = False
        for rule in self._rules.get(chain, ()):
            self._top = rule
            ended = self._rule(rule, certain=True, depth=0)
            if ended == "accept":
                return Outcome(False, may_block=self._may_block, is_meant=self._is_meant)
            if ended == "drop":
                return Outcome(True, rule, is_meant=self._is_meant)
            if ended == "return":
                break
        if policy == "drop":
            return Outcome(True, None, is_meant=self._is_meant)
        return Outcome(False, may_block=self._may_block, is_meant=self._is_meant)

    def _chain(self, name: str, *, certain: bool, depth: int) -> str:
        if depth > MOST_JUMPS:
            return ""
        for rule in self._rules.get(name, ()):
            ended = self._rule(rule, certain=certain, depth=depth)
            if ended in {"accept", "drop"}:
                return ended
            if ended == "return":
                return ""
            if ended == "perhaps":  # it may have returned: what follows is not certain any more
                certain = False
        return ""

    def _rule(self, rule: dict[str, Any], *, certain: bool, depth: int) -> str:
        """How it ends with this rule: accept, drop, return, perhaps (it may have returned); '' if it goes on."""
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
            elif kind not in WITHOUT_EFFECT:  # limit, xt and what is new
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
        if pairs is None:  # a named map: what is in it is not known
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
        """Whether the packet matches."""
        left, right, operator = content["left"], content["right"], content["op"]
        other = self._other_family(left)
        if other:
            return False
        if operator not in EQUALITY:
            return None
        if isinstance(left, dict) and "ct" in left and left["ct"].get("key") == "status":
            # Such packets are addressed to the guest itself: nothing is translated.
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
        """Whether a match that is true singles out this guest or its network, or routed addresses as such."""
        left = content["left"]
        payload = left.get("payload", {}) if isinstance(left, dict) else {}
        meta = left.get("meta", {}) if isinstance(left, dict) else {}
        is_address = payload.get("field") in {"daddr", "saddr"}
        return is_address or meta.get("key") in {"oifname", "oif"} or (isinstance(left, dict) and "&" in left)

    def _value(self, left: Any) -> Any:  # noqa: PLR0911 # one for each kind of expression
        """What the packet has there: a text, a number, a list of them for a concatenation; None if not known."""
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
        """Whether the value is what stands there, or is in the set that stands there."""
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
    return of_block == family and number >> free == first >> free
