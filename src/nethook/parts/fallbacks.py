"""Our fallback routes: what is sent to a configured prefix while it leads nowhere is answered with an ICMP error.

Without one, the host would send it back to the provider by its default route, who sends it here again, until its time
to live ends. They come and go with the lines of the configuration, whatever networks are up.

They are in routing tables of their own, because libvirt refuses to start a network if the main table has a route to
exactly one of its prefixes, and because a routing daemon announces what it finds in there. Earlier releases had them in
the main table: those are deleted.

Rules lead to these tables while some configured prefix has no route. The rules come in pairs: the first has the main
table asked, but for its shorter routes, and the second a table of fallback routes. Then the kernel goes on as ever,
with all of the main table. So a fallback route never wins over a route that is not shorter, no matter who made that.
The last pair is for prefixes that lie in nothing of ours that is routed: only what stands for a default route is too
short there. A pair before it, with a table of its own, is for each length of inner fallback routes, whose prefixes lie
in another one that is routed.

All have the priority that a rule gets by itself where there is none yet, and stand behind those that were there before
them: a rule of others that came first must stay first. So their order is that in which they have been added. The
second of a pair must never be there without the first, or fallback routes would win over all: so it comes after it and
goes before it, and none has ``suppress_prefixlength 0``, because ``wg-quick down`` deletes all such rules.

With rules of its own the kernel leaves a short cut and forwards some 4 % less; so they are there only while they are
needed.
"""

from __future__ import annotations

from nethook.host.routes import MAIN as MAIN_TABLE
from nethook.parts.part import Delta, Key, Objects, Wanted
from nethook.parts.routes import ROUTES
from nethook.prefix import Ordered, disjoint, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.routes import RouteGroup
    from nethook.prefix import Prefix

INNER = "inner"
"""The kind of fallback route within another prefix that is routed."""
MAIN = "main"
MAIN_METRIC = (1 << 32) - 1
"""The one that fallback routes in the main table had."""
_SHAPE = "unreachable "

TABLES = 1000
"""Their tables begin at so many times our protocol: far from those that people and other programs number, up to 255."""
SHORT = 3
"""A route no longer than this stands for a default route: 0.0.0.0/1 and 128.0.0.0/1 of a tunnel, 2000::/3."""
LONGEST = 128


def table_of(protocol: int, length: int = 0) -> int:
    """Return the number of the routing table of inner fallback routes of this length; 0: of the others."""
    return TABLES * protocol + length


def is_inner(prefix: Prefix) -> bool:
    """Return whether there may be an inner fallback route for this prefix within another."""
    return prefix.length > SHORT + 1


class Fallback(Key):
    """Prefix, '', and '' or INNER, or MAIN for those of a release before."""

    __slots__ = ()

    @property
    def kind(self) -> str:
        """'', INNER or MAIN."""
        return self[2]


class Fallbacks(Objects, words={"fallback": "fallback route {prefix}"}):
    """Our fallback routes."""

    name = "fallback"
    already_gone = ("No such process", "FIB table does not exist", "ipv4: FIB table does not exist")

    def read(self, host: Host, question: Question) -> set[Fallback]:
        """Return ours. What is unreachable elsewhere, or with another metric, is somebody else's with our number."""
        del host
        found: set[Fallback] = set()
        for group in question.routes:
            kind = _kind(group, question.protocol) if group.is_unreachable else None
            if kind is not None:
                found.update(Fallback((prefix, "", kind)) for prefix in group.prefixes)
        return found

    def want(self, case: Case) -> Wanted:
        """Want a fallback route for each line, whatever networks are up; those of other networks stay as they are.

        So do those that a wrong line may be about.
        """
        wanted, stay = {}, set(case.in_doubt(case.state(self)))
        for line in case.lines:
            key = Fallback((line.prefix.text, "", ""))
            if case.scope.has_network(line.network):
                wanted[key] = line
            else:
                stay.add(key)
        return Wanted(wanted, stay)

    def compare(self, case: Case) -> Delta:
        """Return the difference, and add inner fallback routes, which depend on all routes."""
        outer = super().compare(case)
        there = case.state(self)
        inner = {Fallback((text, "", INNER)) for text in _inner(case, outer)}
        gone = {key for key in outer.gone if key.kind != INNER}
        gone.update(key for key in there if key.kind == INNER and key not in inner)
        return Delta(sorted(gone), [*outer.new, *sorted(inner - there)])

    def note(self, case: Case) -> set[str]:
        """Return the prefixes that lead somewhere when the changes have been made."""
        routes = case.afterwards(ROUTES).union(case.delta(ROUTES).inherited)
        routed = {route[0] for route in routes}
        routed.update(prefix for prefix, _ in case.snapshot.standing_in)
        return routed | case.scope.own_prefixes

    def add(self, key: Fallback, protocol: int) -> str:
        """Return the line that adds it. Never ``replace``, as with other routes."""
        return f"route add {_words(key, protocol)}"

    def delete(self, key: Fallback, protocol: int) -> str:
        """Return the line that deletes it, with all that makes it ours."""
        return f"route del {_words(key, protocol)}"

    def leads_to(self, key: Fallback) -> str:
        """Return the kind of fallback route."""
        return key.kind

    def why_not_added(self, key: Fallback, said: str, host: Host) -> str:
        """Return why not; '' if somebody else has made one in its place, which does the same."""
        del key, host
        return "" if said == "File exists" else said


