"""What is in the kernel, as text that can be compared: what is ours, and what is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lab.world.machine import Machine

SETTLED = """n=0
while [ -n "$(ip -6 -o address show tentative)" ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.05; done"""
"""Waits until the kernel has made the routes of new IPv6 addresses, which it does a moment later."""

SAVES = ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
COMMANDS = {
    "nft": "nft list ruleset",
    **{tool: f"{tool}-save" for tool in SAVES},
    "ip -4": "ip -4 route show table all",
    "ip -6": f"{SETTLED}\nip -6 route show table all",
    "rules": "ip -4 rule; ip -6 rule",
    "neighbours": "ip neighbour show nud permanent",
}
OUR_PROTOCOL = "218"
GATE = "nethook-"
GATEWAYS = ("local 169.254.0.1 dev ", "local fe80::1 dev ")
"""How routes begin that the kernel makes for addresses that only we give to bridges."""
LINK_LOCAL = ("fe80::/64 dev ", "local fe80::", "anycast fe80:: dev ", "multicast ff00::/8 dev ")
"""How routes begin that the kernel makes by itself for each device, when it has noticed that the device is up."""
ANYCAST = "anycast fe80:: dev "
"""How begins one that it makes for a gateway where no other address on the bridge needs it."""
_OUR_TABLE = re.compile(r"table inet nethook \{.*?^\}\n", re.S | re.M)
_OUR_BINDING = re.compile(r"table bridge nethook \{.*?^\}\n", re.S | re.M)
_OUR_FORWARDS = re.compile(r"table ip6? nethook \{.*?^\}\n", re.S | re.M)
_OUR_ARP_TABLE = re.compile(r"table arp nethook \{.*?^\}\n", re.S | re.M)
_IPTABLES_TABLE = re.compile(r"table ip6? (filter|nat|mangle|raw|security) \{.*?^\}\n", re.S | re.M)
_LIBVIRTS_FORWARD = re.compile(r"^table (ip6?) libvirt_network \{.*?^\tchain forward \{(.*?)^\t\}", re.S | re.M)
_SEPARATOR = "=== next"
_BLOCK = re.compile(r"^\t(?:set|map|chain) .*?^\t\}\n", re.S | re.M)
_BLOCKS = re.compile(r"^\t(?:set|map|chain) .*^\t\}\n", re.S | re.M)
_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")
_ARP_FINGERPRINT = re.compile(r"(?<=towards guests only )[0-9a-f]{8}")
_FINGERPRINT = re.compile(r'([" ])[0-9a-f]{8}"')


class Listing(NamedTuple):
    """Everything at one moment: what is ours, and what is not."""

    ours: str
    foreign: str


def listing(machine: Machine) -> Listing:
    """Everything, read once."""
    kernel = _read(machine)
    return Listing(_ours(kernel), _foreign(kernel))


def foreign(machine: Machine) -> str:
    """All packet filters and routes that are not ours. Neither counters nor the order of elements are in it."""
    return _foreign(_read(machine))


def ours(machine: Machine) -> str:
    """All that is ours: routes, tables, gates, neighbours. Without counters, handles, and what each version changes."""
    return _ours(_read(machine))


def routes(machine: Machine) -> list[str]:
    """Our routes."""
    return _our_routes(_read(machine, "ip -4", "ip -6"))


def table(machine: Machine) -> str:
    """Our table; '' if there is none. Without counters."""
    return _our_table(_read(machine, "nft"))


def gates(machine: Machine) -> list[str]:
    """Our rules in the chains of others, each behind the place where it is."""
    return _our_gates(_read(machine, "nft", *SAVES))


def _read(machine: Machine, *keys: str) -> dict[str, str]:
    """What the commands with these keys print, by default all of them."""
    chosen = keys or tuple(COMMANDS)
    script = "\n".join(f"echo {_SEPARATOR}; {COMMANDS[key]}" for key in chosen)
    parts = machine.run("sh", "-e", "-c", script).split(f"{_SEPARATOR}\n")[1:]
    return dict(zip(chosen, parts))


def _foreign(kernel: dict[str, str]) -> str:
    tables = kernel["nft"]
    for ours in (
        _OUR_TABLE,
        _OUR_BINDING,
        _OUR_FORWARDS,
        _OUR_ARP_TABLE,
        _IPTABLES_TABLE,
    ):  # of iptables', what it lists tells more
        tables = ours.sub("", tables)
    lines = [
        *_COUNTERS.sub("counter", tables).splitlines(),
        *(re.sub(r"\[\d+:\d+\]", "", line) for save in SAVES for line in kernel[save].splitlines() if line[:1] != "#"),
        *_routes(kernel),
        *kernel["rules"].splitlines(),
        *kernel["neighbours"].splitlines(),
    ]
    of_us = (GATE, f"proto {OUR_PROTOCOL}")
    return "\n".join(
        line
        for line in lines
        if not line.startswith((*GATEWAYS, *LINK_LOCAL)) and not any(sign in line for sign in of_us)
    )


def _ours(kernel: dict[str, str]) -> str:
    gateways = [line for line in _routes(kernel) if line.startswith(GATEWAYS)]
    arp = _OUR_ARP_TABLE.search(kernel["nft"])
    tables = (_our_table(kernel), _ARP_FINGERPRINT.sub("FINGERPRINT", arp[0]) if arp else "")
    rules = [" ".join(line.split()) for line in kernel["rules"].splitlines() if f"proto {OUR_PROTOCOL}" in line]
    routing = [*_our_routes(kernel), *rules, *gateways]
    forwards = [_normal(found) for found in _OUR_FORWARDS.finditer(kernel["nft"])]
    return "\n".join((*routing, "", *tables, *forwards, *_our_gates(kernel), "", *_our_bindings(kernel)))


def _our_routes(kernel: dict[str, str]) -> list[str]:
    return [line for line in _routes(kernel) if f"proto {OUR_PROTOCOL}" in line]


def _our_bindings(kernel: dict[str, str]) -> list[str]:
    """The table that is there while something is bound, and what is pinned."""
    neighbours = [line.strip() for line in kernel["neighbours"].splitlines() if f"proto {OUR_PROTOCOL}" in line]
    return [*filter(None, [_normal(_OUR_BINDING.search(kernel["nft"]))]), *sorted(neighbours)]


def _our_table(kernel: dict[str, str]) -> str:
    return _normal(_OUR_TABLE.search(kernel["nft"]))


def _normal(found: re.Match[str] | None) -> str:
    text = _COUNTERS.sub("counter", found[0]) if found else ""
    return _FINGERPRINT.sub(r'\1FINGERPRINT"', _sorted_elements(_sorted_blocks(text)))


def _our_gates(kernel: dict[str, str]) -> list[str]:
    found = []
    for name, body in _LIBVIRTS_FORWARD.findall(kernel["nft"]):
        rules = [line.strip() for line in _COUNTERS.sub("counter", body).splitlines()]
        found += [f"{name} libvirt_network forward: {rule}" for rule in rules if GATE in rule]
    for save in SAVES:
        found += [f"{save}: {line}" for line in kernel[save].splitlines() if GATE in line]
    return found


def _routes(kernel: dict[str, str]) -> list[str]:
    """All routes, in all tables."""
    return [line.replace(" linkdown", "").strip() for line in (kernel["ip -4"] + kernel["ip -6"]).splitlines()]


def _sorted_blocks(text: str) -> str:
    """The listing with sets and chains in order of name: what was repaired comes last in the kernel's."""
    return _BLOCKS.sub(lambda match: "\n".join(sorted(_BLOCK.findall(match[0]))), text)


def _sorted_elements(text: str) -> str:
    """The listing with the elements of each set on one line, in order: hash sets list theirs in any."""

    def one_line(match: re.Match[str]) -> str:
        items = sorted(" ".join(item.split()) for item in match[1].split(","))
        return f"elements = {{ {', '.join(items)} }}"

    return re.sub(r"elements = \{(.*?)\}", one_line, text, flags=re.S)
