"""``ip`` of the fake host: the lines that the program, its tests and libvirt give to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nethook.host.fake.answer import Answer, NotFaked, Refused
from nethook.host.fake.kernel import (
    BOOT,
    KERNEL,
    MAIN,
    NO_PREFIX_ROUTE,
    STATIC,
    UNICAST,
    UNREACHABLE,
    Kernel,
    Neighbour,
    Route,
    Rule,
    family_of,
)
from nethook.host.links import BRIDGE
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.prefix import Prefix

PROTOCOLS = {"kernel": KERNEL, "boot": BOOT, "static": STATIC}
NAMES = {number: name for name, number in PROTOCOLS.items()}
KINDS = {UNREACHABLE, "blackhole", "prohibit", "throw"}
FLAGS = {"onlink", "nodad", "noprefixroute", "proxy"}
RULE_WORDS = frozenset({"from", "lookup", "pref", "protocol", "suppress_prefixlength"})
ALL = -1


class Ended(Exception):  # noqa: N818 - what happens to ip, not a defect
    """ip ends in the midst of its batch."""


class Ip:
    """``ip`` on this kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def run(self, argv: Sequence[str], stdin: str) -> Answer:
        """Run ``ip`` with these arguments, without its own name."""
        options = [word for word in argv if word.startswith("-")]
        words = [word for word in argv if not word.startswith("-")]
        if "-batch" not in options:
            return self._answer([words], options, with_numbers=False)
        if argv[-1] != "-":
            raise NotFaked(f"ip {' '.join(argv)}")
        return self._answer([line.split() for line in stdin.splitlines()], options, with_numbers=True)

    def _answer(self, lines: Iterable[list[str]], options: Sequence[str], *, with_numbers: bool) -> Answer:
        out, err, status = "", "", 0
        for number, words in enumerate(lines, 1):
            if not words:
                continue
            try:
                out += self._line(words, options)
            except Refused as refused:
                err += f"{refused}\n" + (f"Command failed -:{number}\n" if with_numbers else "")
                status = 1 if with_numbers or str(refused).startswith("Cannot find") else 2
                if "-force" not in options:
                    break
            except Ended as ended:
                return Answer(2, out, f"{err}{ended}\n")
        return Answer(status, out, err)

    def _line(self, words: Sequence[str], options: Sequence[str]) -> str:
        what, verb, *rest = words
        if (what, verb) == ("route", "show"):
            return self._show(rest, options)
        if (what, verb) == ("route", "get") and "-json" in options:
            return self._get(rest)
        if (what, verb, rest) == ("address", "show", []) and "-json" in options:
            return self._addresses(options)
        change = getattr(self, f"_{what}_{verb}", None)
        if change is None:
            raise NotFaked(f"ip {' '.join(words)}")
        change(rest, options)
        return ""

    def _addresses(self, options: Sequence[str]) -> str:
        held: dict[str, list[dict[str, Any]]] = {}
        for each in self._kernel.addresses:
            if f"-{each.family}" in options:
                held.setdefault(each.device, []).append({"local": each.text, "prefixlen": each.length})
        return json.dumps([{"ifname": device, "addr_info": info} for device, info in held.items()]) + "\n"

    # Changes

    def _route_add(self, words: Sequence[str], _: Sequence[str]) -> None:
        self._kernel.add_route(_route(words))

    def _route_replace(self, words: Sequence[str], _: Sequence[str]) -> None:
        self._kernel.add_route(_route(words), replaces=True)

    def _route_del(self, words: Sequence[str], _: Sequence[str]) -> None:
        self._kernel.delete_route(_route(words), protocol=_route(words).protocol if "proto" in words else 0)

    def _rule_add(self, words: Sequence[str], options: Sequence[str]) -> None:
        self._kernel.add_rule(_rule(words, options))

    def _rule_del(self, words: Sequence[str], options: Sequence[str]) -> None:
        self._kernel.delete_rule(_rule(words, options))

    def _address_add(self, words: Sequence[str], _: Sequence[str]) -> None:
        text, values = words[0], _values(words[1:])
        flags = NO_PREFIX_ROUTE if "noprefixroute" in words else 0
        self._kernel.add_address(text, values["dev"], metric=int(values.get("metric", 0)), flags=flags)

    def _address_delete(self, words: Sequence[str], _: Sequence[str]) -> None:
        self._kernel.delete_address(words[0], _values(words[1:])["dev"])

    def _neighbour_replace(self, words: Sequence[str], _: Sequence[str]) -> None:
        values = _values(words[1:])
        entry = Neighbour(values["lladdr"], values.get("nud") == "permanent", int(values.get("protocol", 0)))
        self._kernel.replace_neighbour(words[0], values["dev"], entry)

    def _neighbour_add(self, words: Sequence[str], _: Sequence[str]) -> None:
        if words[0] != "proxy":
            raise NotFaked(f"ip neighbour add {' '.join(words)}")
        values = _values(words[2:])
        self._kernel.add_proxy(words[1], values["dev"], int(values.get("protocol", 0)))

    def _neighbour_delete(self, words: Sequence[str], _: Sequence[str]) -> None:
        is_proxy = words[0] == "proxy"
        address, *rest = words[1:] if is_proxy else words
        delete = self._kernel.delete_proxy if is_proxy else self._kernel.delete_neighbour
        try:
            delete(address, _values(rest)["dev"])
        except Refused as refused:
            if str(refused).startswith("RTNETLINK"):  # ip neighbour ends then: ipneigh_modify()
                raise Ended(str(refused)) from None
            raise

    def _link_set(self, words: Sequence[str], _: Sequence[str]) -> None:
        values = _values(words[1:] if words[0] != "dev" else words)
        device = values.get("dev", words[0])
        if "master" in values:
            self._kernel.set_master(device, values["master"])
            return
        if values.get("type") != BRIDGE or "no_linklocal_learn" not in values:
            raise NotFaked(f"ip link set {' '.join(words)}")
        self._kernel.set_learning(device, on=values["no_linklocal_learn"] == "0")

    # Listings

    def _show(self, words: Sequence[str], options: Sequence[str]) -> str:
        is_default = words[:1] == ["default"]
        values = _values(words[is_default:])
        families = [int(option[1:]) for option in options if option in {"-4", "-6"}] or [4, 6]
        if not set(values) <= {"dev", "proto", "table", "exact"}:
            raise NotFaked(f"ip route show {' '.join(words)}")
        device = values.get("dev", "")
        if device and device not in self._kernel.links:
            raise Refused(f'Cannot find device "{device}"')
        table = ALL if values.get("table") == "all" else int(values.get("table", MAIN))
        found = [
            route
            for family in families
            for route in self._kernel.routes
            if route.family == family
            and (not is_default or route.prefix == "default")
            and table in {ALL, route.table}
            and device in {"", route.device}
            and values.get("exact", route.prefix) == route.prefix
            and _protocol(values.get("proto", str(route.protocol))) == route.protocol
        ]
        if "-json" in options:
            return json.dumps([self._json(route) for route in found], separators=(",", ":")) + "\n"
        return "".join(f"{' '.join(self._text(route, values))} \n" for route in found)

    def _get(self, words: Sequence[str]) -> str:
        """Look up as the table main alone would."""
        hop = parse_prefix(words[0])
        found = [
            (length, route)
            for route in self._kernel.routes
            if route.table == MAIN and route.family == hop.family and (length := _length_around(hop, route)) >= 0
        ]
        if not found:
            raise Refused("RTNETLINK answers: Network is unreachable")
        _, route = max(found, key=lambda each: each[0])
        if route.kind != UNICAST:
            raise Refused("RTNETLINK answers: No route to host")
        return json.dumps([{**self._json(route), "dst": words[0]}], separators=(",", ":")) + "\n"

    def _text(self, route: Route, filtered: dict[str, str]) -> Iterator[str]:
        if route.kind != UNICAST:
            yield route.kind
        yield route.prefix
        if route.via:
            yield f"via {route.via}"
        device = route.device or ("lo" if route.family == 6 else "")
        if device:
            yield f"dev {device}"
        if route.table != MAIN:
            yield f"table {route.table}"
        if "proto" not in filtered:
            yield f"proto {NAMES.get(route.protocol, route.protocol)}"
        if _scope(route):
            yield f"scope {_scope(route)}"
        if route.source:
            yield f"src {route.source}"
        if route.metric:
            yield f"metric {route.metric}"
        yield from self._flags(route)
        if route.family == 6:
            yield "pref medium"

    def _json(self, route: Route) -> dict[str, Any]:
        found: dict[str, Any] = {} if route.kind == UNICAST else {"type": route.kind}
        found["dst"] = route.prefix
        if route.via:
            found["gateway"] = route.via
        if route.protocol != BOOT:
            found["protocol"] = NAMES.get(route.protocol, str(route.protocol))
        if _scope(route):
            found["scope"] = _scope(route)
        if route.source:
            found["prefsrc"] = route.source
        if route.metric:
            found["metric"] = route.metric
        found["flags"] = list(self._flags(route))
        if route.family == 6:
            found["pref"] = "medium"
        return found

    def _flags(self, route: Route) -> Iterator[str]:
        if route.onlink:
            yield "onlink"
        link = self._kernel.links.get(route.device)
        ports = (other.master for other in self._kernel.links.values())
        if link and link.kind == BRIDGE and link.number not in ports:
            yield "linkdown"


