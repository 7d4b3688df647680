"""Asks running routing daemons what they announce, by `birdc` and `vtysh`, each with a time-out.

Where none listens at its socket, nothing is started.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from nethook.errors import NethookError
from nethook.host.process import Call
from nethook.prefix import is_prefix, parse_prefix
from nethook.routing_daemons import COMMUNITY, OSPF_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from nethook.host import Host

BIRD_SOCKET = "/run/bird/bird.ctl"
FRR_SOCKET = "/run/frr/bgpd.vty"
BIRD_FILE, FRR_FILE = "/etc/bird/nethook.conf", "/etc/frr/nethook.conf"
ANNOUNCING = frozenset({"BGP", "OSPF", "RIP", "Babel"})
"""The protocols of BIRD that tell other routers of routes."""
OURS = "nethook_"
"""The names of protocols in the configuration that nethook prints begin so."""
MOST_ASKED = 64
"""Sessions that are asked what goes out of them; of more, the first."""
HEARD_FILTER = (
    f"(source = RTS_BGP && {COMMUNITY} ~ bgp_community) || "
    f"(source != RTS_BGP && defined(ospf_tag) && ospf_tag = {OSPF_TAG} && source != RTS_INHERIT)"
)
"""BIRD's condition for routes that other routers announce as ours do."""
MADE_BY = re.compile(r"^[#!]   (nethook routing-daemon [a-z0-9 .:=-]+)$", re.MULTILINE)


class Announced(NamedTuple):
    """The announcements of one daemon, and those that it hears.

    ``prefixes`` are those that it tells some router; ``elsewhere`` has who announces a prefix as another host with
    nethook does. ``is_ours``: its configuration is one that nethook prints. ``sessions`` is the number of its sessions
    with routers. ``failure`` says why it could not be asked; '' without one.
    """

    daemon: str
    prefixes: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = {}
    is_ours: bool = False
    sessions: int = 0
    failure: str = ""

    @property
    def is_about_us(self) -> bool:
        """True if it announces addresses of ours, or should: some run for other purposes."""
        return self.is_ours or bool(self.prefixes)


def announced(host: Host, lines: Iterable[str]) -> list[Announced]:
    """Return what each daemon that runs announces of these prefixes (``Prefix.text``)."""
    found = []
    wanted = frozenset(lines)
    for socket, name, ask in ((BIRD_SOCKET, "BIRD", _ask_bird), (FRR_SOCKET, "FRR", _ask_frr)):
        if not host.has_listener(socket):
            continue
        try:
            told = ask(host)
        except NethookError as error:
            found.append(Announced(name, failure=str(error)))
            continue
        elsewhere = {prefix: via for prefix, via in told.elsewhere.items() if prefix in wanted}
        found.append(told._replace(prefixes=told.prefixes & wanted, elsewhere=elsewhere))
    return found


def said_of(prefix: str, daemons: Sequence[Announced]) -> str:
    """Return the word of a routed prefix for the column: yes, no, who else announces it, or unknown."""
    others = [daemon.elsewhere[prefix] for daemon in daemons if prefix in daemon.elsewhere]
    if any(prefix in daemon.prefixes for daemon in daemons):
        return f"yes, and by {others[0]}" if others else "yes"
    if any(daemon.failure for daemon in daemons):
        return "unknown"
    return f"by {others[0]}" if others else "no"


def renewal(daemon: str, host: Host) -> str:
    """Return the command that makes the daemon's configuration anew, as it was made, and has it read."""
    path, rest = (BIRD_FILE, "birdc configure") if daemon == "BIRD" else (FRR_FILE, f"vtysh -f {FRR_FILE}")
    try:
        made = MADE_BY.search(host.read(path) or "")
    except (OSError, ValueError):
        made = None
    new = f"{path}.new"  # a shell empties a file before the program begins, which may fail
    return f"{made[1] if made else f'nethook routing-daemon {daemon.lower()}'} > {new} && mv {new} {path} && {rest}"


