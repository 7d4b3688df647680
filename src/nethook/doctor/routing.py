"""The station of routes: where the kernel sends packets to an address and from it, and why.

The answer of ``ip route get`` for a packet from outside counts. Routes, policy rules and reverse path filters are only
read to explain it.
"""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.doctor.facts import SOMEBODY, keep_sysctl, set_sysctl
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.host.files import read, sysctl
from nethook.parts.routes import ROUTES
from nethook.placement.vital import needed
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.doctor.facts import Facts, Target
    from nethook.doctor.ip_answers import Answer
    from nethook.prefix import Prefix

ROUTE, POLICY, WAY_BACK, REVERSE_PATH = "route", "policy rule", "way back", "reverse path filter"
REFUSED_AS_FORGED = "Invalid cross-device link"
"""The kernel's error for a packet that the strict reverse path filter drops; newer kernels return DROPPED."""
DROPPED = "Invalid argument"
SAID_OF = {DROPPED: "dropped", "No route to host": "unreachable", "Permission denied": "prohibited"}
"""The kernel's errors for the route types blackhole, unreachable and prohibit (fib_props in the kernel)."""
STRICT, LOOSE = 1, 2
DROPPED_BY_IT = "IPReversePathFilter"
TABLES_OF_EVERYBODY = frozenset({"local", "main", "default"})
FULL = {4: 32, 6: 128}


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
        found += _back(facts, target, ways.back)
        forged = {
            device for device, way in ways.there.items() if is_refused_as_forged(way, target.family, device, ways.back)
        }
        found += _reverse_path(target, forged, is_only=len(ways.there) == 1)
    yield from found or [
        Finding(OK, ROUTE, f"leads to {target.bridge}, and back to the outside", addresses=[target.name])
    ]


def _ours(facts: Facts, target: Target, exact: Answer) -> Iterator[Finding]:
    """Yield a failure if the line's own route is missing, or if a foreign route takes its place."""
    if target.route not in facts.plan.case.note(ROUTES):
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
    elsewhere = _elsewhere(way)
    rule = _guilty_rule(facts, target, way)
    if rule:
        block = target.line.prefix.text
        yield Finding(
            FAILURE,
            POLICY,
            f"a policy rule sends packets to {target.name} elsewhere ({elsewhere}): {rule_text(rule)}",
            command=f"ip -{target.family} rule add to {block} lookup main priority {before(rule)}",
            advice="and except these addresses in the configuration that this rule comes from",
            addresses=[target.name],
        )
        return
    longest = max(
        (route for route in match.listed if route.get("dev") != target.bridge),
        key=lambda route: _length(route["dst"], target.family),
        default=None,
    )
    text = f"packets to {target.name} are sent elsewhere ({elsewhere})"
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
        if rule.get("table") not in TABLES_OF_EVERYBODY and ("dst" not in rule or address.lies_in(_of_rule(rule))):
            candidates.append(rule)
    table = way.first.get("table")
    decided = [rule for rule in candidates if rule.get("table") == table] if table else candidates
    return next(iter(decided), None)


def _of_rule(rule: dict[str, Any]) -> Prefix:
    length = f"/{rule['dstlen']}" if "dstlen" in rule else ""
    return parse_prefix(f"{rule['dst']}{length}")


def before(rule: dict[str, Any]) -> int:
    """Return a priority before that of this rule."""
    return max(int(rule["priority"]) - 1, 1)


def rule_text(rule: dict[str, Any]) -> str:
    """Return a policy rule as text, similar to ``ip rule``."""
    parts = [f"{rule['priority']}:"]
    for key, word in (("src", "from"), ("dst", "to")):
        if key in rule:
            length = f"/{rule[key + 'len']}" if f"{key}len" in rule else ""
            parts.append(f"{word} {rule[key]}{length}")
    parts += [f"{key} {rule[key]}" for key in ("fwmark", "iif", "oif") if key in rule]
    parts.append(f"lookup {rule['table']}" if "table" in rule else str(rule.get("action", "")))
    return " ".join(parts)


def leads_out(facts: Facts, way: Answer) -> bool:
    """Return whether the way leads neither to the host itself nor to a guest."""
    return "type" not in way.first and way.first.get("dev", "") not in {"", "lo", *facts.bridges}


def _back(facts: Facts, target: Target, way: Answer) -> Iterator[Finding]:
    """Yield a failure if the guest's packets do not leave the host."""
    if leads_out(facts, way) or way.error == REFUSED_AS_FORGED:
        return
    if not facts.default_routes(target.family):
        text = f"the host has no default route for IPv{target.family}, so packets of guests do not leave the host"
        yield Finding(FAILURE, WAY_BACK, text, advice=f"add one: ip -{target.family} route add default via ROUTER")
        return
    text = f"packets from {target.name} do not leave the host ({_elsewhere(way)})"
    advice = f"see: ip -{target.family} rule; ip -{target.family} route show table all"
    yield Finding(FAILURE, WAY_BACK, text, advice=advice, addresses=[target.name])


def is_refused_as_forged(way: Answer, family: int, device: str, way_back: Answer) -> bool:
    """Return whether this device's reverse path filter drops a packet from outside. IPv6 has no such filter."""
    if family != 4 or way.error != DROPPED:
        return way.error == REFUSED_AS_FORGED
    values = [sysctl(f"net/ipv4/conf/{name}/rp_filter") or 0 for name in ("all", device)]
    return max(values) == STRICT and way_back.first.get("dev") != device


def _reverse_path(target: Target, devices: Iterable[str], *, is_only: bool) -> Iterator[Finding]:
    """Yield a finding for each uplink that drops packets because the way back is another one.

    With several uplinks, it is unknown on which one the provider delivers. If the kernel has dropped packets for this
    reason, it is certain.
    """
    certain = is_only or _dropped() > 0
    for device in sorted(devices):
        name = f"net/ipv4/conf/{device}/rp_filter"
        yield Finding(
            FAILURE if certain else WARNING,
            REVERSE_PATH,
            f"packets from outside are dropped on {device}: its rp_filter is strict, and the way back is another one",
            command=set_sysctl(name, LOOSE),
            advice=keep_sysctl(name, LOOSE),
            addresses=[target.name],
        )


def _dropped() -> int:
    """Return the number of packets that the reverse path filter has dropped on this host."""
    lines = (read("/proc/self/net/netstat") or "").splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        counts = dict(zip(names.split(), values.split()))
        if DROPPED_BY_IT in counts:
            return int(counts[DROPPED_BY_IT])
    return 0


def _elsewhere(way: Answer) -> str:
    if way.error:
        return SAID_OF.get(way.error, way.error)
    kind = way.first.get("type")
    if kind == "local":
        return "to the host itself"
    return f"to {way.first['dev']}" if "dev" in way.first else str(kind)


def _length(to: str, family: int) -> int:
    if to == "default":
        return -1
    return int(to.partition("/")[2] or FULL[family])


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
