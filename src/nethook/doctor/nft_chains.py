"""Reading foreign chains of nftables, one by one.

The whole ruleset is never read: an old nft crashes at rules of a newer one, and a foreign set may have a million
elements.
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
    """A chain with a hook, through which packets come into a table; chains of the family netdev have ``devices``."""

    family: str
    table: str
    name: str
    hook: str
    priority: int
    policy: str
    devices: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The name of the chain for nft."""
        return f"{self.family} {self.table} {self.name}"


class Nft:
    """Questions to ``nft``, with ReadError if it does not answer."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def base_chains(self) -> list[BaseChain]:
        """Return all filter chains with a hook, of every family."""
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
        """Return the devices of a chain. nft 1.0.6 lists those of the family netdev only as text, not in JSON."""
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
        """Return the rules of this chain and of all chains that it jumps to, by the name of the chain."""
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
        """Return whether a named set has this value; None if that is unknown."""
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
    """Return the chains that a rule may jump to, itself or by a map in it."""
    found = []
    for statement in statements:
        for kind, content in statement.items():
            if kind in JUMPS:
                found.append(content["target"])
            elif kind == "vmap" and isinstance(content.get("data"), dict):
                pairs = content["data"].get("set", ())
                found += [target for _, verdict in pairs for target in _targets([verdict])]
    return found
