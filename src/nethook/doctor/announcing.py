"""The station of routing daemons: whether one that runs here announces what is routed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.routing_daemons.asking import announced, renewal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nethook.doctor.facts import Facts, Target
    from nethook.routing_daemons.asking import Announced

STATION = "announcement"
SHOW = {"BIRD": "birdc show protocols", "FRR": "vtysh -c 'show bgp summary'"}
TWICE = (
    "run the guest on one host alone, and bind its lines to it with guest=: without, both hosts have the address, and "
    "it stays with the one that has announced it first"
)


def announcement(facts: Facts, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield findings about these targets, which are in force; nothing where no daemon runs."""
    announceable = [target for target in targets if not target.line.proxy]
    prefixes = [target.line.prefix.text for target in announceable]
    daemons = announced(facts.tools, prefixes) if prefixes else []
    for daemon in daemons:
        if daemon.failure:
            text = f"{daemon.daemon} could not be asked what it announces: {daemon.failure}"
            yield Finding(WARNING, STATION, text, advice=f"see: {SHOW[daemon.daemon]}")
    answering = [daemon for daemon in daemons if not daemon.failure]
    ours = [daemon for daemon in answering if daemon.is_about_us]
    if ours:
        yield from _of_ours(ours, {target.line.prefix.text: target for target in announceable}, facts)
    elif answering:
        name = answering[0].daemon
        text = f"{name} runs and announces none of these addresses"
        advice = f"if it should: nethook routing-daemon {name.lower()}; if the provider routes them here, it need not"
        yield Finding(WARNING, STATION, text, advice=advice, addresses=[target.name for target in announceable])


def _of_ours(daemons: Sequence[Announced], targets: Mapping[str, Target], facts: Facts) -> Iterator[Finding]:
    name = daemons[0].daemon
    sent = frozenset().union(*(daemon.prefixes for daemon in daemons))
    others = {prefix: via for daemon in daemons for prefix, via in daemon.elsewhere.items()}
    for prefix, target in targets.items():
        about = target.name
        if prefix in others:
            text = f"the host at {others[prefix]} announces {prefix}, which is routed here, too"
            yield Finding(WARNING, STATION, text, advice=TWICE, addresses=[about])
        elif prefix in sent:
            yield Finding(OK, STATION, f"{name} announces it", addresses=[about])
        elif not any(daemon.sessions for daemon in daemons):
            text = f"{name} announces nothing, because it is connected to no router"
            yield Finding(FAILURE, STATION, text, advice=f"see: {SHOW[name]}", addresses=[about])
        elif name == "FRR" and not facts.ports(target.bridge):
            text = f"FRR announces it as soon as a guest is plugged into {target.bridge}"
            yield Finding(OK, STATION, text, addresses=[about])
        else:
            text = f"{name} does not announce it"
            yield Finding(FAILURE, STATION, text, command=renewal(name, facts.tools), addresses=[about])
