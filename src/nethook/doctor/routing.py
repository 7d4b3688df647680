"""The station of routes: where the kernel sends packets to an address, and why. The way back is in way_back.py.

The answer of ``ip route get`` for a packet from outside counts. Routes, policy rules and reverse path filters are only
read to explain it.
"""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.doctor.facts import SOMEBODY
from nethook.doctor.finding import FAILURE, OK, Finding
from nethook.doctor.way_back import (
    back,
    elsewhere,
    exception,
    is_refused_as_forged,
    leads_out,
    other_way,
    reverse_path,
    rule_text,
)
from nethook.parts.routes import ROUTES
from nethook.placement.vital import needed
from nethook.prefix import BITS, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import Facts, Target
    from nethook.doctor.ip_answers import Answer
    from nethook.prefix import Prefix

ROUTE, POLICY = "route", "policy rule"
TABLES_OF_EVERYBODY = frozenset({"local", "main", "default"})


class Ways(NamedTuple):
    """The kernel's answers about one target.

    ``exact``: routes to its prefix; ``inner``: routes to parts of it; ``match``: routes to its address; ``back``: the
    way of a packet from it; ``there``: the way of a packet from outside, by the uplink on which it arrives.
    """

    exact: Answer
    inner: Answer
    match: Answer
    back: Answer
    there: dict[str, Answer]


