"""Where the kernel sends what comes for an address, and what comes from it: routes, policy rules, reverse path filter.

What ``ip route get`` answers for a packet from outside is the truth; routes and rules are only looked at to say why.
"""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host import SOMEBODY, keep_sysctl, set_sysctl
from nethook.host.files import read, sysctl
from nethook.net.prefix import parse_prefix
from nethook.parts.routes import ROUTES
from nethook.placement.vital import needed, read_needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.doctor.host import Host, Target
    from nethook.doctor.ip import Answer
    from nethook.net.prefix import Prefix

ROUTE, POLICY, WAY_BACK, REVERSE_PATH = "route", "policy rule", "way back", "reverse path filter"
REFUSED_AS_FORGED = "Invalid cross-device link"
"""What the kernel says of a packet that the strict reverse path filter drops; newer ones say DROPPED."""
DROPPED = "Invalid argument"
SAID_OF = {DROPPED: "dropped", "No route to host": "unreachable", "Permission denied": "prohibited"}
"""How the kernel answers where a route or rule says blackhole, unreachable or prohibit (fib_props in the kernel)."""
STRICT, LOOSE = 1, 2
DROPPED_BY_IT = "IPReversePathFilter"
TABLES_OF_EVERYBODY = frozenset({"local", "main", "default"})
FULL = {4: 32, 6: 128}


class Ways(NamedTuple):
    """What the kernel answers about one target: routes to its prefix, to parts of it, and to its address; the way of a
    packet from it; and of one from outside, by the uplink where that comes in."""

    exact: Answer
    inner: Answer
    match: Answer
    back: Answer
    there: dict[str, Answer]


def routing(host: Host, targets: Sequence[Target]) -> Iterator[Finding]:
    """The stations of routes for these targets. What the kernel is asked is asked for all of them at once."""
    for family in (4, 6):
        members = [target for target in targets if target.family == family]
        for target, ways in zip(members, _ask(host, family, members)):
            yield from _routing(host, target, ways)


def _ask(host: Host, family: int, targets: Sequence[Target]) -> list[Ways]:
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
    answers = iter(host.ask(family, questions))
    known = list(zip(answers, answers, answers, answers))
    uplinks = [
        host.uplinks(family) or ([back.first["dev"]] if leads_out(host, back) else []) for _, _, _, back in known
    ]
    inwards = [
        f"route get {target.address} from {somebody} iif {device}"
        for target, devices in zip(targets, uplinks)
        for device in devices
    ]
    ways = iter(host.ask(family, inwards))
    return [Ways(*each, {device: next(ways) for device in devices}) for each, devices in zip(known, uplinks)]


def _routing(host: Host, target: Target, ways: Ways) -> Iterator[Finding]:
    found = [*_ours(host, target, ways.exact), *_inner(host, target, ways.inner)]
    if not found and ways.there:
        best = next(iter(ways.there))
        if not is_refused_as_forged(ways.there[best], target.family, best, ways.back):
            found = list(_there(host, target, ways.there[best], ways.match))
    if not found:
        found += _back(host, target, ways.back)
        forged = {
            device for device, way in ways.there.items() if is_refused_as_forged(way, target.family, device, ways.back)
        }
        found += _reverse_path(target, forged, is_only=len(ways.there) == 1)
    yield from found or [
        Finding(OK, ROUTE, f"leads to {target.bridge}, and back to the outside", addresses=[target.name])
    ]


def _ours(host: Host, target: Target, exact: Answer) -> Iterator[Finding]:
    """Whether the line's own route is there, or somebody else's in its place."""
    if target.route not in host.plan.case.note(ROUTES):
        return
    foreign = [route for route in exact.listed if route.get("dev") != target.bridge and not _is_ours(host, route)]
    if foreign:
        text = f"somebody else has a route to {target.line.prefix}: {shown(foreign[0])}"
        command, advice = _removal(host, target, foreign[0])
        command += " && nethook apply" if command else ""
        yield Finding(FAILURE, ROUTE, text, command=command, advice=advice, addresses=[target.name])
    else:
        text = f"there is no route to {target.line.prefix} on {target.bridge}"
        yield Finding(FAILURE, ROUTE, text, command="nethook apply", addresses=[target.name])


def _is_ours(host: Host, route: dict[str, Any]) -> bool:
    return str(route.get("protocol")) == str(host.settings.route_protocol)


def _inner(host: Host, target: Target, inner: Answer) -> Iterator[Finding]:
    """Routes of others to a part of the prefix, in the main table, that lead elsewhere."""
    of_lines = {line.prefix.text for line in host.configuration.routed_ips}
    for route in inner.listed:
        to = route["dst"]
        if "table" in route or to in {"default", target.line.prefix.text} or route.get("dev") == target.bridge:
            continue
        if to in of_lines and _is_ours(host, route):
            continue
        if target.is_exact and not parse_prefix(target.address).lies_in(parse_prefix(to)):
            continue
        command, advice = _removal(host, target, route)
        text = f"somebody else has a route to a part of {target.line.prefix}: {shown(route)}"
        yield Finding(FAILURE, ROUTE, text, command=command, advice=advice, addresses=[target.name])