def _ask_bird(host: Host) -> Announced:
    """Ask BIRD. NethookError if it does not answer."""
    (listed,) = _outputs(host, [_birdc("show", "protocols")])
    rows = [row.split() for row in listed.splitlines()]
    names = [row[0] for row in rows if len(row) > 3 and row[1] in ANNOUNCING and row[3] == "up"]
    questions = [_birdc("show", "route", "export", name) for name in names[:MOST_ASKED]]
    *exported, heard = _outputs(host, [*questions, _birdc("show", "route", "where", HEARD_FILTER)])
    return Announced(
        "BIRD",
        prefixes=frozenset(prefix for text in exported for prefix in bird_routes(text)),
        elsewhere=bird_routes(heard),
        is_ours=any(row and row[0].startswith(OURS) for row in rows),
        sessions=len(names),
    )


def _birdc(*words: str) -> Call:
    return Call(("birdc", "-r", *words))


def bird_routes(text: str) -> dict[str, str]:
    """Return the prefixes that `birdc show route` lists, each with its first next hop, '' without one."""
    found: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        words = line.split()
        if words and not line[0].isspace() and is_prefix(words[0]):
            last = parse_prefix(words[0]).text
            found.setdefault(last, "")
        elif words[:1] == ["via"] and len(words) > 1 and last and not found[last]:
            found[last] = words[1]
    return found


def _ask_frr(host: Host) -> Announced:
    """Ask bgpd of FRR. NethookError if it does not answer."""
    summary, *heard = _frr(
        host,
        [
            "show bgp summary json",
            *(f"show bgp ipv{family} unicast community {COMMUNITY[0]}:{COMMUNITY[1]} json" for family in (4, 6)),
        ],
    )
    peers = [
        (family, name)
        for family in (4, 6)
        for name, peer in _dict(_dict(summary.get(f"ipv{family}Unicast")).get("peers")).items()
        if _dict(peer).get("state") == "Established" and re.fullmatch(r"[A-Za-z0-9.:_-]+", name)
    ][:MOST_ASKED]
    told = _frr(
        host, [f"show bgp ipv{family} unicast neighbors {name} advertised-routes json" for family, name in peers]
    )
    sent = [_dict(answer.get("advertisedRoutes")) for answer in told]
    (maps,) = _outputs(
        host, [Call(("vtysh", "-c", "show route-map NETHOOK-OWN4", "-c", "show route-map NETHOOK-OWN6"))]
    )
    return Announced(
        "FRR",
        prefixes=frozenset(parse_prefix(prefix).text for each in sent for prefix in each if is_prefix(prefix)),
        elsewhere={
            parse_prefix(prefix).text: via
            for answer in heard
            for prefix, paths in _dict(answer.get("routes")).items()
            if is_prefix(prefix) and (via := _from_peer(paths))
        },
        is_ours="NETHOOK-OWN" in maps,
        sessions=len(peers),
    )


def _from_peer(paths: object) -> str:
    """Return the next hop of the first of these paths that a neighbor has told; '' if the host itself has the route."""
    for path in paths if isinstance(paths, list) else ():
        peer = _dict(path).get("peerId")
        if isinstance(peer, str) and is_prefix(peer):
            hops = _dict(path).get("nexthops")
            first = _dict(hops[0]) if isinstance(hops, list) and hops else {}
            return str(first.get("ip") or peer)
    return ""


def _frr(host: Host, commands: Sequence[str]) -> list[dict[str, Any]]:
    """Return the answers of vtysh to these commands, which all print JSON. NethookError."""
    if not commands:
        return []
    (text,) = _outputs(host, [Call(("vtysh", *(word for command in commands for word in ("-c", command))))])
    found: list[dict[str, Any]] = []
    decoder = json.JSONDecoder()
    for _ in commands:
        start = text.find("{")
        try:
            value, end = decoder.raw_decode(text[start:]) if start >= 0 else ({}, 0)
        except (ValueError, RecursionError):
            raise NethookError("vtysh printed what is not understood") from None
        found.append(_dict(value))
        text = text[start + end :] if start >= 0 else ""
    return found


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _outputs(host: Host, calls: Sequence[Call]) -> list[str]:
    """Return the outputs of these calls, which run side by side. NethookError if one fails."""
    results = host.start(calls)()
    for result in results:
        if result.status != 0:
            raise NethookError(result.failure)
    return [result.out for result in results]