def routing(facts: Facts, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield findings about the routes of these targets. The kernel is asked about all of them at once."""
    for family in (4, 6):
        members = [target for target in targets if target.family == family]
        for target, ways in zip(members, _ask(facts, family, members)):
            yield from _routing(facts, target, ways)


def _ask(facts: Facts, family: int, targets: Sequence[Target]) -> list[Ways]:
    somebody = SOMEBODY[family]
    questions = [
        question
        for target in targets
        for question in (
            f"route show exact {target.line.prefix.text}",
            f"route show root {target.line.prefix.text} table all",
            f"route show match {target.address}",
            f"route get {somebody} from {target.address} iif {target.bridge}",
        )
    ]
    answers = iter(facts.ask(family, questions))
    known = list(zip(answers, answers, answers, answers))
    uplinks = [
        facts.uplinks(family) or ([back.first["dev"]] if leads_out(facts, back) else []) for _, _, _, back in known
    ]
    inwards = [
        f"route get {target.address} from {somebody} iif {device}"
        for target, devices in zip(targets, uplinks)
        for device in devices
    ]
    ways = iter(facts.ask(family, inwards))
    return [Ways(*each, {device: next(ways) for device in devices}) for each, devices in zip(known, uplinks)]


def _routing(facts: Facts, target: Target, ways: Ways) -> Iterator[Finding]:
    found = [*_ours(facts, target, ways.exact), *_inner(facts, target, ways.inner)]
    if not found and ways.there:
        best = next(iter(ways.there))
        if not is_refused_as_forged(ways.there[best], target.family, best, ways.back):
            found = list(_there(facts, target, ways.there[best], ways.match))
    if not found:
        found += back(facts, target, ways.back)
        found += other_way(facts, target, ways.back)
    if not found:
        forged = {
            device for device, way in ways.there.items() if is_refused_as_forged(way, target.family, device, ways.back)
        }
        found += reverse_path(target, forged, is_only=len(ways.there) == 1)
    yield from found or [
        Finding(OK, ROUTE, f"leads to {target.bridge}, and back to the outside", addresses=[target.name])
    ]


def _ours(facts: Facts, target: Target, exact: Answer) -> Iterator[Finding]:
    """Yield a failure if the line's own route is missing, or if a foreign route takes its place."""
    if not ROUTES.is_lacking(facts.plan.case, target.route):
        return
    foreign = [route for route in exact.listed if route.get("dev") != target.bridge and not _is_ours(facts, route)]
    if foreign:
        text = f"there is a foreign route to {target.line.prefix}: {shown(foreign[0])}"
        command, advice = _removal(facts, target, foreign[0])
        command += " && nethook apply" if command else ""
        yield Finding(FAILURE, ROUTE, text, command=command, advice=advice, addresses=[target.name])
    else:
        text = f"there is no route to {target.line.prefix} on {target.bridge}"
        yield Finding(FAILURE, ROUTE, text, command="nethook apply", addresses=[target.name])


def _is_ours(facts: Facts, route: dict[str, Any]) -> bool:
    return str(route.get("protocol")) == str(facts.settings.route_protocol)


def _inner(facts: Facts, target: Target, inner: Answer) -> Iterator[Finding]:
    """Yield a failure for each foreign route in the main table that leads a part of the prefix elsewhere."""
    of_lines = {line.prefix.text for line in facts.configuration.routed_ips}
    for route in inner.listed:
        to = route["dst"]
        if "table" in route or to in {"default", target.line.prefix.text} or route.get("dev") == target.bridge:
            continue
        if to in of_lines and _is_ours(facts, route):
            continue
        if target.is_exact and not parse_prefix(target.address).lies_in(parse_prefix(to)):
            continue
        command, advice = _removal(facts, target, route)
        text = f"there is a foreign route to a part of {target.line.prefix}: {shown(route)}"
        yield Finding(FAILURE, ROUTE, text, command=command, advice=advice, addresses=[target.name])


def _there(facts: Facts, target: Target, way: Answer, match: Answer) -> Iterator[Finding]:
    """Yield a failure, with its cause, if a packet from outside does not get to the bridge."""
    if way.first.get("dev") == target.bridge:
        return
    where = elsewhere(way)
    rule = _guilty_rule(facts, target, way)
    if rule:
        ways = ("to",) if "dst" in rule else ("to", "from")
        yield Finding(
            FAILURE,
            POLICY,
            f"a policy rule sends packets to {target.name} elsewhere ({where}): {rule_text(rule)}",
            command=" && ".join(exception(target, way, rule) for way in ways),
            advice="and except these addresses in the configuration that this rule comes from",
            addresses=[target.name],
        )
        return
    longest = max(
        (route for route in match.listed if route.get("dev") != target.bridge),
        key=lambda route: _length(route["dst"], target.family),
        default=None,
    )
    text = f"packets to {target.name} are sent elsewhere ({where})"
    command, advice = "", f"see: ip -{target.family} route get {target.address}; ip -{target.family} rule"
    if longest and longest["dst"] != "default":
        text += f" by {shown(longest)}"
        command, advice = _removal(facts, target, longest)
    yield Finding(FAILURE, ROUTE, text, command=command, advice=advice, addresses=[target.name])


def _guilty_rule(facts: Facts, target: Target, way: Answer) -> dict[str, Any] | None:
    """Return the first policy rule before the main table that may have decided; None without one."""
    (rules,) = facts.ask(target.family, ["rule"])
    address = parse_prefix(target.address)
    candidates = []
    for rule in rules.listed:
        if rule.get("table") == "main" and rule.get("src") == "all" and "dst" not in rule:
            break
        is_about_it = "dst" not in rule or address.lies_in(_of_rule(rule))
        if rule.get("table") not in TABLES_OF_EVERYBODY and "l3mdev" not in rule and is_about_it:
            candidates.append(rule)
    table = way.first.get("table")
    decided = [rule for rule in candidates if rule.get("table") == table] if table else candidates
    return next(iter(decided), None)


def _of_rule(rule: dict[str, Any]) -> Prefix:
    length = f"/{rule['dstlen']}" if "dstlen" in rule else ""
    return parse_prefix(f"{rule['dst']}{length}")


def _length(to: str, family: int) -> int:
    if to == "default":
        return -1
    return int(to.partition("/")[2] or BITS[family])


def shown(route: dict[str, Any]) -> str:
    """Return a route as text, as short as ``ip`` accepts it."""
    words = [route["type"]] if "type" in route else []
    words.append(route["dst"])
    gateway = route.get("gateway") or route.get("via", {}).get("host")
    words += ["via", gateway] if gateway else []
    for key, word in (("dev", "dev"), ("protocol", "proto"), ("metric", "metric"), ("table", "table")):
        if key in route and not (key == "dev" and "type" in route):
            words += [word, str(route[key])]
    return " ".join(words)


def _removal(facts: Facts, target: Target, route: dict[str, Any]) -> tuple[str, str]:
    """Return the command that removes a foreign route, and advice; the command is '' if the host may need the route."""
    if route.get("protocol") == "kernel":
        why = f"it is the subnet of {route.get('dev')}"
    else:
        why = needed(facts.needs, parse_prefix(route["dst"]), [each.network for each in facts.live.values()])
    if why:
        return "", f"leave it, because {why}; change the line at {target.line.place}, or use another address"
    return deletion(target.family, route), "and remove it from the configuration that it comes from"


def deletion(family: int, route: dict[str, Any]) -> str:
    """Return the command that deletes this route."""
    return f"ip -{family} route del {join(shown(route).split())}"
