"""The question whether a packet that is known only in part meets a condition of an nftables rule. Pure.

Of a packet to or from a guest, its devices, addresses, mark bit and connection state are known. Its ports are not:
there are packets of all kinds. And some expressions are unknown to this module. So the answer is True, False, PART for
conditions that some of the packets meet, or None for unknown. Expressions are as ``nft --json`` lists them
(libnftables-json(5)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Union

from nethook.prefix import BITS, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Answer = Union[bool, str, None]

NEGATION = {"!="}
EQUALITY = {"==", "in", "!="}
FAMILIES = {"ip": 4, "ip6": 6}
PART = "part"
MARK = {"meta": {"key": "mark"}}
FULL_MARK = 0xFFFFFFFF
SURE, FOR_A_PART, UNSURE = 0, 1, 2
"""Bits of a level: whether a rule is reached by a part of the packets only, and whether it is reached is unknown."""
OF_A_PART = frozenset({"l4proto", "length"})
"""Keys of ``meta`` that differ from packet to packet."""
OF_LINKS = frozenset({"ether", "vlan", "arp"})


def level_of(matches: Answer) -> int:
    """Return the level of a rule whose conditions have this value, which is not False."""
    return SURE if matches is True else FOR_A_PART if matches == PART else UNSURE


class Packet(NamedTuple):
    """A packet to or from a guest, in one hook.

    A device is '' if it is unknown, as the outgoing one is in the prerouting hook. ``bit`` is our mark bit; ``mark`` is
    the same bit if the packet has it in this hook, else 0. ``state`` is that of conntrack. ``is_forwarded``: its
    connection has come by a forward (DNAT).
    """

    family: int
    device_in: str
    device_out: str
    source: str
    destination: str
    bit: int
    mark: int
    state: str
    is_forwarded: bool = False


class Matcher:
    """The conditions of rules, for one packet.

    ``lookup`` returns whether a named set has a value, None if that is unknown.
    """

    def __init__(self, packet: Packet, lookup: Callable[[str, str], bool | None]) -> None:
        self._packet = packet
        self._lookup = lookup

    def match(self, content: dict[str, Any]) -> Answer:
        """Return whether the packet matches: True, False, PART, or None for unknown."""
        left, right, operator = content["left"], content["right"], content["op"]
        if self._other_family(left):
            return False
        masked = self._masked(left, right)
        if isinstance(left, dict) and "ct" in left and left["ct"].get("key") == "status":
            words = right if isinstance(right, list) else [right]
            is_known = set(words) <= {"dnat", "snat"}
            same: Answer = self._packet.is_forwarded and "dnat" in words if is_known else None
        elif masked is not PART:
            same = masked
        else:
            same = self.equals(self.value(left), right)
        if operator not in EQUALITY:
            return PART if self.value(left) == PART else None
        if isinstance(same, bool) and operator in NEGATION:
            return not same
        return same

    def _masked(self, left: Any, right: Any) -> Answer:
        """Return whether the packet's mark, or some bits of it, has this value; PART if ``left`` is another thing."""
        operands: Sequence[Any] = left.get("&", ()) if isinstance(left, dict) else ()
        if left == MARK:
            mask = FULL_MARK
        elif len(operands) == 2 and operands[0] == MARK and isinstance(operands[1], int):
            mask = operands[1]
        else:
            return PART
        packet = self._packet
        if not isinstance(right, int):
            return None
        if right & packet.bit != packet.mark & mask:
            return False
        return True if mask == packet.bit else None

    def _other_family(self, left: Any) -> bool:
        protocol = left.get("payload", {}).get("protocol") if isinstance(left, dict) else None
        return protocol in FAMILIES and FAMILIES[protocol] != self._packet.family

    def value(self, left: Any) -> Any:  # noqa: PLR0911 # one for each kind of expression
        """Return the value that the packet has of an expression: a text, a number, a list for a concatenation.

        It is PART if packets differ in it, and None if it is unknown.
        """
        if not isinstance(left, dict):
            return None
        ((kind, content),) = left.items()
        packet = self._packet
        if kind == "meta":
            key = content.get("key")
            return {
                "iifname": packet.device_in or None,
                "iif": packet.device_in or None,
                "oifname": packet.device_out or None,
                "oif": packet.device_out or None,
                "nfproto": f"ipv{packet.family}",
                "protocol": "ip" if packet.family == 4 else "ip6",
                "pkttype": "host",
                **dict.fromkeys(OF_A_PART, PART),
            }.get(key)
        if kind == "payload":
            known = {"saddr": packet.source, "daddr": packet.destination}
            protocol, field = content.get("protocol"), content.get("field")
            is_of_link = protocol in OF_LINKS or content.get("base") == "ll"
            if is_of_link or field == "flags":  # those of TCP are mostly asked for packets that no system sends
                return None
            return known.get(field, PART) if protocol in FAMILIES else PART
        if kind == "ct" and content.get("key") == "state":
            return packet.state
        if kind == "fib" and content.get("result") == "type":
            return "unicast" if set(content.get("flags", ())) <= {"saddr", "daddr"} else None
        if kind == "&":
            return PART if self.value(content[0]) == PART else None
        if kind == "concat":
            return [self.value(part) for part in content]
        return None

    def equals(self, value: Any, right: Any) -> Answer:  # noqa: PLR0911 # one for each kind of value
        """Return whether the value equals the right side of a match, or is in its set: True, False, PART or None."""
        if isinstance(right, list):
            return _any(self.equals(value, each) for each in right)
        if isinstance(right, dict) and {*right} <= {"set", "|", "elem"}:
            ((kind, content),) = right.items()
            return self.equals(value, content["val"] if kind == "elem" else content)
        if isinstance(value, list):
            return self._is_all(value, right)
        if value is None or value == PART:
            return None if value is None else PART
        if isinstance(right, str) and right.startswith("@"):
            return self._lookup(right[1:], str(value))
        if isinstance(right, dict):
            ((kind, content),) = right.items()
            return _lies_in(value, kind, content) if kind in {"prefix", "range"} and isinstance(value, str) else None
        if isinstance(right, str) and right.endswith("*") and isinstance(value, str):
            return value.startswith(right[:-1])
        return bool(value == right)

    def _is_all(self, values: list[Any], right: Any) -> Answer:
        """Return whether a concatenation equals the right side of a match, or is in its named set."""
        if isinstance(right, dict) and "concat" in right:
            found = [self.equals(one, other) for one, other in zip(values, right["concat"])]
            return False if False in found else None if None in found else PART if PART in found else True
        is_known = None not in values and PART not in values
        if isinstance(right, str) and right.startswith("@") and is_known:
            return self._lookup(right[1:], " . ".join(values))
        return None


def is_about_guest(content: dict[str, Any]) -> bool:
    """Return whether a condition selects a guest, its network, or routed addresses in general."""
    left = content["left"]
    if not isinstance(left, dict):
        return False
    for part in left.get("concat", [left]):
        payload, meta = part.get("payload", {}), part.get("meta", {})
        if payload.get("field") in {"daddr", "saddr"} or meta.get("key") in {"oifname", "oif"}:
            return True
    return MARK in left.get("&", ())


def _any(answers: Any) -> Answer:
    found = list(answers)
    return True if True in found else PART if PART in found else None if None in found else False


def _lies_in(address: str, kind: str, content: Any) -> bool | None:
    try:
        family, number = parse_address(address)
        if kind == "range":
            (of_first, first), (of_last, last) = parse_address(content[0]), parse_address(content[1])
            return of_first == of_last == family and first <= number <= last
        of_block, first = parse_address(content["addr"])
        free = BITS[of_block] - content["len"]
    except (TypeError, ValueError, AttributeError):
        return None
    return of_block == family and (number >> free) == (first >> free)
