"""Foreign rules that use our bit of the packet mark, for ``check``, ``install`` and ``doctor``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.config import SETTINGS_FILE
from nethook.config.text import one_line
from nethook.doctor.ip_answers import ask
from nethook.doctor.mark_claims import FULL, Bits, of_ip_rule, of_iptables_rule, of_nft_rule
from nethook.doctor.nft_chains import Nft
from nethook.errors import NethookError, ReadError
from nethook.gates.gate import COMMENT
from nethook.gates.iptables import LEGACY_TABLES
from nethook.host.files import read
from nethook.host.layout import NAME
from nethook.host.process import Call, ToolMissingError, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.host.process import Tools

CANDIDATES = (*(1 << number for number in range(28, 32)), *(1 << number for number in range(27, -1, -1)))
"""Bits to propose, the best first. People usually use the low ones."""
MOST_NAMED = 3
FAMILIES = {"iptables": "ip", "ip6tables": "ip6"}


class Claim(NamedTuple):
    """A foreign rule that uses marks: its bits, its place, and its text."""

    bits: Bits
    where: str
    rule: str
    may_filter: bool = False
    """The rule is where packets of routed guests carry our mark, and may match our bit: docs/firewalls.md."""

    @property
    def certain(self) -> int:
        """The bits that the rule certainly claims."""
        return self.bits.certain | (0 if self.may_filter else self.bits.compares)

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}"


class ForeignMarks:
    """The foreign rules that use bits of packet marks on this host.

    ``not_looked_at`` has a sentence for each source of rules that could not be read.
    """

    def __init__(self, claims: Sequence[Claim], not_looked_at: Sequence[str] = ()) -> None:
        self._claims = claims
        self.not_looked_at = list(not_looked_at)

    def certain(self, bit: int) -> str:
        """Return a sentence about the rules that use our bit; '' if there are none."""
        users = [claim for claim in self._claims if claim.certain & bit]
        return self._sentence(bit, "is also used", users)

    def possible(self, bit: int) -> str:
        """Return a sentence about the rules that may use our bit, because their mask covers it or they are unclear."""
        users = [claim for claim in self._claims if claim.bits.possible & bit & ~claim.certain]
        return self._sentence(bit, "may also be used", users)

    def advice(self) -> str:
        """Return advice: another bit for the settings."""
        used = 0
        for claim in self._claims:
            used |= claim.bits.certain | claim.bits.compares
            used |= claim.bits.possible if claim.bits.possible != FULL else 0
        free = next((bit for bit in CANDIDATES if not used & bit), None)
        if free is None:
            return "no bit is free: remove one from these rules"
        return f"write mark-bit = {free:#x} into {SETTINGS_FILE}, then run nethook apply"

    @staticmethod
    def _sentence(bit: int, how: str, users: Sequence[Claim]) -> str:
        if not users:
            return ""
        named = "; ".join(map(str, users[:MOST_NAMED]))
        more = f"; and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        return one_line(f"bit {bit:#x} of the packet mark, which is ours, {how} by {named}{more}")


def foreign_marks(tools: Tools) -> ForeignMarks:
    """Read all foreign rules of ``ip rule``, nftables and iptables. Those that cannot be read are noted."""
    claims: list[Claim] = []
    failures: list[str] = []
    sources = [_ip_rules(tools, family) for family in (4, 6)]
    if os.geteuid() == 0:
        known: set[tuple[str, str]] = set()
        sources += [_iptables(tools, f"{tool}-{variant}", known) for tool in FAMILIES for variant in ("nft", "legacy")]
        sources.append(_nftables(tools, known, failures))
    else:
        failures.append("only root can see the rules of nftables and iptables")
    for source in sources:
        try:
            claims += (claim for claim in source if any(claim.bits))
        except (NethookError, OSError) as error:
            failures.append(str(error))
    return ForeignMarks(claims, failures)


def _ip_rules(tools: Tools, family: int) -> Iterator[Claim]:
    for rule in ask(tools, family, ["rule show"])[0].listed:
        bits = of_ip_rule(rule)
        if any(bits):
            mask = f"/{rule['fwmask']}" if "fwmask" in rule else ""
            text = f"fwmark {rule['fwmark']}{mask} lookup {rule.get('table', '?')}"
            yield Claim(bits, f"ip -{family} rule {rule.get('priority', '?')}", text)


def _iptables(tools: Tools, tool: str, known: set[tuple[str, str]]) -> Iterator[Claim]:
    """Read all tables of one variant of iptables. ``known`` gets the tables that nft need not read again."""
    name, _, variant = tool.partition("-")
    if variant == "legacy" and not read(LEGACY_TABLES[name]):  # there are no tables, so the tool need not exist
        return
    try:
        find(f"{tool}-save")
    except ToolMissingError:
        return
    result = tools.run(Call((f"{tool}-save",)))
    if result.status != 0:
        raise ReadError(result.failure)
    table = ""
    for line in result.out.splitlines():
        if line.startswith("*"):
            table = line[1:]
            if variant == "nft":
                known.add((FAMILIES[name], table))
        elif line.startswith("-A ") and COMMENT not in line:
            where = f"{tool}, table {table}, chain {line.split()[1]}"
            yield Claim(of_iptables_rule(line), where, line, may_filter=table == "filter")


def _nftables(tools: Tools, known: set[tuple[str, str]], failures: list[str]) -> Iterator[Claim]:
    """Read one table after the other, without the elements of sets: there may be a million."""
    for table in _listed(tools, "table", "list", "tables"):
        family, name = table["family"], table["name"]
        if name == NAME or (family, name) in known:
            continue
        try:
            yield from _nft_table(tools, family, name)
        except ReadError as error:
            failures.append(str(error))


def _nft_table(tools: Tools, family: str, table: str) -> Iterator[Claim]:
    result = _json(tools, "list", "table", family, table)
    hooks = {entry["chain"]["name"]: entry["chain"].get("hook", "forward") for entry in result if "chain" in entry}
    texts: dict[str, dict[int, str]] = {}
    for entry in result:
        rule = entry.get("rule", {})
        try:
            bits = of_nft_rule(rule.get("expr", ()))
        except (KeyError, TypeError, ValueError):
            raise ReadError(f"chain {family} {table} {rule.get('chain')} has a rule that is not understood") from None
        if not any(bits) or rule.get("comment", "").startswith(COMMENT):
            continue
        chain = rule["chain"]
        if chain not in texts:
            texts[chain] = _texts(tools, family, table, chain)
        text = texts[chain].get(rule["handle"], f"the rule with handle {rule['handle']}")
        yield Claim(bits, f"nftables chain {family} {table} {chain}", text, may_filter=hooks[chain] == "forward")


def _texts(tools: Tools, family: str, table: str, chain: str) -> dict[int, str]:
    """Return the rules of a chain as text, by handle; {} if it has gone, or cannot be read."""
    try:
        return Nft(tools).texts(family, table, chain)
    except ReadError:
        return {}


def _listed(tools: Tools, kind: str, *words: str) -> list[dict[str, Any]]:
    return [entry[kind] for entry in _json(tools, *words) if kind in entry]


def _json(tools: Tools, *words: str) -> list[dict[str, Any]]:
    result = tools.run(Call(("nft", "--json", "--handle", "--terse", *words)))
    if result.status != 0:
        raise ReadError(result.failure)
    try:
        entries: list[dict[str, Any]] = json.loads(result.out)["nftables"]
    except (ValueError, KeyError, TypeError):
        raise ReadError(result.not_understood) from None
    return entries
