"""The sets and rules of the table ``inet nethook``: constant text, whatever is configured.

Packets are classified here, once, before the filter chains of every other firewall. What is allowed gets the mark bit,
and each of those firewalls has one constant gate for that bit. A routed IP is an element in three sets:

- ``to``      (bridge, address) pairs that packets are delivered to; counts what was sent to them
- ``from``    (bridge, address) pairs that packets may come from; counts what they sent
- ``routed``  all configured addresses, wherever they are now; counts what was dropped because it forged one of them

Each exists per family, and once for single addresses (hash sets, cheap in any number) and once for prefixes (interval
sets, whose cost grows with the square of their size when an interface is in the key).

Which bridge an address lives on, the kernel's routes decide (``fib``): they know the longest prefix. A packet from a
guest whose source does not live behind the bridge it came through reaches no routed IP, and if it claims to be a routed
IP it reaches nobody, the host included.

What is allowed, and nothing else:

====================================================  =================
outside → routed IP, and back                         yes
routed IP → routed IP, also of another network        yes
private address of a nat, route, open one → routed    yes
isolated network → routed IP                          no
routed IP → private address of another network        no
forged source → routed IP; forged routed IP → anyone  no
replies of allowed connections                        yes
====================================================  =================

"No" means unmarked, so that the other firewalls decide as if we were not there, except for what is forged: that is
dropped. A packet is looked up in each set at most once, so that the counters count packets.
"""

from __future__ import annotations

from binascii import crc32

NAME = "nethook"
TABLE = f"inet {NAME}"
URL = "https://pypi.org/project/libvirt-nethook-helper/"
BRIDGES = "bridges"
ISOLATED = "isolated"
FAMILIES = ((4, "ip"), (6, "ip6"))


def set_name(kind: str, family: int, *, single: bool) -> str:
    """The name of the set for such elements; ``kind`` is to, from or routed."""
    return f"{kind}{family}" if single else f"{kind}{family}_prefixes"


class SetType:
    """What the keys of a set are: a device, an address, or both; addresses single or as intervals.

    ``family`` is 4 or 6, or 0 for no address.
    """

    __slots__ = ("family", "has_device", "is_interval")

    def __init__(self, *, has_device: bool, family: int = 0, is_interval: bool = False) -> None:
        self.has_device = has_device
        self.family = family
        self.is_interval = is_interval

    @property
    def definition(self) -> str:
        """The set's definition for nft. Those with addresses count what they match."""
        fields = ["ifname"] * self.has_device + [f"ipv{self.family}_addr"] * bool(self.family)
        flags = "flags interval; " * self.is_interval + "counter;" * bool(self.family)
        return f"type {' . '.join(fields)}; {flags}".rstrip()


def _sets() -> dict[str, SetType]:
    """Every set, by name."""
    sets = {name: SetType(has_device=True) for name in (BRIDGES, ISOLATED)}
    for family, _ in FAMILIES:
        for kind in ("to", "from", "routed"):
            for single in (True, False):
                sets[set_name(kind, family, single=single)] = SetType(
                    has_device=kind != "routed", family=family, is_interval=not single
                )
    return sets


SETS = _sets()


HOOKS = {
    "forward": "type filter hook forward priority filter - 10; policy accept;",
    "forward_end": "type filter hook forward priority filter + 20; policy accept;",
    "input": "type filter hook input priority filter - 10; policy accept;",
}
"""Where packets come into the table: what these chains are to the kernel. All others are only jumped to."""


class Ruleset:
    """The rules for one mark bit. ``fingerprint`` tells this table from that of another version or mark bit."""

    __slots__ = ("chains", "fingerprint")

    def __init__(self, mark_bit: int) -> None:
        clear = f"meta mark set meta mark & {0xFFFFFFFF & ~mark_bit:#010x}"
        self.chains = {"allow": [f"meta mark set meta mark | {mark_bit:#010x} # passes the gates"]}
        """Rules by chain, each with its reason behind a ``#``; what is jumped to stands before what jumps."""
        for family, ip in FAMILIES:
            self.chains.update(_family_chains(family, ip))
        self.chains["forward"] = [
            f"{clear} # nobody else sets this bit",
            "meta nfproto ipv4 goto forward4",
            "meta nfproto ipv6 goto forward6",
        ]
        self.chains["forward_end"] = [f"{clear} # behind the last gate the bit has done its work"]
        self.chains["input"] = [
            "iifname != @bridges accept # not from a guest",
            "meta nfproto ipv4 goto input4",
            "meta nfproto ipv6 goto input6",
        ]
        definitions = [HOOKS, self.chains, *((name, kind.definition) for name, kind in SETS.items())]
        self.fingerprint = f"{crc32(repr(definitions).encode()):08x}"

    def creation(self) -> list[str]:
        """The nft commands that make table, sets and rules as they should be; elements that are there stay."""
        commands = [f'add table {TABLE} {{ comment "{URL}"; }}']
        commands += [f"add set {TABLE} {name} {{ {kind.definition} }}" for name, kind in SETS.items()]
        for chain in self.chains:
            hook = f" {{ {HOOKS[chain]} }}" if chain in HOOKS else ""
            commands += [f"add chain {TABLE} {chain}{hook}", f"flush chain {TABLE} {chain}"]
        for chain, rules in self.chains.items():
            for rule in rules:
                match = rule.partition(" # ")[0]
                commands.append(f'add rule {TABLE} {chain} {match} comment "{self.comment(rule)}"')
        return commands

    def comment(self, rule: str) -> str:
        """What the kernel keeps with a rule: its reason, and the fingerprint."""
        return f"{rule.partition(' # ')[2]} {self.fingerprint}".lstrip()

    def is_intact(self, comments: dict[str, list[str]]) -> bool:
        """Whether our chains have exactly these rules, by the comments of the rules in each chain."""
        return all(
            comments.get(chain) == [self.comment(rule) for rule in rules] for chain, rules in self.chains.items()
        )


def _family_chains(family: int, ip: str) -> dict[str, list[str]]:
    """The chains of one IP family."""
    astray = "fib saddr . iif oif missing"
    sent_from = f"iifname . {ip} saddr @from{family}"
    delivered_to = f"oifname . {ip} daddr @to{family}"
    is_routed = f"{ip} saddr @routed{family}"
    return {
        f"from_routed{family}": [
            f"{delivered_to} goto allow # both are public",
            f"{delivered_to}_prefixes goto allow # both are public",
            "ct state established,related goto allow # reply",
            "oifname != @bridges goto allow # to the outside, not to private guests",
        ],
        f"to_routed{family}": [
            "ct state established,related goto allow # reply",
            "iifname != @isolated goto allow # isolated stays isolated",
        ],
        f"astray{family}": [
            f"{is_routed} drop # forged",
            f"{is_routed}_prefixes drop # forged",
            f"{delivered_to} drop # from a forged address",
            f"{delivered_to}_prefixes drop # from a forged address",
        ],
        f"forward{family}": [
            f"iifname @bridges {astray} goto astray{family} # its source does not live there",
            f"{sent_from} goto from_routed{family}",
            f"{sent_from}_prefixes goto from_routed{family}",
            f"{delivered_to} goto to_routed{family}",
            f"{delivered_to}_prefixes goto to_routed{family}",
        ],
        f"input{family}": [
            f"{astray} {is_routed} drop # forged",
            f"{astray} {is_routed}_prefixes drop # forged",
        ],
    }
