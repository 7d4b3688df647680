"""``iptables`` of the fake host, one variant of one family: the chains of its tables, and their rules as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.host.fake.answer import Answer, NotFaked, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILT_IN = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
}
NO_CHAIN = "No chain/target/match by that name."
NO_RULE = "Bad rule (does a matching rule exist in that chain?)."
TOO_BIG = "Index of insertion too big."


class Iptables:
    """The tables of one tool: iptables-nft, iptables-legacy, ip6tables-nft or ip6tables-legacy."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.chains: dict[str, dict[str, list[str]]] = {}
        """The rules of each chain, by table; a table is there when somebody has used it."""
        self.policies: dict[str, str] = {}
        """Of the chains of the table filter, where it is another than ACCEPT."""

    def copy(self) -> Iptables:
        """Return one that may be changed without changing this one."""
        made = Iptables(self.tool)
        made.chains = {
            table: {name: list(rules) for name, rules in chains.items()} for table, chains in self.chains.items()
        }
        made.policies = dict(self.policies)
        return made

    def show(self, argv: Sequence[str]) -> Answer:
        """List rules: ``-S`` with a chain, or without."""
        words = _without_wait(argv)
        words = words[2:] if words[:2] == ["-t", "filter"] else words
        if words[:1] != ["-S"]:
            raise NotFaked(f"{self.tool} {' '.join(argv)}")
        chains = self.chains.get("filter", {name: [] for name in BUILT_IN["filter"]})
        if self.tool.endswith("-legacy"):  # which makes the table by looking at it
            self.chains["filter"] = chains
        shown = words[1:] or list(chains)
        lines = [
            f"-P {name} {self.policies.get(name, 'ACCEPT')}" if name in BUILT_IN["filter"] else f"-N {name}"
            for name in shown
        ]
        lines += [f"-A {name} {rule}" for name in shown for rule in chains[name]]
        return Answer(0, "".join(f"{line}\n" for line in lines))

    def as_nft_lists(self, family: str) -> Answer:
        """List FORWARD as ``nft`` does."""
        if "filter" not in self.chains:
            return Answer(1, "", f"Error: No such file or directory\nlist chain {family} filter FORWARD\n")
        rules = "".join(f"\t\tcounter packets 0 bytes 0 {rule}\n" for rule in self.chains["filter"]["FORWARD"])
        hook = "\t\ttype filter hook forward priority filter; policy accept;\n"
        return Answer(0, f"table {family} filter {{\n\tchain FORWARD {{\n{hook}{rules}\t}}\n}}\n")

    def restore(self, argv: Sequence[str], stdin: str) -> Answer:
        """Change rules: each table as a whole, or not at all."""
        if _without_wait(argv) != ["--noflush"]:
            raise NotFaked(f"{self.tool}-restore {' '.join(argv)}")
        table = ""
        chains: dict[str, list[str]] = {}
        for number, line in enumerate(stdin.splitlines(), 1):
            if line.startswith("*"):
                table = line[1:]
                there = self.chains.get(table) or {name: [] for name in BUILT_IN[table]}
                chains = {name: list(rules) for name, rules in there.items()}
            elif line == "COMMIT":
                self.chains[table] = chains
            else:
                try:
                    _change(chains, line)
                except Refused as refused:
                    return Answer(1, "", f"{self.tool}-restore: line {number} failed: {refused}\n")
        return Answer()


def _change(chains: dict[str, list[str]], line: str) -> None:
    verb, _, rest = line.partition(" ")
    if verb.startswith(":"):
        chains.setdefault(verb[1:], [])
        return
    name, _, rule = rest.partition(" ")
    if name not in chains:
        raise Refused(NO_CHAIN)
    if verb == "-A":
        chains[name].append(rule)
    elif verb == "-D":
        if rule not in chains[name]:
            raise Refused(NO_RULE)
        chains[name].remove(rule)
    elif verb == "-I":
        number, _, behind = rule.partition(" ")
        at = int(number) - 1 if number.isdigit() else 0
        if at > len(chains[name]):
            raise Refused(TOO_BIG)
        chains[name].insert(at, behind if number.isdigit() else rule)
    else:
        raise NotFaked(f"iptables-restore: {line}")


def _without_wait(argv: Sequence[str]) -> list[str]:
    """Return the arguments without ``-w`` and its seconds."""
    words = list(argv)
    if words[:1] == ["-w"]:
        words = words[2:] if words[1:2] and words[1].isdigit() else words[1:]
    return words
