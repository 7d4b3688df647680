"""The rules that lead to our fallback routes, while some configured prefix has no route.

One has the main table asked without its default route, the next the table of the fallback routes; then the kernel goes
on as ever, with all of the main table. So any route but the default wins over a fallback route, whoever made it. One
more, before these, leads to the inner fallback routes. With rules of its own the kernel leaves a short cut and forwards
some 4 % less; so they are there only while they are needed.

Messages and attributes: linux/rtnetlink.h, linux/fib_rules.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, AF_UNSPEC
from struct import pack, unpack, unpack_from

from nethook.kernel.fallbacks import tables
from nethook.kernel.kind import Kind
from nethook.kernel.netlink import attributes, routing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.kernel.kind import Key
    from nethook.kernel.process import Result

GET_RULES = 34
HEADER, HEADER_SIZE = "BBBBBBBBI", 12
PRIORITY, PROTOCOL = 6, 21
EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
FAMILIES = {AF_INET: 4, AF_INET6: 6}
BEFORE, WITHOUT_DEFAULT, BEHIND = 32763, 32764, 32765
"""Their priorities: right before the main table, which has 32766."""
OURS = frozenset({BEFORE, WITHOUT_DEFAULT, BEHIND})


class FallbackRules(Kind):
    """Keys are (everything of a family, '', priority)."""

    name = "fallback_rule"
    already_gone = ("No such file or directory",)

    def read(self, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours, by our protocol number."""
        del results
        found: set[Key] = set()
        rules = routing("routing rules", GET_RULES, pack(HEADER, AF_UNSPEC, *[0] * 8))
        for data, begin, end in rules:
            values = {number: data[at:until] for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
            family = FAMILIES.get(unpack_from("B", data, begin)[0])
            if family and PRIORITY in values and values.get(PROTOCOL) == bytes([protocol]):
                priority = unpack("I", values[PRIORITY])[0]
                if priority in OURS:  # others with our number are somebody else's
                    found.add((EVERYTHING[family], "", str(priority)))
        return found

    def family(self, key: Key) -> str:
        """ip does not look at the prefix."""
        return "-6" if key[0] == EVERYTHING[6] else "-4"

    def add(self, key: Key, protocol: int) -> str:
        """The rule, with its number."""
        return f"rule add {_words(key, protocol)}"

    def delete(self, key: Key, protocol: int) -> str:
        """The rule, if it is ours."""
        return f"rule del {_words(key, protocol)}"


def rules_for(outer: Iterable[str], inner: Iterable[str]) -> set[Key]:
    """Return the keys of the rules that have to be there while these prefixes have a fallback route and no other.

    The ``inner`` ones lie within a prefix that is routed.
    """
    needed = ((outer, (WITHOUT_DEFAULT, BEHIND)), (inner, (BEFORE,)))
    return {
        (EVERYTHING[6 if ":" in prefix else 4], "", str(priority))
        for prefixes, priorities in needed
        for prefix in prefixes
        for priority in priorities
    }


def _words(key: Key, protocol: int) -> str:
    everything, _, priority = key
    behind, before = tables(protocol)
    lookup = {BEFORE: before, WITHOUT_DEFAULT: "main suppress_prefixlength 0", BEHIND: behind}[int(priority)]
    return f"from {everything} pref {priority} lookup {lookup} protocol {protocol}"


FALLBACK_RULES = FallbackRules()
