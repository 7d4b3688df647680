"""Reading what explains a way from the machine: chains, texts of rules, devices, routes, neighbours.

Nothing here fails: what cannot be read is not said.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from nethook.config.text import one_line
from nethook.doctor.ip_answers import Answer, ask
from nethook.doctor.nft_chains import BaseChain, Nft
from nethook.errors import NethookError
from nethook.gates.iptables import LEGACY_TABLES, WAIT_SECONDS
from nethook.host.files import read
from nethook.host.links import BRIDGE, links, name_of
from nethook.host.process import Call
from nethook.prefix import is_safe
from nethook.tracing.owners import is_of_iptables

if TYPE_CHECKING:
    from nethook.host.process import Tools
    from nethook.tracing.way import Met, Station

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_/\\.-]*")
"""A name of a table or chain that nft reads as one word."""
FRESH, MOST_ANSWERS = 2.0, 1000
"""For how many seconds an answer of ip counts, and how many are kept."""
TOOLS = {"ip": "iptables-nft", "ip6": "ip6tables-nft"}


class Reading:
    """Things that were read, each once. Rules are read again if one is missing: somebody may have changed them."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._nft = Nft(tools)
        self._chains: dict[tuple[str, str, str], BaseChain | None] = {}
        self._texts: dict[tuple[str, str, str], dict[int, str]] = {}
        self._devices: dict[int, str] = {}
        self._bridges: dict[int, str] | None = None
        self._answers: dict[str, tuple[float, Answer]] = {}

    def chain(self, station: Station) -> BaseChain | None:
        """Return what is known of the base chain of this station; None if it has gone, or cannot be read."""
        key = station.family, station.table, station.chain
        if key not in self._chains:
            with suppress(NethookError):
                self._chains.update(((each.family, each.table, each.name), each) for each in self._nft.base_chains())
            self._chains.setdefault(key, None)
        return self._chains[key]

    def at_devices(self) -> list[str]:
        """Return the chains that packets pass at a device, before they can be traced."""
        with suppress(NethookError):
            return [one_line(chain.where) for chain in self._nft.base_chains() if chain.hook == "ingress"]
        return []

    def rule(self, station: Station, met: Met) -> str:
        """Return the text of a rule, as the program shows it that has made it; '' if it cannot be read."""
        key = station.family, station.table, met.chain
        if met.handle not in self._texts.get(key, {}):
            self._texts[key] = self._read_rules(*key, of_iptables=is_of_iptables(*key[:2], [station.chain]))
            self._texts[key].setdefault(met.handle, "")
        return one_line(self._texts[key][met.handle])

    def _read_rules(self, family: str, table: str, chain: str, *, of_iptables: bool) -> dict[int, str]:
        if not (NAME.fullmatch(table) and NAME.fullmatch(chain)):
            return {}
        try:
            texts = self._nft.texts(family, table, chain)
            if of_iptables and family in TOOLS:
                shown = self._tools.run(Call((TOOLS[family], "-w", WAIT_SECONDS, "-t", table, "-S", chain))).out
                rules = [line for line in shown.splitlines() if line.startswith("-A ")]
                if len(rules) == len(texts):  # else it has rules that iptables does not show
                    return dict(zip(texts, rules))
        except NethookError:
            return {}
        return texts

    def device(self, number: int) -> str:
        """Return the name of this device, also if it has gone since it was asked for first; '' for none."""
        if number and not self._devices.get(number):
            self._devices[number] = name_of(number) or f"device {number}"
        return one_line(self._devices.get(number, ""))

    def bridges(self) -> dict[int, str]:
        """Return the bridges of this host: their names, by their numbers."""
        if self._bridges is None:
            try:
                self._bridges = {link.number: one_line(link.name) for link in links() if link.kind == BRIDGE}
            except NethookError:
                self._bridges = {}
        return self._bridges

    def route(self, family: int, question: str) -> Answer:
        """Return the answer of ``ip route get``; one without anything if ip fails."""
        return self._ask(family, f"route get {question}")

    def neighbour(self, family: int, address: str, device: str) -> str:
        """Return the state of the neighbour entry for this address, such as FAILED; '' without one."""
        entry = self._ask(family, f"neigh show {address} dev {device}").first if is_safe(device) else {}
        states = entry.get("state") or [""]
        return str(states[0])

    def _ask(self, family: int, question: str) -> Answer:
        """Ask ip, at most once in FRESH seconds: many packets may be lost for one reason."""
        now = time.monotonic()
        asked, answer = self._answers.get(question, (0.0, Answer([])))
        if now < asked + FRESH:
            return answer
        try:
            answer = ask(self._tools, family, [question])[0]
        except NethookError:
            answer = Answer([])
        if len(self._answers) >= MOST_ANSWERS:
            self._answers.clear()
        self._answers[question] = now, answer
        return answer

    @staticmethod
    def mtu(device: str) -> int:
        """Return the MTU of this device; 0 if it is unknown."""
        text = read(f"/sys/class/net/{device}/mtu") if is_safe(device) else ""
        return int(text) if text and text.strip().isdigit() else 0

    @staticmethod
    def legacy_tables() -> list[str]:
        """Return iptables-legacy and ip6tables-legacy, if they have tables: the kernel does not trace their rules."""
        listed = ((tool, sorted((read(path) or "").split())) for tool, path in LEGACY_TABLES.items())
        return [f"{tool}-legacy ({', '.join(tables)})" for tool, tables in listed if tables]
