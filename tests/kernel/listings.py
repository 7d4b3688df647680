"""What is in the kernel, as text that can be compared: what is ours, and what is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.machine import Machine

OUR_PROTOCOL = "218"
GATE = "nethook-"
_OUR_TABLE = re.compile(r"table inet nethook \{.*?^\}\n", re.S | re.M)
_IPTABLES_TABLE = re.compile(r"table ip6? (filter|nat|mangle|raw|security) \{.*?^\}\n", re.S | re.M)
_BLOCK = re.compile(r"^\t(?:set|chain) .*?^\t\}\n", re.S | re.M)
_BLOCKS = re.compile(r"^\t(?:set|chain) .*^\t\}\n", re.S | re.M)
_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")
_FINGERPRINT = re.compile(r'([" ])[0-9a-f]{8}"')


def foreign(machine: Machine) -> str:
    """All packet filters and routes that are not ours. Neither counters nor the order of elements are in it."""
    tables = _OUR_TABLE.sub("", machine.run("nft", "--stateless", "list", "ruleset"))
    saves = [
        machine.run(f"{tool}-{variant}-save") for tool in ("iptables", "ip6tables") for variant in ("nft", "legacy")
    ]
    lines = [
        *_IPTABLES_TABLE.sub("", tables).splitlines(),  # of these, the listings of iptables tell more
        *(re.sub(r"\[\d+:\d+\]", "", line) for save in saves for line in save.splitlines() if not line.startswith("#")),
        *_routes(machine),
    ]
    return "\n".join(line for line in lines if GATE not in line and f"proto {OUR_PROTOCOL}" not in line)


def ours(machine: Machine) -> str:
    """All that is ours: routes, table, gates. Without counters, handles, and what changes with each version."""
    return "\n".join((*routes(machine), "", table(machine), *gates(machine), ""))


def routes(machine: Machine) -> list[str]:
    """Our routes."""
    return [line for line in _routes(machine) if f"proto {OUR_PROTOCOL}" in line]


def table(machine: Machine) -> str:
    """Our table; '' if there is none. Without counters."""
    found = _OUR_TABLE.search(machine.run("nft", "list", "ruleset"))
    text = _COUNTERS.sub("counter", found[0]) if found else ""
    return _FINGERPRINT.sub(r'\1FINGERPRINT"', _sorted_elements(_sorted_blocks(text)))


def gates(machine: Machine) -> list[str]:
    """Our rules in the chains of others, each behind the place where it is."""
    found = []
    for family in ("ip", "ip6"):
        chain = machine.run("nft", "list", "chain", family, "libvirt_network", "forward", check=False)
        found += [
            f"{family} libvirt_network forward: {_COUNTERS.sub('counter', line.strip())}"
            for line in chain.splitlines()
            if GATE in line
        ]
    for tool in ("iptables", "ip6tables"):
        for variant in ("nft", "legacy"):
            save = machine.run(f"{tool}-{variant}-save")
            found += [f"{tool}-{variant}: {line}" for line in save.splitlines() if GATE in line]
    return found


def _routes(machine: Machine) -> list[str]:
    """All routes, in all tables, that do not come and go by themselves."""
    return [
        line.replace(" linkdown", "").strip()
        for family in ("-4", "-6")
        for line in machine.run("ip", family, "route", "show", "table", "all").splitlines()
    ]


def _sorted_blocks(text: str) -> str:
    """The listing with sets and chains in order of name: what was repaired comes last in the kernel's."""
    return _BLOCKS.sub(lambda match: "\n".join(sorted(_BLOCK.findall(match[0]))), text)


def _sorted_elements(text: str) -> str:
    """The listing with the elements of each set on one line, in order: hash sets list theirs in any."""

    def one_line(match: re.Match[str]) -> str:
        items = sorted(" ".join(item.split()) for item in match[1].split(","))
        return f"elements = {{ {', '.join(items)} }}"

    return re.sub(r"elements = \{(.*?)\}", one_line, text, flags=re.S)