def _scope(route: Route) -> str:
    return "link" if route.family == 4 and route.kind == UNICAST and not route.via else ""


def _protocol(text: str) -> int:
    return PROTOCOLS[text] if text in PROTOCOLS else int(text)


def _route(words: Sequence[str]) -> Route:
    kind = words[0] if words[0] in KINDS else UNICAST
    prefix, *rest = words[1:] if kind != UNICAST else words
    values = _values(rest)
    return Route(
        prefix,
        values.get("dev", ""),
        values.get("via", ""),
        _protocol(values.get("proto", "boot")),
        int(values.get("table", MAIN)),
        int(values.get("metric", 0)),
        kind,
        onlink="onlink" in rest,
    )


def _rule(words: Sequence[str], options: Sequence[str]) -> Rule:
    values = _values(words)
    if not RULE_WORDS.issuperset(values):
        raise NotFaked(f"ip rule {' '.join(words)}")
    table = MAIN if values["lookup"] == "main" else int(values["lookup"])
    suppressed = int(values.get("suppress_prefixlength", -1))
    family = 6 if "-6" in options else 4
    if family_of(values["from"]) != family:
        raise NotFaked(f"ip {' '.join(options)} rule {' '.join(words)}")
    return Rule(family, int(values["pref"]), table, suppressed, int(values.get("protocol", BOOT)))


def _length_around(hop: Prefix, route: Route) -> int:
    """Return the length of the route's prefix if it has this address in it, otherwise -1."""
    if route.prefix == "default":
        return 0
    prefix = parse_prefix(route.prefix)
    return prefix.length if hop.lies_in(prefix) else -1


def _values(words: Sequence[str]) -> dict[str, str]:
    """Return the words that are pairs of a keyword and its value."""
    pairs = [word for word in words if word not in FLAGS]
    return dict(zip(pairs[::2], pairs[1::2]))
