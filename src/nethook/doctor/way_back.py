"""The station of the way back: whether the guest's packets leave the host, and by the uplink by which others come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.doctor.facts import SOMEBODY, keep_sysctl, set_sysctl
from nethook.doctor.finding import FAILURE, WARNING, Finding
from nethook.doctor.guest_marks import mark_of
from nethook.host.files import read, sysctl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.doctor.facts import Facts, Target
    from nethook.doctor.ip_answers import Answer

WAY_BACK, REVERSE_PATH = "way back", "reverse path filter"
REFUSED_AS_FORGED = "Invalid cross-device link"
"""The kernel's error for a packet that the strict reverse path filter drops; newer kernels return DROPPED."""
DROPPED = "Invalid argument"
SAID_OF = {DROPPED: "dropped", "No route to host": "unreachable", "Permission denied": "prohibited"}
"""The kernel's errors for the route types blackhole, unreachable and prohibit (fib_props in the kernel)."""
STRICT, LOOSE = 1, 2
DROPPED_BY_IT = "IPReversePathFilter"


def leads_out(facts: Facts, way: Answer) -> bool:
    """Return whether the way leads neither to the host itself nor to a guest."""
    return "type" not in way.first and way.first.get("dev", "") not in {"", "lo", *facts.bridges}


def back(facts: Facts, target: Target, way: Answer) -> Iterator[Finding]:
    """Yield a failure if the guest's packets do not leave the host."""
    if leads_out(facts, way) or way.error == REFUSED_AS_FORGED:
        return
    if not facts.default_routes(target.family):
        text = f"the host has no default route for IPv{target.family}, so packets of guests do not leave the host"
        advice = f"add one: ip -{target.family} route add default via ROUTER"
        yield Finding(FAILURE, WAY_BACK, text, advice=advice, addresses=[target.name])
        return
    text = f"packets from {target.name} do not leave the host ({elsewhere(way)})"
    advice = f"see: ip -{target.family} rule; ip -{target.family} route show table all"
    yield Finding(FAILURE, WAY_BACK, text, advice=advice, addresses=[target.name])


def other_way(facts: Facts, target: Target, way: Answer) -> Iterator[Finding]:
    """Yield a finding if a policy rule for everybody sends the guest's packets to another device than the uplink.

    That is what a VPN for the whole host does. A rule that names the source or the device is about guests, so it is
    meant. A route without a gateway leads into a tunnel. Behind a gateway may be a second uplink.
    """
    main = [route for route in facts.default_routes(target.family) if "table" not in route]
    uplinks = [hop["dev"] for route in main for hop in (route, *route.get("nexthops", ())) if "dev" in hop]
    device = way.first.get("dev")
    if device not in uplinks and uplinks:
        mark = mark_of(facts, target)
        if mark:
            somebody = SOMEBODY[target.family]
            (way,) = facts.ask(
                target.family, [f"route get {somebody} from {target.address} iif {target.bridge} mark {mark:#x}"]
            )
            device = way.first.get("dev")
    if not uplinks or not device or device in uplinks or not leads_out(facts, way):
        return
    (rules,) = facts.ask(target.family, ["rule"])
    table = way.first.get("table")
    guilty = [rule for rule in rules.listed if table and rule.get("table") == table]
    if not guilty or any(rule.get("src") != "all" or "iif" in rule for rule in guilty):
        return
    is_tunnel = "gateway" not in way.first and "via" not in way.first
    yield Finding(
        FAILURE if is_tunnel else WARNING,
        WAY_BACK,
        f"packets of the guest leave by {device}, not by {uplinks[0]}: {rule_text(guilty[0])}",
        command=exception(target, "from", guilty[0]),
        advice=f"and write it where this rule comes from; nothing to do if packets to the guest arrive on {device}",
        addresses=[target.name],
    )


def is_refused_as_forged(way: Answer, family: int, device: str, way_back: Answer) -> bool:
    """Return whether this device's reverse path filter drops a packet from outside. IPv6 has no such filter."""
    if family != 4 or way.error != DROPPED:
        return way.error == REFUSED_AS_FORGED
    values = [sysctl(f"net/ipv4/conf/{name}/rp_filter") or 0 for name in ("all", device)]
    return max(values) == STRICT and way_back.first.get("dev") != device


def reverse_path(target: Target, devices: Iterable[str], *, is_only: bool) -> Iterator[Finding]:
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


def elsewhere(way: Answer) -> str:
    if way.error:
        return SAID_OF.get(way.error, way.error)
    kind = way.first.get("type")
    if kind == "local":
        return "to the host itself"
    return f"to {way.first['dev']}" if "dev" in way.first else str(kind)


def exception(target: Target, way: str, rule: dict[str, Any]) -> str:
    """Return the command that excepts packets to or from a target (``way``) from this rule."""
    return f"ip -{target.family} rule add {way} {target.line.prefix} lookup main priority {before(rule)}"


def before(rule: dict[str, Any]) -> int:
    """Return a priority before that of this rule."""
    return max(int(rule["priority"]) - 1, 0)


def rule_text(rule: dict[str, Any]) -> str:
    """Return a policy rule as text, similar to ``ip rule``."""
    parts = [f"{rule['priority']}:"]
    for key, word in (("src", "from"), ("dst", "to")):
        if key in rule:
            length = f"/{rule[key + 'len']}" if f"{key}len" in rule else ""
            parts.append(f"{word} {rule[key]}{length}")
    parts += ["not"] if "not" in rule else []
    parts += [f"{key} {rule[key]}" for key in ("fwmark", "iif", "oif") if key in rule]
    parts.append(f"lookup {rule['table']}" if "table" in rule else str(rule.get("action", "")))
    return " ".join(parts)
