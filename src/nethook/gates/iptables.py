"""The gate in the FORWARD chain of iptables or ip6tables: libvirt's other backend, Docker, ufw.

A kernel can hold rules of both variants of iptables, nft and legacy, whichever ``iptables`` is a link to; packets pass
both. So each variant that is in use gets its gate, with the tool of that variant.
"""

from __future__ import annotations

import os

from nethook.changes import ADD, Effect
from nethook.errors import ReadError
from nethook.gates.gate import NFT_FAMILIES, Chain, Firewall, Gate, GateChange, Rule, first_blocker
from nethook.host.process import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from nethook.host import Host
    from nethook.host.process import Result

WAIT_SECONDS = "3"
"""How long to wait for another program that holds the lock of iptables."""

LEGACY_TABLES = {"iptables": "/proc/self/net/ip_tables_names", "ip6tables": "/proc/self/net/ip6_tables_names"}
"""Where the kernel lists the legacy tables. Merely listing a legacy table would make it."""

PROGRAMS = ("LIBVIRT_", "DOCKER", "ufw-reject", "ufw6-reject")
"""How the chains of other programs that may reject a routed packet begin."""

DOUBTFUL = "DOCKER"
"""Docker's chains filter what has to do with its own bridges. It puts its jumps in front again at each start."""

ADMINS_RULESET = "is incompatible, use 'nft' tool"
"""What iptables-nft says of a table of that name with rules that no iptables wrote: an admin's own, never touched."""

ALONE = "counter packets "
"""How nft lists a rule of iptables that has no conditions: iptables always counts, and counts first."""

ADMINS = frozenset({"DOCKER-USER"})
"""Chains with such a name that are the admin's own: they do not push the gate to their front."""


TOOLS = {4: "iptables", 6: "ip6tables"}


class Iptables(Firewall):
    """All rules of iptables: libvirt's other backend, Docker, ufw."""

    settings = tuple(TOOLS.values())
    tables = ("ip filter", "ip6 filter")

    def gates(self, host: Host, families: Collection[int], mark_bit: int) -> list[Gate]:
        """Return one for each variant of each tool that this host has."""
        found: list[Gate] = []
        for family in families:
            found += IptablesGate.of_this_host(host, TOOLS[family], mark_bit)
        return found