def unrouted(case: Case, fallbacks: Delta) -> set[str]:
    """Return the prefixes that have a fallback route of ours and no other route, when the changes have been made."""
    there = case.state(FALLBACKS) - set(fallbacks.gone)
    prefixes = {key[0] for key in there.union(fallbacks.new) if key[2] != MAIN}
    routed: set[str] = case.note(FALLBACKS)
    return prefixes - routed


def _inner(case: Case, fallbacks: Delta) -> set[str]:
    """Return the prefixes without a route that lie within another prefix that has one."""
    lacking = unrouted(case, fallbacks)
    if not lacking:
        return set()
    around = Ordered(disjoint(parse_prefix(text) for text in case.note(FALLBACKS) if "/" in text))
    return {text for text in lacking if is_inner(prefix := parse_prefix(text)) and around.around(prefix)}


def _kind(group: RouteGroup, protocol: int) -> str | None:
    """Return the kind of these unreachable routes; None if they are not ours."""
    if group.table == table_of(protocol):
        return ""
    if group.table == table_of(protocol, group.length):
        return INNER
    return MAIN if group.table == MAIN_TABLE and group.metric == MAIN_METRIC else None


def _words(key: Fallback, protocol: int) -> str:
    if key.kind == MAIN:
        return f"{_SHAPE}{key.prefix} proto {protocol} metric {MAIN_METRIC}"
    length = parse_prefix(key.prefix).length if key.kind else 0
    return f"{_SHAPE}{key.prefix} table {table_of(protocol, length)} proto {protocol}"


FALLBACKS = Fallbacks()


EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
OUR_PRIORITY = 32765
"""Right before the main table, which has 32766."""


class FallbackRule(Key):
    """Everything of a family, '', and a number of three digits. The numbers descend from rule to rule."""

    __slots__ = ()

    @property
    def number(self) -> str:
        """The number, which tells length and kind of the rule."""
        return self[2]


class FallbackRules(Objects, words={"fallback_rule": "routing rule for {prefix}: {to}"}):
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
            return f"first the main table's routes longer than /{length - 1 if length else SHORT}"
        return f"then fallback routes of /{length}" if length else "then fallback routes"

    def family_option(self, key: FallbackRule) -> str:
        """Return the option. ip does not look at the prefix of a rule."""
        return "-6" if key.prefix == EVERYTHING[6] else "-4"

    def add(self, key: FallbackRule, protocol: int) -> str:
        """Return the line that adds the rule, with its number."""
        return f"rule add {_rule(key, protocol)}"

    def delete(self, key: FallbackRule, protocol: int) -> str:
        """Return the line that deletes the rule, if it is ours."""
        return f"rule del {_rule(key, protocol)}"


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


def _rule(key: FallbackRule, protocol: int) -> str:
    everything, _, number = key
    length, is_main = divmod(int(number), 2)
    lookup = f"main suppress_prefixlength {length - 1 if length else SHORT}" if is_main else table_of(protocol, length)
    return f"from {everything} pref {OUR_PRIORITY} lookup {lookup} protocol {protocol}"


FALLBACK_RULES = FallbackRules()
