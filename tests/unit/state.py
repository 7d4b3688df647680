"""All that is in a fake host, as values that can be compared: what is ours, and everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.host.links import BRIDGE
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.host.fake import FakeHost
    from nethook.host.fake.kernel import Route

OURS = 218
GATE = "nethook-0x"


def has(sets: dict[str, Any], kind: str, fields: tuple[str, ...], prefix: str) -> bool:
    """Return whether one of the sets of this kind has the prefix, or one around it, with these fields."""
    inner = parse_prefix(prefix)
    names = [name for name in sets if name.startswith(f"{kind}{inner.family}")]
    found = (element for name in names for element in sets[name] if element[:-1] == fields)
    return any(inner.lies_in(parse_prefix(element[-1])) for element in found)


def ours(host: FakeHost) -> dict[str, Any]:
    """Everything of ours in the kernel and in /run/nethook, but for the record of what libvirt has told."""
    kernel = host.kernel
    return {
        "routes": sorted(map(str, filter(is_ours, kernel.routes))),
        "rules": [
            [str(rule) for rule in kernel.rules if (rule.protocol, rule.family) == (OURS, each)] for each in (4, 6)
        ],
        "gateways": sorted((each.text, each.device) for each in kernel.addresses if each.metric == OURS),
        "neighbours": sorted((*key, each.mac) for key, each in kernel.neighbours.items() if each.protocol == OURS),
        "proxies": sorted(key for key, protocol in kernel.proxies.items() if protocol == OURS),
        "tables": {" ".join(key): _table(host, key) for key in sorted(host.nftables.tables) if key[1] == "nethook"},
        "gates": sorted((chain, tuple(rules)) for chain, rules in chains(host) if any(GATE in rule for rule in rules)),
        "settings": kernel.settings,
        "deaf": sorted(link.name for link in kernel.links.values() if link.kind == BRIDGE and not link.learns),
        "connections": sorted((each.addresses, each.port) for each in host.connections),
        "files": {
            path: lines
            for path, text in sorted(host.files.texts.items())
            if not path.startswith(("/run/nethook/told", "/run/nethook/applied")) and (lines := _of_today(host, text))
        },
    }


def _of_today(host: FakeHost, text: str) -> list[str]:
    """Return the lines of a file of ours, but for those of devices that have gone, which mean nothing any more."""
    numbers = {name: str(link.number) for name, link in host.kernel.links.items()}
    found = [line.split() for line in text.splitlines()]
    return sorted(" ".join(words) for words in found if len(words) == 1 or numbers.get(words[0]) == words[1])


def foreign(host: FakeHost) -> dict[str, Any]:
    """Everything else."""
    kernel = host.kernel
    return {
        "links": sorted((link.name, link.number, link.master) for link in kernel.links.values()),
        "routes": sorted(str(route) for route in kernel.routes if not is_ours(route) and not _is_of_gateway(route)),
        "rules": [str(rule) for rule in kernel.rules if rule.protocol != OURS],
        "addresses": sorted((each.text, each.device) for each in kernel.addresses if each.metric != OURS),
        "neighbours": sorted((*key, each.mac) for key, each in kernel.neighbours.items() if each.protocol != OURS),
        "proxies": sorted(key for key, protocol in kernel.proxies.items() if protocol != OURS),
        "chains": sorted((chain, tuple(rule for rule in rules if GATE not in rule)) for chain, rules in chains(host)),
    }


def is_ours(route: Route) -> bool:
    where = route.table == 254 or 218_000 <= route.table <= 218_128
    return route.protocol == OURS and where and (route.kind == "unicast" or route.table != 254)


def _is_of_gateway(route: Route) -> bool:
    return route.metric == OURS


def _table(host: FakeHost, key: tuple[str, str]) -> dict[str, Any]:
    table = host.nftables.tables[key]
    return {
        "sets": {name: sorted(each.elements) for name, each in table.sets.items()},
        "chains": {name: [(rule.text, rule.comment) for rule in chain.rules] for name, chain in table.chains.items()},
    }


def chains(host: FakeHost) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield all chains that are not ours, with their rules."""
    for (family, name), table in host.nftables.tables.items():
        if name != "nethook":
            for chain, each in table.chains.items():
                yield f"{family} {name} {chain}", [str(rule) for rule in each.rules]
    for tool, iptables in host.iptables.items():
        for name, found in iptables.chains.items():
            for chain, rules in found.items():
                yield f"{tool} {name} {chain}", rules
