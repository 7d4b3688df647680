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

NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9/\\_.-]*")


class BaseChain(NamedTuple):
    """A chain with a hook, through which packets come into a table; chains of the family netdev have ``devices``.

    ``kind`` is filter, nat or route.
    """

    family: str
    table: str
    name: str
    hook: str
    priority: int
    policy: str
    devices: tuple[str, ...] = ()
    kind: str = "filter"

    @property
    def where(self) -> str:
        """The name of the chain for nft."""
        return f"{self.family} {self.table} {self.name}"

    @property
    def is_readable(self) -> bool:
        """True if nft reads the names as they are. A program may give others through netlink: ``a; flush ruleset``."""
        return all(map(NAME.fullmatch, (self.table, self.name)))


class Nft:
    """Questions to ``nft``, with ReadError if it does not answer."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def filter_chains(self) -> list[BaseChain]:
        """Return all filter chains with a hook, of every family."""
        return self.base_chains("filter")

    def base_chains(self, kind: str = "") -> list[BaseChain]:
        """Return all chains with a hook, of every family; of this type alone if it is given."""
        return [
            BaseChain(
                chain["family"],
                chain["table"],
                chain["name"],
                chain["hook"],
                int(chain.get("prio", 0)),
                chain.get("policy", "accept"),
                self._devices(chain),
                chain["type"],
            )
            for chain in self._list("chain", "list", "chains")
            if "hook" in chain and kind in {"", chain.get("type")}
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

    def texts(self, family: str, table: str, chain: str) -> dict[int, str]:
        """Return the rules of a chain as text, without counts, by handle, in their order."""
        words = ("--terse", "--stateless", "--handle", "list", "chain", family, table, chain)
        result = self._tools.run(Call(("nft", *words)))
        if result.status != 0:
            raise ReadError(result.failure)
        split = (line.strip().rpartition(" # handle ") for line in result.out.splitlines())
        return {int(handle): text for text, _, handle in split if text and handle.isdigit() and text[-1] != "{"}

    def text(self, chain: BaseChain, handle: int) -> str:
        """Return the rule with this handle as text, without its counter."""
        texts = self.texts(chain.family, chain.table, chain.name)
        return texts.get(handle, f"the rule with handle {handle}").replace("counter ", "")

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


class NftOnce(Nft):
    """Questions to ``nft``, each of which is asked only once."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._lists: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        self._elements: dict[tuple[str, str, str, str], bool | None] = {}

    def has_element(self, family: str, table: str, name: str, value: str) -> bool | None:
        """Return whether a named set has this value; None if that is unknown."""
        key = family, table, name, value
        if key not in self._elements:
            self._elements[key] = super().has_element(*key)
        return self._elements[key]

    def _list(self, kind: str, *words: str) -> list[dict[str, Any]]:
        if words not in self._lists:
            self._lists[words] = super()._list(kind, *words)
        return self._lists[words]


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
