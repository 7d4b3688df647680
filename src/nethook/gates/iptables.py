"""The gate in the FORWARD chain of iptables or ip6tables: libvirt's other backend, Docker, ufw.

A kernel can hold rules of both variants of iptables, nft and legacy, whichever ``iptables`` is a link to; packets pass
both. So each variant that is in use gets its gate, with the tool of that variant.
"""

from __future__ import annotations

import os

from nethook.errors import ReadError
from nethook.gates.gate import Gate, Opening, Rule, first_blocker
from nethook.kernel.process import Call, ToolMissingError, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.kernel.process import Result

WAIT_SECONDS = "3"
"""How long to wait for another program that holds the lock of iptables."""

LEGACY_TABLES = {"iptables": "/proc/self/net/ip_tables_names", "ip6tables": "/proc/self/net/ip6_tables_names"}
"""Where the kernel lists the legacy tables. Merely listing a legacy table would make it."""

PROGRAMS = ("LIBVIRT_", "DOCKER", "ufw-reject", "ufw6-reject")
"""How the chains of other programs that may reject a routed packet begin."""

ADMINS_RULESET = "is incompatible, use 'nft' tool"
"""What iptables-nft says of a table of that name with rules that no iptables wrote: an admin's own, never touched."""

ADMINS = frozenset({"DOCKER-USER"})
"""Chains with such a name that are the admin's own: they do not push the gate to their front."""


class IptablesGate(Gate):
    """The gate in FORWARD of one tool: iptables-nft, iptables-legacy, ip6tables-nft or ip6tables-legacy."""

    def __init__(self, tool: str, mark_bit: int) -> None:
        super().__init__(f"{tool} FORWARD", mark_bit)
        self.tool = tool

    @classmethod
    def of_this_host(cls, tool: str, mark_bit: int) -> list[IptablesGate]:
        """The gates for the variants of ``iptables`` or ``ip6tables`` that this host has."""
        variants = ["nft"]
        if _has_filter_table(LEGACY_TABLES[tool]):
            variants.append("legacy")
        chosen = []
        for variant in variants:
            try:
                find(f"{tool}-{variant}")
            except ToolMissingError:
                continue
            chosen.append(cls(f"{tool}-{variant}", mark_bit))
        return chosen

    def read_call(self) -> Call:
        """What lists the chain."""
        return Call((self.tool, "-w", WAIT_SECONDS, "-S", "FORWARD"))

    def opening(self, result: Result) -> Opening | None:
        """The call of iptables-restore that puts our rule, and it alone, in front of what blocks, in one step."""
        if result.status != 0:
            if ADMINS_RULESET in result.err:
                return None
            raise ReadError(result.failure)
        lines = result.out.splitlines()
        if not result.out.startswith("-P FORWARD "):
            raise ReadError(result.not_understood)
        rules = [_rule(line) for line in lines if line.startswith("-A FORWARD ")]
        misfit = self.misfit(rules, policy_blocks="-P FORWARD DROP" in lines)
        if not misfit:
            return None
        # Deleted by what they are, not by their number: between reading and writing others may have moved them.
        ours = [rule for rule in rules if rule.is_ours]
        blocker = first_blocker([rule for rule in rules if not rule.is_ours])
        bit = f"{self.mark_bit:#x}"
        batch = [
            "*filter",
            *(f"-D FORWARD {rule.name}" for rule in ours),
            f"-I FORWARD {blocker + 1} -m mark --mark {bit}/{bit} -m comment --comment {self.comment} -j ACCEPT",
            "COMMIT",
        ]
        restore = Call((f"{self.tool}-restore", "-w", WAIT_SECONDS, "--noflush"), "\n".join(batch) + "\n")
        return Opening(f"gate in {self.where} (was {misfit})", call=restore)


def _has_filter_table(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return "filter\n" in file
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ReadError(f"cannot read {path}: {os.strerror(error.errno or 0)}") from None


def _rule(line: str) -> Rule:
    """A rule as ``-S`` prints it. Its name is what ``-D`` takes."""
    specification = line[len("-A FORWARD ") :]
    words = "".join(specification.split('"')[::2]).split()  # without quoted text: a comment may hold anything
    values = dict(zip(words, words[1:]))
    comment = values.get("--comment", "")
    jump = "-g" if "-g" in words else "-j"
    target = values.get(jump, "")
    before = words[: words.index(jump)] if jump in words else words
    conditions = set(before) - {"-m", "comment", "--comment", comment}
    blocks = (target in {"DROP", "REJECT"} and not conditions) or (target.startswith(PROGRAMS) and target not in ADMINS)
    return Rule(specification, comment, blocks=blocks)
