"""firewalld's files of ours: their names, what is in them, and the entries that firewalld keeps there."""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.gates.firewalld import CONFIGURED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nethook.host import Host

PACKAGED = "/usr/lib/firewalld"
"""Where a package of a distribution has its files; what is configured goes before them."""

POLICY = "00-nethook"
"""The first in firewalld's order, which is that of the alphabet. firewalld 2.0 to 2.3 counts two rules as one where two
policies with the same priority are about the same zones (libvirt's own two are), and a rule that it writes after that
gets in front of rules that it belongs behind. What has been written before stays where it belongs.
"""
SETS = {4: "nethook4", 6: "nethook6"}
"""The ipset with the routed IPs, by family."""

PRIVATE_SETS = {4: "nethook-private4", 6: "nethook-private6"}
PRIVATE = {
    4: ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    6: ("fc00::/7", "fe80::/10"),
}

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
OPTIONS = {4: "inet", 6: "inet6"}
PRIORITY = 7
"""Behind the zones (0) and every policy without a priority of its own (-1), in front of what a zone does with the rest.
A number that nobody else is likely to have: see POLICY.
"""


def policy_file() -> str:
    """Return the path of the policy below either folder."""
    return f"policies/{POLICY}.xml"


def set_file(name: str) -> str:
    """Return the path of an ipset below either folder."""
    return f"ipsets/{name}.xml"


def contents(entries: Mapping[int, Iterable[str]]) -> dict[str, str]:
    """Return the text of each file by its path. The policy is last, because it needs the ipsets. Entries by family."""
    files = {}
    for family, name in SETS.items():
        files[set_file(name)] = _ipset(family, "Routed IPs of guests", entries[family])
        files[set_file(PRIVATE_SETS[family])] = _ipset(family, "Where routed IPs are not let in", PRIVATE[family])
    files[policy_file()] = _policy()
    return files


def _ipset(family: int, what: str, entries: Iterable[str]) -> str:
    lines = [
        '<ipset type="hash:net">',
        f"  <short>{what}</short>",
        "  <description>Written by nethook, which keeps it as its files say.</description>",
        f'  <option name="family" value="{OPTIONS[family]}"/>',
        *(f"  <entry>{entry}</entry>" for entry in entries),
        "</ipset>\n",
    ]
    return HEAD + "\n".join(lines)


def _policy() -> str:
    rules = []
    for family, name in SETS.items():
        private = f'<destination ipset="{PRIVATE_SETS[family]}" invert="True"/>'
        for match in (f'<destination ipset="{name}"/>', f'<source ipset="{name}"/>{private}'):
            rules.append(f'  <rule family="ipv{family}">{match}<accept/></rule>')
    lines = [
        f'<policy target="CONTINUE" priority="{PRIORITY}">',
        "  <short>nethook</short>",
        "  <description>Lets pass what guests send and get with routed IPs.</description>",
        '  <ingress-zone name="ANY"/>',
        '  <egress-zone name="ANY"/>',
        *rules,
        "</policy>\n",
    ]
    return HEAD + "\n".join(lines)


def permanent_entries(host: Host, name: str) -> set[str] | None:
    """Return the entries of an ipset that firewalld will have after a reload; None if there is no such ipset."""
    for folder in (CONFIGURED, PACKAGED):
        path = f"{folder}/{set_file(name)}"
        try:
            text = host.read(path)
        except OSError as error:
            raise ReadError(f"cannot read {path}: {error.strerror}") from None
        if text is None:
            continue
        return {piece.partition("</entry>")[0].strip() for piece in text.split("<entry>")[1:]}
    return None
