"""Scripts for a host, played on the real kernel and on the fake one: what each step answers, and the state behind it.

This is run with the system's Python inside a throw-away namespace, too, so it imports the program and nothing else.
A step is a list: a word, and its arguments. See ``Player``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nethook.host import Host
from nethook.host.fake import FakeHost
from nethook.host.process import Call, Result, refusals
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.forwards.ruleset import FAMILIES
from nethook.parts.forwards.ruleset import SETS as FORWARDS

if TYPE_CHECKING:
    from nethook.host.netlink import Key
    from nethook.host.nftables import Table

ROOT = Path(__file__).parents[2]
OURS = 218
NAMES = ("/proc/self/net/ip_tables_names", "/proc/self/net/ip6_tables_names")
NO_PREFIX_ROUTE = 0x200
_HANDLE = re.compile(r"\bhandle (\d+)")
_LISTED = re.compile(r"(?m)(?<!\{) # handle (\d+)$")

Step = list[Any]


class Player:
    """Plays steps on a host, which are its methods: ``link``, ``call``, ``chain``, ``state`` and others."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._handles: dict[str, str] = {}
        """The handle of a rule on this host, by that on the host where the script was recorded."""

    def play(self, steps: list[Step]) -> list[Any]:
        """Return what each step answered."""
        return [getattr(self, f"_{word}")(*arguments) for word, *arguments in steps]

    def _call(self, argv: list[str], stdin: str, recorded: str) -> dict[str, Any]:
        text = _HANDLE.sub(lambda found: f"handle {self._handles.get(found[1], found[1])}", stdin)
        result = self.host.run(Call(argv, text))
        self._handles.update(zip(_LISTED.findall(recorded), _LISTED.findall(result.out)))
        return answer(result)

    def _chain(self, family: str, table: str, name: str, recorded: list[int]) -> list[Any] | None:
        found = self.host.chain(family, table, name)
        if found is None:
            return None
        self._handles.update(zip(map(str, recorded), (str(rule.handle) for rule in found.rules)))
        return [found.drops, [[rule.comment, rule.stops] for rule in found.rules]]

    def _setting(self, path: str, text: str) -> str:
        try:
            self.host.write(path, text)
        except OSError as error:
            return str(error.strerror)
        return ""

    def _elements(self, family: str, new: dict[str, list[list[str]]], gone: dict[str, list[list[str]]]) -> str:
        def keys(written: dict[str, list[list[str]]]) -> dict[str, list[Key]]:
            return {name: [tuple(map(bytes.fromhex, key)) for key in each] for name, each in written.items()}

        try:
            self.host.change_elements(family, keys(new), keys(gone))
        except Exception as error:
            return str(error)
        return ""

    def _state(self) -> dict[str, Any]:
        host = self.host
        links = {link.number: link for link in host.links()}
        return {
            "tables": sorted(host.tables()),
            "inet": _table(host.table("inet", CLASSIFYING.sets)),
            "bridge": _table(host.table("bridge", BINDING.sets)),
            "arp": _table(host.table("arp", {})),
            **{ip: _table(host.table(ip, FORWARDS[family])) for family, ip in FAMILIES.items()},
            "links": sorted(
                [link.name, link.mac, links[link.master].name if link.master in links else "", link.learns]
                for link in links.values()
                if link.name.startswith(("virbr", "vnet")) or link.name == "uplink"
            ),
            "addresses": sorted(
                [each.text, each.length, each.device, each.metric, each.flags & NO_PREFIX_ROUTE]
                for each in host.addresses()
                if each.device != "lo"
            ),
            "hops": sorted(map(list, host.next_hops())),
            "rules": sorted(
                [rule.family, rule.priority, rule.table, rule.suppressed] for rule in host.routing_rules(OURS)
            ),
            "neighbours": sorted(map(list, host.permanent_neighbours(OURS))),
            "proxies": sorted(map(list, host.proxies(OURS))),
            "legacy": [sorted((host.read(path) or "").split()) for path in NAMES],
            "has": [host.has_chain(family, "filter", "FORWARD") for family in ("ip", "ip6")],
            "routes": sorted(
                [prefix, group.device, group.via, group.table, group.metric, group.length, group.is_unreachable]
                for group in host.routes(OURS)
                for prefix in group.prefixes
            ),
            "listed": answer(host.run(Call(("ip", "route", "show", "table", "all", "proto", str(OURS))))),
        }


class OnKernel(Player):
    """On the real kernel."""

    def _link(self, name: str, kind: str, mac: str, master: str) -> None:
        made = {"tun": f"tuntap add dev {name} mode tap", "": f"link add {name} type veth peer name {name}-peer"}
        _ip(
            made.get(kind, f"link add {name} address {mac} type {kind}"),
            f"link set {name} address {mac}",
            *([] if kind else [f"link set {name} addrgenmode none", f"link set {name}-peer addrgenmode none up"]),
            *([f"link set {name} master {master}"] if master else []),
            f"link set {name} up",
        )

    def _unlink(self, name: str) -> None:
        _ip(f"link delete {name}")

    def _address(self, text: str, device: str) -> None:
        _ip(f"address add {text} dev {device}")


class OnFake(Player):
    """On the fake one."""

    host: FakeHost

    def _link(self, name: str, kind: str, mac: str, master: str) -> None:
        self.host.kernel.add_link(name, kind, mac, master)

    def _unlink(self, name: str) -> None:
        self.host.kernel.delete_link(name)

    def _address(self, text: str, device: str) -> None:
        self.host.kernel.add_address(text, device)


def _ip(*lines: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def answer(result: Result) -> dict[str, Any]:
    """Return what the program looks at of an answer."""
    tool, *words = result.call.argv
    if tool == "nft":  # its texts but for this one are for people alone
        listed = [_HANDLE.sub("handle", line.strip()) for line in result.out.splitlines()] if "chain" in words else []
        return {"status": result.status, "is missing": "No such file or directory" in result.err, "listed": listed}
    if tool == "ip":
        out: Any = sorted(" ".join(line.replace("linkdown", "").split()) for line in result.out.splitlines())
        if "-json" in words:
            plain = result.out.replace('"linkdown"', "").replace(",]", "]")
            out = [sorted(json.dumps(route) for route in json.loads(line)) for line in plain.splitlines()]
        return {"status": result.status, "refused": refusals(result), "said": result.err, "out": out}
    lines = result.out.splitlines()
    return {"status": result.status, "out": lines if "FORWARD" in words else sorted(lines)}


def _table(table: Table | None) -> Any:
    if table is None:
        return None
    return [table.comments, {name: sorted(map(list, elements)) for name, elements in table.elements.items()}]


def in_namespace() -> list[str]:
    """Return the command that plays a script from its standard input, as JSON, on the kernel that it runs on."""
    paths = [str(ROOT / "src"), str(ROOT)]
    return [
        "/usr/bin/python3",
        "-I",
        "-c",
        f"import sys; sys.path[:0] = {paths}; from tests.kernel import playing; playing.main()",
    ]


def main() -> None:
    """Play the script on standard input; write the answers to standard output."""
    json.dump(OnKernel(Host(60)).play(json.load(sys.stdin)), sys.stdout)