def _there(host: Host, target: Target, way: Answer, match: Answer) -> Iterator[Finding]:
    """Whether a packet from outside gets to the bridge; if not, because of what."""
    if way.first.get("dev") == target.bridge:
        return
    elsewhere = _elsewhere(way)
    rule = _guilty_rule(host, target, way)
    if rule:
        block = target.line.prefix.text
        yield Finding(
            FAILURE,
            POLICY,
            f"a policy rule leads packets for {target.name} elsewhere ({elsewhere}): {rule_text(rule)}",
            command=f"ip -{target.family} rule add to {block} lookup main priority {before(rule)}",
            advice="and where the rule comes from, leave out these addresses",
            addresses=[target.name],
        )
        return
    longest = max(
        (route for route in match.listed if route.get("dev") != target.bridge),
        key=lambda route: _length(route["dst"], target.family),
        default=None,
    )
    text = f"packets for {target.name} are led elsewhere ({elsewhere})"
    command, advice = "", f"see: ip -{target.family} route get {target.address}; ip -{target.family} rule"
    if longest and longest["dst"] != "default":
        text += f" by {shown(longest)}"
        command, advice = _removal(host, target, longest)
    yield Finding(FAILURE, ROUTE, text, command=command, advice=advice, addresses=[target.name])


def _guilty_rule(host: Host, target: Target, way: Answer) -> dict[str, Any] | None:
    """The first rule in front of the main table that may be what decides: of the table, or with the verdict."""
    (rules,) = host.ask(target.family, ["rule"])
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
    """The priority of a rule that is asked before this one."""
    return max(int(rule["priority"]) - 1, 1)


def rule_text(rule: dict[str, Any]) -> str:
    """A policy rule, about as ``ip rule`` prints it."""
    parts = [f"{rule['priority']}:"]
    for key, word in (("src", "from"), ("dst", "to")):
        if key in rule:
            length = f"/{rule[key + 'len']}" if f"{key}len" in rule else ""
            parts.append(f"{word} {rule[key]}{length}")
    parts += [f"{key} {rule[key]}" for key in ("fwmark", "iif", "oif") if key in rule]
    parts.append(f"lookup {rule['table']}" if "table" in rule else str(rule.get("action", "")))
    return " ".join(parts)


def leads_out(host: Host, way: Answer) -> bool:
    """Whether the way ends neither here nor at a guest."""
    return "type" not in way.first and way.first.get("dev", "") not in {"", "lo", *host.bridges}


def _back(host: Host, target: Target, way: Answer) -> Iterator[Finding]:
    """Whether the guest's packets get to the outside."""
    if leads_out(host, way) or way.error == REFUSED_AS_FORGED:
        return
    if not host.default_routes(target.family):
        text = f"the host has no default route for IPv{target.family}, so nothing that guests send gets out"
        yield Finding(FAILURE, WAY_BACK, text, advice=f"add one: ip -{target.family} route add default via ROUTER")
        return
    text = f"what is sent from {target.name} does not get out ({_elsewhere(way)})"
    advice = f"see: ip -{target.family} rule; ip -{target.family} route show table all"
    yield Finding(FAILURE, WAY_BACK, text, advice=advice, addresses=[target.name])


def is_refused_as_forged(way: Answer, family: int, device: str, way_back: Answer) -> bool:
    """Whether the reverse path filter of this device is what drops a packet from outside. IPv6 has none."""
    if family != 4 or way.error != DROPPED:
        return way.error == REFUSED_AS_FORGED
    values = [sysctl(f"net/ipv4/conf/{name}/rp_filter") or 0 for name in ("all", device)]
    return max(values) == STRICT and way_back.first.get("dev") != device


def _reverse_path(target: Target, devices: Iterable[str], *, is_only: bool) -> Iterator[Finding]:
    """Whether an uplink drops what comes in by it, since the way back is another one.

    With several uplinks nobody can know by which one the provider delivers. That the kernel has dropped packets for
    that reason tells.
    """
    certain = is_only or _dropped() > 0
    for device in sorted(devices):
        name = f"net/ipv4/conf/{device}/rp_filter"
        yield Finding(
            FAILURE if certain else WARNING,
            REVERSE_PATH,
            f"what comes from outside by {device} is dropped: its rp_filter is strict, and the way back is another one",
            command=set_sysctl(name, LOOSE),
            advice=keep_sysctl(name, LOOSE),
            addresses=[target.name],
        )


def _dropped() -> int:
    """How many packets the reverse path filter has dropped here."""
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
    """A route, as short as ``ip`` takes it."""
    words = [route["type"]] if "type" in route else []
    words.append(route["dst"])
    gateway = route.get("gateway") or route.get("via", {}).get("host")
    words += ["via", gateway] if gateway else []
    for key, word in (("dev", "dev"), ("protocol", "proto"), ("metric", "metric"), ("table", "table")):
        if key in route and not (key == "dev" and "type" in route):
            words += [word, str(route[key])]
    return " ".join(words)


def _removal(host: Host, target: Target, route: dict[str, Any]) -> tuple[str, str]:
    """The command that takes another's route out of the way, and advice; no command where the host may need it."""
    if route.get("protocol") == "kernel":
        why = f"it is the subnet of {route.get('dev')}"
    else:
        why = needed(read_needs(host.tools), parse_prefix(route["dst"]), [each.network for each in host.live.values()])
    if why:
        return "", f"leave it, because {why}; change the line at {target.line.place}, or use another address"
    return deletion(target.family, route), "and remove it where it comes from"


def deletion(family: int, route: dict[str, Any]) -> str:
    """The command that deletes this route."""
    return f"ip -{family} route del {join(shown(route).split())}"
