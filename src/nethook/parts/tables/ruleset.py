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

Every packet leaves with the mark that it came with. If our bit is in that mark, somebody else has set it, and between
our two chains it would open the gates. So the packet loses it in the first chain and gets it back in the second. The
packet's priority (``skb->priority``) remembers this in between: only tc reads it, later. It consists of MAJOR and MINOR
of a class of tc, 16 bits each. A MAJOR from 0x6800 to 0x6fff is taken for ours. With another one above 0xff, which
hardly anybody writes, there is no place to remember anything: such a packet does not get the bit back.
"""

from __future__ import annotations

from nethook.host.layout import DEVICE, NAME, Layout, SetType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY = "inet"
TABLE = f"{FAMILY} {NAME}"
BRIDGES = "bridges"
ISOLATED = "isolated"
FAMILIES = ((4, "ip"), (6, "ip6"))
IN_USE, IS_OURS, OURS = 0xFF000000, 0xF8000000, 0x68000000
"""The bits of a priority that must be 0 for us to use it; those that tell that we do, and how."""
FLAGS = (0x01000000, 0x02000000, 0x04000000)
"""Bits of such a priority: which of our mark bits a packet has had."""


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

    def __init__(self, mark_bit: int, former: Sequence[int] = ()) -> None:
        """``former`` are bits of gates that were opened for another setting: until they are closed, packets get both.

        So each gate, new or old, lets pass what it should, and nothing else.
        """
        bits = (mark_bit, *former)[: len(FLAGS)]
        mask = 0
        for bit in bits:
            mask |= bit
        clear = f"meta mark set meta mark & {0xFFFFFFFF & ~mask:#010x}"
        is_flagged = f"meta priority & {IS_OURS:#x} == {OURS:#x}"
        flags = [(f"meta mark & {bit:#010x} != 0", f"meta mark | {bit:#010x}", flag) for bit, flag in zip(bits, FLAGS)]
        chains = {
            "allow": [f"meta mark set meta mark | {mask:#010x} # passes the gates"],
            "put_aside": [
                f"meta priority & {IN_USE:#x} == 0 meta priority set meta priority | {OURS:#x} # to remember it",
                *(f"{is_set} {is_flagged} meta priority set meta priority | {flag:#x}" for is_set, _, flag in flags),
                f"{clear} # somebody else's bit opens no gate",
            ],
            "give_back": [
                *(f"meta priority & {flag:#x} != 0 meta mark set {was} # as it came" for _, was, flag in flags),
                f"meta priority set meta priority & {0xFFFFFFFF & ~IN_USE:#x} # as it came",
            ],
        }
        for family, ip in FAMILIES:
            chains.update(_family_chains(family, ip))
        chains["forward"] = [
            f"meta mark & {mask:#010x} != 0 jump put_aside # somebody else has set it",
            "meta nfproto ipv4 goto forward4",
            "meta nfproto ipv6 goto forward6",
        ]
        chains["forward_end"] = [
            f"meta mark & {mask:#010x} != 0 {clear} # behind the last gate the bit has done its work",
            f"{is_flagged} goto give_back # what was put aside",
        ]
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
