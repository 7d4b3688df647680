"""``nft`` of the fake host: tables, sets and maps with elements, chains with rules.

A transaction is done as a whole or not. It understands the commands that the program, its tests and libvirt write, a
line each. Rules are text; what they do to packets is for the real kernel to show.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from nethook.host.fake.answer import Answer, NotFaked, Refused
from nethook.host.fake.sets import NO_SUCH, NOT_PROCESSED, Set, failed
from nethook.host.nftables import ForeignChain, ForeignRule

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "nftables v1.0.6 (Lester Gooch #5)\n"
PRIORITIES = {"0": "filter", "100": "srcnat"}

_COMMAND = re.compile(
    r"(add|insert|delete|flush) (table|set|map|chain|rule|element) (inet|ip6?|arp|bridge) (\S+) ?(.*)"
)
_REFERENCE = re.compile(r"@(\w+)(?![\w,])")
_JUMP = re.compile(r"\b(?:jump|goto) (\w+)")
_COMMENT = re.compile(r' comment "([^"]*)"$')
_STOPS = re.compile(r"(counter (packets \d+ bytes \d+ )?)*(jump|goto|drop|reject)\b")
_HOOK = re.compile(r"type (\w+) hook (\w+)")
_COUNTER = re.compile(r"\bcounter\b(?! packets)")


class Rule:
    """A rule: its handle, its text without a comment, and the comment ('' if it has none)."""

    def __init__(self, handle: int, text: str) -> None:
        self.handle = handle
        comment = _COMMENT.search(text)
        self.comment = comment[1] if comment else ""
        self.text = text[: comment.start()] if comment else text

    def __str__(self) -> str:
        text = _COUNTER.sub("counter packets 0 bytes 0", self.text)
        return f'{text} comment "{self.comment}"' if self.comment else text


class Chain:
    """A chain: its hook ('' if it is only jumped to), and its rules."""

    def __init__(self, hook: str) -> None:
        self.hook = hook
        self.rules: list[Rule] = []

    @property
    def as_read(self) -> ForeignChain:
        """The chain as it is read over netlink."""
        rules = [ForeignRule(rule.handle, rule.comment, stops=bool(_STOPS.match(rule.text))) for rule in self.rules]
        return ForeignChain(rules, drops="policy drop" in self.hook)

    def copy(self) -> Chain:
        """Return one that may be changed without changing this one. Rules never change."""
        made = Chain(self.hook)
        made.rules = list(self.rules)
        return made

    def position(self, handle: int) -> int:
        """Return where the rule with this handle is."""
        for number, rule in enumerate(self.rules):
            if rule.handle == handle:
                return number
        raise Refused(failed("missing"))


class Table:
    """A table."""

    def __init__(self) -> None:
        self.sets: dict[str, Set] = {}
        self.chains: dict[str, Chain] = {}

    def copy(self) -> Table:
        """Return one that may be changed without changing this one."""
        made = Table()
        made.sets = {name: each.copy() for name, each in self.sets.items()}
        made.chains = {name: each.copy() for name, each in self.chains.items()}
        return made


class Nftables:
    """All tables, by family and name."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Table] = {}
        self._handle = 0

    def copy(self) -> Nftables:
        """Return one that may be changed without changing this one."""
        made = Nftables()
        made.tables = {key: table.copy() for key, table in self.tables.items()}
        made._handle = self._handle
        return made

    def _as_json(self) -> str:
        """Return the chains with a hook, as nft lists them."""
        chains = []
        for (family, table), content in self.tables.items():
            for name, chain in content.chains.items():
                if hook := _HOOK.search(chain.hook):
                    policy = "drop" if "policy drop" in chain.hook else "accept"
                    named = {"family": family, "table": table, "name": name, "prio": 0, "policy": policy}
                    chains.append({"chain": {**named, "type": hook[1], "hook": hook[2]}})
        return json.dumps({"nftables": chains})

    def _rules_as_json(self, family: str, table: str, name: str) -> str:
        """Return rules of which nobody can tell what they do: the fake does not take their text apart."""
        found = self.tables.get((family, table), Table()).chains.get(name)
        if found is None:
            raise Refused(NO_SUCH)
        rules = [{"rule": {"handle": rule.handle, "expr": [{"xt": None}, {"drop": None}]}} for rule in found.rules]
        return json.dumps({"nftables": rules})

    def run(self, argv: Sequence[str], stdin: str) -> Answer:
        """Run ``nft`` with these arguments, without its own name."""
        words = [word for word in argv if word != "--handle"]
        try:
            if words == ["--version"]:
                return Answer(0, VERSION)
            if words == ["--json", "--terse", "list", "chains"]:
                return Answer(0, self._as_json())
            if words[:4] == ["--json", "--terse", "list", "chain"]:
                return Answer(0, self._rules_as_json(*words[4:]))
            if words == ["-f", "-"]:
                self.transaction(stdin.splitlines())
                return Answer()
            if words[:1] == ["list"]:
                return Answer(0, self._listing(words[1:], with_handles="--handle" in argv))
        except Refused as refused:
            return Answer(1, "", f"Error: {refused}\n")
        raise NotFaked(f"nft {' '.join(argv)}")

    def transaction(self, commands: Sequence[str]) -> None:
        """Do these commands; Refused, and none is done, if one of them cannot be done."""
        before = self.tables
        self.tables = {key: table.copy() for key, table in before.items()}
        try:
            for number, command in enumerate(commands, 1):
                try:
                    self._do(command)
                except Refused as refused:
                    message = f"{refused}\n{command}"
                    raise Refused(message if number == 1 else f"/dev/stdin:{number}: {message}") from None
        except BaseException:
            self.tables = before
            raise

    def _do(self, command: str) -> None:
        found = _COMMAND.fullmatch(command)
        if not found:
            raise NotFaked(f"nft: {command}")
        verb, kind, family, name, rest = found.groups()
        if kind == "table":
            self._change_table(verb, (family, name))
            return
        if (family, name) not in self.tables:
            raise Refused(failed("missing"))
        getattr(self, f"_{verb}_{kind}", self._unknown)(self.tables[family, name], rest)

    def _unknown(self, _: Table, rest: str) -> None:
        raise NotFaked(f"nft: … {rest}")

    def _change_table(self, verb: str, key: tuple[str, str]) -> None:
        if verb == "add":
            self.tables.setdefault(key, Table())
        elif verb != "delete":
            raise NotFaked(f"nft: {verb} table")
        elif self.tables.pop(key, None) is None:
            raise Refused(NO_SUCH)

    def _add_set(self, table: Table, rest: str) -> None:
        name, definition = _name_and_block(rest)
        wanted = Set(definition)
        found = table.sets.setdefault(name, wanted)
        if (found.fields, found.data) != (wanted.fields, wanted.data):
            raise Refused(failed("exists"))

    _add_map = _add_set

    def _add_chain(self, table: Table, rest: str) -> None:
        name, hook = _name_and_block(rest)
        found = table.chains.setdefault(name, Chain(hook))
        if hook and found.hook != hook:
            raise Refused(f"{NOT_PROCESSED}Operation not supported")

    def _flush_chain(self, table: Table, rest: str) -> None:
        self._chain(table, rest).rules = []

    def _add_rule(self, table: Table, rest: str) -> None:
        name, _, text = rest.partition(" ")
        chain = self._chain(table, name)
        chain.rules.append(self._rule(table, text))

    def _insert_rule(self, table: Table, rest: str) -> None:
        name, _, text = rest.partition(" ")
        chain = self._chain(table, name)
        at = 0
        if text.startswith("handle "):
            _, handle, text = text.split(" ", 2)
            at = chain.position(int(handle))
        chain.rules.insert(at, self._rule(table, text))

    def _delete_rule(self, table: Table, rest: str) -> None:
        name, _, handle = rest.split(" ")
        chain = self._chain(table, name)
        chain.rules.pop(chain.position(int(handle)))

    def _add_element(self, table: Table, rest: str) -> None:
        found, text = self._set_and_text(table, rest)
        for element in found.parsed(text):
            found.add(element)

    def _delete_element(self, table: Table, rest: str) -> None:
        found, text = self._set_and_text(table, rest)
        for key in found.parsed(text, is_whole=False):
            found.delete(key)

    def _set_and_text(self, table: Table, rest: str) -> tuple[Set, str]:
        name, text = _name_and_block(rest)
        if name not in table.sets:
            raise Refused(NO_SUCH)
        return table.sets[name], text

    def _chain(self, table: Table, name: str) -> Chain:
        if name not in table.chains:
            raise Refused(failed("missing"))
        return table.chains[name]

    def _rule(self, table: Table, text: str) -> Rule:
        if any(name not in table.sets for name in _REFERENCE.findall(text)):
            raise Refused(NO_SUCH)
        if any(name not in table.chains for name in _JUMP.findall(_COMMENT.sub("", text))):
            raise Refused(failed("missing"))
        self._handle += 1
        return Rule(self._handle, text)

    def _listing(self, words: Sequence[str], *, with_handles: bool) -> str:
        if words == ["tables"]:
            return "".join(f"table {family} {name}\n" for family, name in self.tables)
        kind, family, name, *rest = words
        table = self.tables.get((family, name))
        chains = table.chains if table else {}
        if table is None or (rest and rest[0] not in chains):
            raise Refused(f"{NO_SUCH}\nlist {' '.join(words)}")
        if kind not in {"table", "chain"}:
            raise NotFaked(f"nft list {' '.join(words)}")
        listed = [_chain_text(each, chains[each], with_handles=with_handles) for each in rest or chains]
        return f"table {family} {name} {{\n" + "\n".join(listed) + "}\n"


def _chain_text(name: str, chain: Chain, *, with_handles: bool) -> str:
    lines = [f"\tchain {name} {{{' # handle 1' * with_handles}"]
    if chain.hook:
        hook = re.sub(r"priority (\d+)", lambda found: f"priority {PRIORITIES.get(found[1], found[1])}", chain.hook)
        lines.append(f"\t\t{hook}")
    lines += [f"\t\t{rule}" + (f" # handle {rule.handle}" if with_handles else "") for rule in chain.rules]
    return "\n".join([*lines, "\t}\n"])


def _name_and_block(rest: str) -> tuple[str, str]:
    name, _, block = rest.partition(" ")
    return name, block[2:-2] if block.startswith("{ ") else ""
