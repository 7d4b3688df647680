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

from nethook.kernel.layout import DEVICE, NAME, Layout, SetType

FAMILY = "inet"
TABLE = f"{FAMILY} {NAME}"
BRIDGES = "bridges"
ISOLATED = "isolated"
FAMILIES = ((4, "ip"), (6, "ip6"))


def set_name(kind: str, family: int, *, single: bool) -> str:
    """The name of the set for such elements; ``kind`` is to, from or routed."""
    return f"{kind}{family}" if single else f"{kind}{family}_prefixes"


def _sets() -> dict[str, SetType]:
    """Every set, by name."""
    sets = {name: SetType(DEVICE) for name in (BRIDGES, ISOLATED)}
    for family, _ in FAMILIES:
        for kind in ("to", "from", "routed"):
            for single in (True, False):
                fields = () if kind == "routed" else (DEVICE,)
                sets[set_name(kind, family, single=single)] = SetType(
                    *fields, family=family, is_interval=not single, counts=True
                )
    return sets


SETS = _sets()


HOOKS = {
    "forward": "type filter hook forward priority filter - 10; policy accept;",
    "forward_end": "type filter hook forward priority filter + 20; policy accept;",
    "input": "type filter hook input priority filter - 10; policy accept;",
}


class Ruleset(Layout):
    """The table for one mark bit."""

    def __init__(self, mark_bit: int) -> None:
        clear = f"meta mark set meta mark & {0xFFFFFFFF & ~mark_bit:#010x}"
        chains = {"allow": [f"meta mark set meta mark | {mark_bit:#010x} # passes the gates"]}
        for family, ip in FAMILIES:
            chains.update(_family_chains(family, ip))
        chains["forward"] = [
            f"{clear} # nobody else sets this bit",
            "meta nfproto ipv4 goto forward4",
            "meta nfproto ipv6 goto forward6",
        ]
        chains["forward_end"] = [f"{clear} # behind the last gate the bit has done its work"]
        chains["input"] = [
            'iifname != @bridges meta iifkind != { "tun", "veth" } accept # not from a guest',
            "meta nfproto ipv4 goto input4",
            "meta nfproto ipv6 goto input6",
        ]
        super().__init__(FAMILY, SETS, HOOKS, chains)


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
        # What a bridge takes for itself comes with the port as its device (link_local.py), behind which nobody lives.
        f"input{family}": [
            f"{astray} {is_routed} drop # forged",
            f"{astray} {is_routed}_prefixes drop # forged",
        ],
    }
