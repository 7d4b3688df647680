"""The chains of others in nftables, read one by one.

Never the whole ruleset: a newer nft writes what an older one crashes at, and a foreign set may have a million elements.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.errors import ReadError
from nethook.host.process import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.process import Tools

JUMPS = frozenset({"jump", "goto"})
DEVICES = re.compile(r" devices? (?:= )?(.*?) priority ")
"""In the declaration of a chain: ``device "eth0"`` or ``devices = { eth0, eth1 }``."""


class BaseChain(NamedTuple):
    """A chain where packets come into a table; the ``devices`` are those of the family netdev."""

    family: str
    table: str
    name: str
    hook: str
    priority: int
    policy: str
    devices: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """What names it to nft."""
        return f"{self.family} {self.table} {self.name}"


class Nft:
    """Asks ``nft``; ReadError if it does not tell."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def base_chains(self) -> list[BaseChain]:
        """All filter chains with a hook, of every family."""
        return [
            BaseChain(
                chain["family"],
                chain["table"],
                chain["name"],
                chain["hook"],
                int(chain.get("prio", 0)),
                chain.get("policy", "accept"),
                self._devices(chain),
            )
            for chain in self._list("chain", "list", "chains")
            if chain.get("type") == "filter"
        ]

    def _devices(self, chain: dict[str, Any]) -> tuple[str, ...]:
        """The devices of a chain; nft 1.0.6 has those of the family netdev in its text only."""
        named = chain.get("dev", ())
        if named or chain["family"] != "netdev":
            return (named,) if isinstance(named, str) else tuple(named)
        words = ("nft", "--terse", "list", "chain", chain["family"], chain["table"], chain["name"])
        result = self._tools.run(Call(words))
        if result.status != 0:
            raise ReadError(result.failure)
        declared = DEVICES.search(result.out)
        return tuple(re.findall(r'[^\s{},"]+', declared[1])) if declared else ()

    def rules(self, chain: BaseChain) -> dict[str, list[dict[str, Any]]]:
        """The rules of this chain, and of those that it leads to, by the name of their chain."""
        found: dict[str, list[dict[str, Any]]] = {}
        todo = [chain.name]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found[name] = self._list("rule", "list", "chain", chain.family, chain.table, name)
            todo += [target for rule in found[name] for target in _targets(rule.get("expr", ()))]
        return found

    def has_element(self, family: str, table: str, name: str, value: str) -> bool | None:
        """Whether a named set has this value; None if that is not known."""
        result = self._tools.run(Call(("nft", "get", "element", family, table, name, f"{{ {value} }}")))
        if result.status == 0:
            return True
        return False if "No such file or directory" in result.err else None

    def _list(self, kind: str, *words: str) -> list[dict[str, Any]]:
        result = self._tools.run(Call(("nft", "--json", "--handle", "--terse", *words)))
        if result.status != 0:
            raise ReadError(result.failure)
        try:
            return [entry[kind] for entry in json.loads(result.out)["nftables"] if kind in entry]
        except (ValueError, KeyError, TypeError):
            raise ReadError(result.not_understood) from None


def _targets(statements: Sequence[dict[str, Any]]) -> list[str]:
    """The chains that a rule may lead to, by itself or by a map that stands in it."""
    found = []
    for statement in statements:
        for kind, content in statement.items():
            if kind in JUMPS:
                found.append(content["target"])
            elif kind == "vmap" and isinstance(content.get("data"), dict):
                pairs = content["data"].get("set", ())
                found += [target for _, verdict in pairs for target in _targets([verdict])]
    return found
