"""The sets and rules of the table ``bridge nethook``: constant text, whatever is bound. It exists only if something is.

Guests on the same bridge talk to each other without the host's IP layer, so what keeps one from taking the address of
another has to look at frames. It does when they enter the bridge, so whatever is their way from there: to another
guest, to the host, or through it to the outside. An address that is bound to a guest is an element in two sets:

- ``bound``    addresses that belong to a guest, plugged in or not; counts what was dropped because it claimed one
- ``holders``  (MAC, address) pairs that are right

Both exist for single addresses, which are looked at first, and for prefixes. An address with a line of its own within a
bound prefix is in a third, between the two: a hole in an interval for each would make the set too large.

- ``apart``    addresses that what is said of prefixes is not about

A guest can forge a MAC, too. So these are known of NICs that something is bound to, and of guests' taps:

- ``nics``      MACs of such NICs, ``tapped`` those of them whose tap is there: a NIC that is just plugged in has none;
                both count what was dropped because it came with this MAC and from another
- ``taps``      the taps of all guests
- ``nic_taps``  (tap, MAC) pairs that are right

A tap that is known does not pass with the MAC of another such NIC, and no other tap with that of a NIC whose own is
known. Taps are learned at the next event. So of two guests that are plugged in one after the other, the first is known
when the second comes, and neither can pass for the other; of two at the same moment, neither is until the next event.

IPv6 addresses are in three more, ``claimed``, ``claimers`` and ``target_apart``, because nft takes the address that a
neighbour message is about for a number. No guest but the holder gets through with a bound address as the source of an
IP packet, as the sender in ARP, or in a neighbour advertisement; nor does it with the question whether anybody has that
address (RFC 5227, RFC 4862), which keeps the holder from using it that asks this just then.

Only what comes from a guest is looked at, by the kind of the port: taps are virtual machines', veths containers'. What
comes through an uplink that is a port of some bridge may come from the same guest on its way back, or, during a
migration, on another host.

Most receivers take a VLAN tag 0 for none. The kernel has such a tag aside already, but nft would look for the type of
the frame before it, if ``meta protocol`` were not in each rule: that is the protocol behind the tag. Linux takes any
number of such tags for none, but only the first is aside, so a frame with another tag behind a tag 0 is dropped.
"""

from __future__ import annotations

from nethook.host.layout import INDEX, MAC, Layout, SetType

FAMILY = "bridge"
NEEDED_NFT = "1.0.3"
"""Before that nft has no pairs in which one part is found at an offset in the packet (``TARGET``)."""
TARGET = "@th,64,128"
"""The address that a neighbour solicitation or advertisement is about. RFC 4861, sections 4.3 and 4.4."""
FIRST_VLAN = "@ll,116,12"
"""The VLAN of the outermost tag, which nft has no word for where the protocol is that behind it."""

NICS, TAPPED, TAPS, NIC_TAPS = "nics", "tapped", "taps", "nic_taps"
ADDRESSES = ("bound", "holders", "apart")
TARGETS = ("claimed", "claimers", "target_apart")
KINDS = {4: ADDRESSES, 6: ADDRESSES + TARGETS}
APART = frozenset(kinds[2] for kinds in (ADDRESSES, TARGETS))


def set_name(kind: str, family: int, *, single: bool) -> str:
    """The name of the set for such elements; ``kind`` is one of ``KINDS``."""
    return f"{kind}{family}" if single else f"{kind}{family}_prefixes"


def _sets() -> dict[str, SetType]:
    addresses = {
        set_name(kind, family, single=single): SetType(
            *([MAC] if kind in {"holders", "claimers"} else []),
            family=family,
            is_interval=not single,
            counts=kind in {"bound", "claimed"},
            in_payload=TARGET if kind in TARGETS else "",
        )
        for family, kinds in KINDS.items()
        for kind in kinds
        for single in ((True,) if kind in APART else (True, False))
    }
    return {
        **addresses,
        NICS: SetType(MAC, counts=True),
        TAPPED: SetType(MAC, counts=True),
        TAPS: SetType(INDEX),
        NIC_TAPS: SetType(INDEX, MAC),
    }


SETS = _sets()
OF_FILES = {
    set_name(kind, family, single=True) for family, kinds in KINDS.items() for kind in APART.intersection(kinds)
}
"""Those that depend on nothing but the files."""
HOOKS = {"prerouting": "type filter hook prerouting priority filter; policy accept;"}


def _rules(protocol: str, family: int, claim: str, *macs: str, kinds: tuple[str, str, str] = ADDRESSES) -> list[str]:
    """What claims an address passes if it is a pair, with each of these MACs, and is dropped if somebody has it."""
    taken, pairs, apart = (f"@{kind}{family}" for kind in kinds)

    def decide(prefixes: str) -> tuple[str, str]:
        is_holder = " ".join(f"{mac} . {claim} {pairs}{prefixes}" for mac in macs)
        return f"{is_holder} return # its own", f"{claim} {taken}{prefixes} drop # somebody else's"

    rules = (*decide(""), f"{claim} {apart} return # not a prefix's", *decide("_prefixes"))
    return [f"meta protocol {protocol} {rule}" for rule in rules]


NDP = "meta protocol ip6 meta l4proto icmpv6 icmpv6 type"

CHAINS = {
    "sent_ipv4": _rules("ip", 4, "ip saddr", "ether saddr"),
    "sent_arp": _rules("arp", 4, "arp saddr ip", "ether saddr", "arp saddr ether"),
    "probed_arp": _rules("arp", 4, "arp daddr ip", "ether saddr"),
    "sent_ipv6": _rules("ip6", 6, "ip6 saddr", "ether saddr"),
    # No rule in here says which type it is: newer nft would print the target in words that it does not read.
    "targeted": _rules("ip6", 6, TARGET, "ether saddr", kinds=TARGETS),
    "nic": [
        f"iif . ether saddr @{NIC_TAPS} return # its own",
        f"iif @{TAPS} ether saddr @{NICS} drop # somebody else's",
        f"ether saddr @{TAPPED} drop # somebody else's",
    ],
    "prerouting": [
        'meta iifkind != { "tun", "veth" } accept # not from a guest',
        "jump nic",
        "meta protocol ip goto sent_ipv4",
        "meta protocol arp arp saddr ip 0.0.0.0 goto probed_arp # asks whether anybody has it",
        "meta protocol arp goto sent_arp",
        "meta protocol ip6 jump sent_ipv6",
        f"{NDP} nd-neighbor-advert goto targeted",
        f"{NDP} nd-neighbor-solicit ip6 saddr :: goto targeted # asks whether anybody has it",
        f"meta protocol {{ 8021q, 8021ad }} {FIRST_VLAN} 0 counter drop # hides what it is from us, not from receivers",
    ],
}

BINDING = Layout(FAMILY, SETS, HOOKS, CHAINS)
