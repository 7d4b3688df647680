"""The rules that lead to our fallback routes, while some configured prefix has no route.

They come in pairs: one has the main table asked, but for its shorter routes, and the next one a table of fallback
routes; then the kernel goes on as ever, with all of the main table. So a fallback route never wins over a route that is
not shorter than it, no matter who made that. The last pair is for prefixes that lie in nothing of ours that is routed:
only what stands for a default route is too short there. A pair before it is for each length of inner fallback routes.

All have the priority that a rule gets by itself where there is none yet, and stand behind those that were there before
them: a rule of others that came first must stay first. So their order is that in which they have been added. The
second of a pair must never be there without the first, or fallback routes would win over all: so it comes after it and
goes before it, and none has ``suppress_prefixlength 0``, because ``wg-quick down`` deletes all such rules.

With rules of its own the kernel leaves a short cut and forwards some 4 % less; so they are there only while they are
needed.
"""

from __future__ import annotations

from nethook.net.prefix import parse_prefix
from nethook.parts.fallbacks import FALLBACKS, INNER, LONGEST, SHORT, table_of, unrouted
from nethook.parts.part import Delta, Key, Objects, Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host.host import Host

EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
OUR_PRIORITY = 32765
"""Right before the main table, which has 32766."""
MAIN_TABLE = 254


class FallbackRule(Key):
    """Everything of a family, '', and a number of three digits. The numbers descend from rule to rule."""

    __slots__ = ()

    @property
    def number(self) -> str:
        """The number, which tells length and kind of the rule."""
        return self[2]


class FallbackRules(Objects, words={"fallback_rule": "routing rule to {to}, for {prefix}"}):
    """The rules that lead to our fallback routes."""

    name = "fallback_rule"
    already_gone = ("No such file or directory",)

    def read(self, host: Host, question: Question) -> set[FallbackRule]:
        """Return ours, by our protocol number."""
        found: set[FallbackRule] = set()
        for rule in host.routing_rules(question.protocol):
            number = ""
            if rule.priority == OUR_PRIORITY:
                number = _number_of(rule.suppressed, rule.table, question.protocol)
            if number:  # other rules with our protocol are somebody else's
                found.add(FallbackRule((EVERYTHING[rule.family], "", number)))
        return found

    def want(self, case: Case) -> Wanted:
        """Want nothing by itself: which rules are needed depends on all routes (``compare``)."""
        del case
        return Wanted({})

    def compare(self, case: Case) -> Delta:
        """Return the rules that go, the last of them first, and those that come, in their order."""
        fallbacks = case.delta(FALLBACKS)
        inner = {key.prefix for key in case.afterwards(FALLBACKS) if key.kind == INNER}
        wanted = set() if case.clears else rules_for(unrouted(case, fallbacks) - inner, inner)
        there = case.state(self)
        stay = in_place(wanted, there)
        return Delta(sorted(there - stay), sorted(wanted - stay, reverse=True))

    def leads_to(self, key: FallbackRule) -> str:
        """Return where the rule leads in words: its number tells nobody anything."""
        length, is_main = divmod(int(key.number), 2)
        if is_main:
            return f"routes of the main table longer than /{length - 1 if length else SHORT}"
        return f"fallback routes of /{length}" if length else "fallback routes"

    def family_option(self, key: FallbackRule) -> str:
        """Return the option. ip does not look at the prefix of a rule."""
        return "-6" if key.prefix == EVERYTHING[6] else "-4"

    def add(self, key: FallbackRule, protocol: int) -> str:
        """Return the line that adds the rule, with its number."""
        return f"rule add {_words(key, protocol)}"

    def delete(self, key: FallbackRule, protocol: int) -> str:
        """Return the line that deletes the rule, if it is ours."""
        return f"rule del {_words(key, protocol)}"


def rules_for(outer: Iterable[str], inner: Iterable[str]) -> set[FallbackRule]:
    """Return the keys of the rules that have to be there while these prefixes have a fallback route and no other.

    The ``inner`` ones lie within a prefix that is routed.
    """
    lengths = {(":" in prefix, 0) for prefix in outer}
    lengths |= {(":" in prefix, parse_prefix(prefix).length) for prefix in inner}
    return {
        FallbackRule((EVERYTHING[6 if is_ipv6 else 4], "", _number(length, is_main=is_main)))
        for is_ipv6, length in lengths
        for is_main in (True, False)
    }


def in_place(wanted: set[FallbackRule], there: set[FallbackRule]) -> set[FallbackRule]:
    """Return those that are wanted and there, and stand where they should when the others have been added."""
    last = dict.fromkeys(EVERYTHING.values(), "")
    for everything, _, number in wanted - there:
        last[everything] = max(last[everything], number)
    return {key for key in wanted & there if key[2] > last[key[0]]}


def _number(length: int, *, is_main: bool) -> str:
    """Return the number of a rule. ``length`` is that of inner fallback routes, 0 for the others."""
    return f"{2 * length + is_main:03d}"


def _number_of(length: int, table: int, protocol: int) -> str:
    """Return the number of our rule with this length (-1: none) and table; '' if the rule is not ours."""
    if table == MAIN_TABLE and length >= SHORT:
        return _number(length + 1 if length > SHORT else 0, is_main=True)
    inner = table - table_of(protocol)
    return _number(inner, is_main=False) if length < 0 and 0 <= inner <= LONGEST else ""


def _words(key: FallbackRule, protocol: int) -> str:
    everything, _, number = key
    length, is_main = divmod(int(number), 2)
    lookup = f"main suppress_prefixlength {length - 1 if length else SHORT}" if is_main else table_of(protocol, length)
    return f"from {everything} pref {OUR_PRIORITY} lookup {lookup} protocol {protocol}"


FALLBACK_RULES = FallbackRules()