class IptablesGate(Gate):
    """The gate in FORWARD of one tool: iptables-nft, iptables-legacy, ip6tables-nft or ip6tables-legacy."""

    def __init__(self, tool: str, mark_bit: int) -> None:
        super().__init__(tool.partition("-")[0], f"{tool} FORWARD", 6 if tool.startswith("ip6") else 4, mark_bit)
        self.tool = tool

    @classmethod
    def of_this_host(cls, host: Host, tool: str, mark_bit: int) -> list[IptablesGate]:
        """Return the gates for the variants of ``iptables`` or ``ip6tables`` that this host has."""
        variants = ["nft"]
        if _has_filter_table(host, LEGACY_TABLES[tool]):
            variants.append("legacy")
        found = (f"{tool}-{variant}" for variant in variants)
        return [cls(each, mark_bit) for each in found if host.has_program(each)]

    def calls(self, host: Host) -> list[Call]:
        """Return the call that lists the chain, if there is one: else it would only cost time. ReadError."""
        is_of_nft = self.tool.endswith("-nft")
        if is_of_nft and not host.has_chain(NFT_FAMILIES[self.family], "filter", "FORWARD"):
            return []
        return [Call((self.tool, "-w", WAIT_SECONDS, "-S", "FORWARD"))]

    def read(self, host: Host, results: Sequence[Result]) -> Chain | None:
        """Return FORWARD; None where it is in a ruleset that an admin has written with nft."""
        del host
        if not results:  # as iptables lists a chain that is not there
            return Chain([], policy_blocks=False)
        (result,) = results
        if result.status != 0:
            if ADMINS_RULESET in result.err:
                return None
            raise ReadError(result.failure)
        lines = result.out.splitlines()
        if not result.out.startswith("-P FORWARD "):
            raise ReadError(result.not_understood)
        rules = [_rule(line) for line in lines if line.startswith("-A FORWARD ")]
        return Chain(rules, policy_blocks="-P FORWARD DROP" in lines)

    def doubt(self, chain: Chain) -> Call | None:
        """Return the call by which nft lists the chain, if a rule that stops everything seems to need the gate.

        iptables-nft 1.8.9 leaves out conditions that no iptables has written, such as a set of nftables.
        """
        if self.tool.endswith("-nft") and self.misfit(chain) and any(rule.stops_all for rule in chain.rules):
            return Call(("nft", "list", "chain", NFT_FAMILIES[self.family], "filter", "FORWARD"))
        return None

    def settle(self, chain: Chain, result: Result) -> Chain:
        """Return the chain, in which a rule with conditions does not block: it is an admin's."""
        listed = [line.strip() for line in result.out.splitlines()[2:] if line.startswith("\t\t")][1:]
        if result.status != 0 or len(listed) != len(chain.rules):
            raise ReadError(result.failure if result.status != 0 else result.not_understood)
        rules = [
            Rule(rule.name, rule.comment, blocks=False, hides=True)
            if rule.stops_all and not line.startswith(ALONE)
            else rule
            for rule, line in zip(chain.rules, listed)
        ]
        return Chain(rules, policy_blocks=chain.policy_blocks)

    def _put_right(self, chain: Chain, misfit: str) -> GateChange:
        """Return the call of iptables-restore that puts our rule in front of what blocks, in one step."""
        moved = self._for_this_bit(chain)
        blocker = first_blocker([rule for rule in chain.rules if rule not in moved])
        bit = f"{self.mark_bit:#x}"
        rule = f"-I FORWARD {blocker + 1} -m mark --mark {bit}/{bit} -m comment --comment {self.comment} -j ACCEPT"
        effect = Effect(ADD, "gate", note=f"in {self.where} (was {misfit})")
        return GateChange(effect, call=self._restore([*_deletions(moved), rule]))

    def removal(self, rules: Sequence[Rule], effects: Sequence[Effect]) -> GateChange:
        """Return the call of iptables-restore that deletes these rules, all or none."""
        return GateChange(*effects, call=self._restore(_deletions(rules)))

    def _restore(self, commands: Sequence[str]) -> Call:
        batch = ["*filter", *commands, "COMMIT"]
        return Call((f"{self.tool}-restore", "-w", WAIT_SECONDS, "--noflush"), "\n".join(batch) + "\n")


def _deletions(rules: Iterable[Rule]) -> list[str]:
    """Return the deletions of these rules, by their text: others may have changed their numbers meanwhile."""
    return [f"-D FORWARD {rule.name}" for rule in rules]


def _has_filter_table(host: Host, path: str) -> bool:
    try:
        return "filter" in (host.read(path) or "").split()
    except OSError as error:
        raise ReadError(f"cannot read {path}: {os.strerror(error.errno or 0)}") from None


def _rule(line: str) -> Rule:
    """Return a rule as ``-S`` prints it. Its name is what ``-D`` takes."""
    specification = line[len("-A FORWARD ") :]
    words = "".join(specification.split('"')[::2]).split()  # without quoted text: a comment may hold anything
    values = dict(zip(words, words[1:]))
    comment = values.get("--comment", "")
    jump = "-g" if "-g" in words else "-j"
    target = values.get(jump, "")
    before = words[: words.index(jump)] if jump in words else words
    conditions = set(before) - {"-m", "comment", "--comment", comment}
    stops_all = target in {"DROP", "REJECT"} and not conditions
    blocks = stops_all or (target.startswith(PROGRAMS) and target not in ADMINS)
    return Rule(specification, comment, blocks=blocks, is_doubtful=target.startswith(DOUBTFUL), stops_all=stops_all)
