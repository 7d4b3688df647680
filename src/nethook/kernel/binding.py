"""The sets and rules of the table ``bridge nethook``: constant text, whatever is bound. It exists only if something is.

Guests on the same bridge talk to each other without the host's IP layer, so what keeps one from taking the address of
another has to look at frames. It does when they enter the bridge, so whatever is their way from there: to another
guest, to the host, or through it to the outside. An address that is bound to a guest is an element in two sets:

- ``bound``    addresses that belong to a guest, plugged in or not; counts what was dropped because it claimed one
- ``holders``  (MAC, address) pairs that are right

A guest can forge a MAC, too. So these are known of NICs that something is bound to, and of guests' taps:

- ``nics``      MACs of such NICs, ``tapped`` those of them whose tap is there: a NIC that is just plugged in has none;
                both count what was dropped because it came with this MAC and from another
- ``taps``      the taps of all guests
- ``nic_taps``  (tap, MAC) pairs that are right

A tap that is known does not pass with the MAC of another such NIC, and no other tap with that of a NIC whose own is
known. Of two guests one is plugged in first, and its tap is known when the other comes: so neither can pass for the
other.

IPv6 addresses are in two more, ``claimed`` and ``claimers``, because nft takes the address that a neighbour
advertisement is about for a number. Each exists for single addresses and for prefixes. No guest but the holder gets
through with a bound address as the source of an IP packet, as the sender in ARP, or in a neighbour advertisement.

Only what comes from a guest is looked at, by the kind of the port: taps are virtual machines', veths containers'. What
comes through an uplink that is a port of some bridge may come from the same guest on its way back, or, during a
migration, on another host.

Most receivers take a VLAN tag 0 for none. The kernel has such a tag aside already, but nft would look for the type of
the frame before it, if ``meta protocol`` were not in each rule: that is the protocol behind the tag.
"""

from __future__ import annotations

from nethook.kernel.layout import INDEX, MAC, Layout, SetType

FAMILY = "bridge"
NA_TARGET = "@th,64,128"
"""The address that a neighbour advertisement is about. RFC 4861, section 4.4."""

NICS, TAPPED, TAPS, NIC_TAPS = "nics", "tapped", "taps", "nic_taps"
KINDS = {4: ("bound", "holders"), 6: ("bound", "holders", "claimed", "claimers")}


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
            in_payload=NA_TARGET if kind in {"claimed", "claimers"} else "",
        )
        for family, kinds in KINDS.items()
        for kind in kinds
        for single in (True, False)
    }
    return {
        **addresses,
        NICS: SetType(MAC, counts=True),
        TAPPED: SetType(MAC, counts=True),
        TAPS: SetType(INDEX),
        NIC_TAPS: SetType(INDEX, MAC),
    }


SETS = _sets()
HOOKS = {"prerouting": "type filter hook prerouting priority filter; policy accept;"}


def _rules(protocol: str, claim: str, taken: str, *is_holder: str) -> list[str]:
    """What claims an address passes if it is a pair, by each of ``is_holder``, and is dropped if somebody has it."""
    return [
        f"meta protocol {protocol} {rule}"
        for prefixes in ("", "_prefixes")
        for rule in (
            f"{' '.join(f'{pair}{prefixes}' for pair in is_holder)} return # its own",
            f"{claim} @{taken}{prefixes} drop # somebody else's",
        )
    ]


CHAINS = {
    "sent_ipv4": _rules("ip", "ip saddr", "bound4", "ether saddr . ip saddr @holders4"),
    "sent_arp": _rules(
        *("arp", "arp saddr ip", "bound4"),
        *("ether saddr . arp saddr ip @holders4", "arp saddr ether . arp saddr ip @holders4"),
    ),
    "sent_ipv6": _rules("ip6", "ip6 saddr", "bound6", "ether saddr . ip6 saddr @holders6"),
    "advertised": _rules(
        "ip6 meta l4proto ipv6-icmp icmpv6 type nd-neighbor-advert",
        *(NA_TARGET, "claimed6", f"ether saddr . {NA_TARGET} @claimers6"),
    ),
    "nic": [
        f"iif . ether saddr @{NIC_TAPS} return # its own",
        f"iif @{TAPS} ether saddr @{NICS} drop # somebody else's",
        f"ether saddr @{TAPPED} drop # somebody else's",
    ],
    "prerouting": [
        'meta iifkind != { "tun", "veth" } accept # not from a guest',
        "jump nic",
        "meta protocol ip goto sent_ipv4",
        "meta protocol arp goto sent_arp",
        "meta protocol ip6 jump sent_ipv6",
        "meta protocol ip6 meta l4proto ipv6-icmp icmpv6 type nd-neighbor-advert goto advertised",
    ],
}

BINDING = Layout(FAMILY, SETS, HOOKS, CHAINS)
