"""The programs that make chains, and the names of priorities. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.gates.gate import COMMENT
from nethook.gates.iptables import ADMINS
from nethook.host.layout import NAME
from nethook.host.tracing import BRIDGE

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS, LIBVIRT, IPTABLES, ADMINISTRATOR = "nethook", "libvirt", "iptables", "administrator"
IPTABLES_FAMILIES = frozenset({"ip", "ip6", "bridge", "arp"})
IPTABLES_TABLES = frozenset({"filter", "nat", "mangle", "raw", "security", "broute"})
BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "BROUTING"})
TABLES = {
    NAME: OURS,
    "libvirt_network": LIBVIRT,
    "firewalld": "firewalld",
    "docker-bridges": "Docker",
    "netavark": "Podman",
    "incus": "Incus",
    "lxd": "LXD",
    "lxc": "LXC",
    "f2b-table": "fail2ban",
    "crowdsec": "CrowdSec",
    "crowdsec6": "CrowdSec",
    "kube-proxy": "Kubernetes",
}
"""Tables by their names, whatever their family."""
CHAINS = (
    ("LIBVIRT_", LIBVIRT),
    ("libvirt-", LIBVIRT),
    ("DOCKER", "Docker"),
    ("ufw", "ufw"),
    ("f2b-", "fail2ban"),
    ("KUBE-", "Kubernetes"),
    ("CNI-", "CNI"),
    ("NETAVARK", "Podman"),
    ("ts-", "Tailscale"),
    ("cali", "Calico"),
)
"""Beginnings of names of chains that programs make in the tables of iptables."""
STANDARD = (("raw", -300), ("mangle", -150), ("dstnat", -100), ("filter", 0), ("security", 50), ("srcnat", 100))
ON_BRIDGES = (("dstnat", -300), ("filter", -200), ("out", 100), ("srcnat", 300))
"""Names of priorities: nft(8)."""
NEAR = 20


def owner(family: str, table: str, chains: Iterable[str], rule: str = "") -> str:
    """Return who has made these chains, of which the last one decides, or this rule in them."""
    if f'comment "{COMMENT}' in rule or f"--comment {COMMENT}" in rule:
        return OURS
    if table in TABLES:
        return TABLES[table]
    if not is_of_iptables(family, table, chains):
        return ADMINISTRATOR
    return next(filter(None, map(_program, reversed([*chains]))), IPTABLES)


def _program(chain: str) -> str:
    """Return who makes chains of this name in the tables of iptables; '' if nobody does."""
    if chain in ADMINS:
        return ADMINISTRATOR
    return next((program for start, program in CHAINS if chain.startswith(start)), "")


def is_of_iptables(family: str, table: str, chains: Iterable[str]) -> bool:
    """Return whether iptables-nft has made these chains, which begin with a built-in one."""
    first = next(iter(chains), "")
    return family in IPTABLES_FAMILIES and table in IPTABLES_TABLES and first in BUILT_IN


def priority_text(family: str, priority: int) -> str:
    """Return a priority as nft writes it, such as ``filter - 10``."""
    name, standard = min(ON_BRIDGES if family == BRIDGE else STANDARD, key=lambda each: abs(each[1] - priority))
    difference = priority - standard
    if abs(difference) > NEAR:
        return str(priority)
    return name if not difference else f"{name} {'+' if difference > 0 else '-'} {abs(difference)}"
