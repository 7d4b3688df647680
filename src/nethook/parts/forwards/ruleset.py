"""The tables ``ip nethook`` and ``ip6 nethook``, which send forwarded ports and whole addresses to their guests.

Their rules are constant text, whatever is configured. Both tables are alike, so sets have the same names in both.

All is decided at the first packet of a connection, in NAT chains: they run before those of every other program, and
the first of them that decides wins. A port line goes before a range, a range before a whole address, and all of them
before a port of any address of the host; a line for some sources (``from=``) before the same line for all. What is
``taken`` is decided on its own level: if its guest is off, or the source is none of those that may use it, the
connection is refused. Neither a wider line nor the host nor another program gets it.

Who may use a forward:

==============================================================  ===========================
outside, the host itself, containers                            yes
guests of a nat, route, open network, also the target itself    yes
guest with a routed IP as its source, or with a whole address   yes
guest of an isolated network with its private address           no
guest of a network of which libvirt has not told the subnets    no, if its bridge is isolated
forged source                                                   no
==============================================================  ===========================

"No" means that a connection to a forward is refused. Everything else is left to the host and to other firewalls.

A guest sees the client's own address. The exceptions are clients in the target's own subnet, because replies to them
would not come back through the host, and lines with ``as=host``.

The gates of other firewalls let pass what has the mark bit, so all packets of these connections, and ICMP errors about
them, get it, here, between the two chains of ``inet nethook`` that take it from everybody else's packets.

What each set has, field by field (K: address, protocol, port):

- ``ports`` (K: target, port), ``ranges`` (K: target, the port stays), ``addresses`` (address: target); the same for
  some sources: ``from_ports``, ``from_ranges``, ``from_addresses``; ``any_ports``, of any address of the host. All of
  them count connections.
- ``led_any`` (protocol, port, target, port): what ``any_ports`` has, for packets that the kernel has rewritten
- ``taken``, ``taken_ranges``, ``taken_addresses``, ``taken_any``: the keys of all lines, also of those without a target
- ``kept`` (K): ports that stay with the host
- ``listening``: listening addresses that are not routed IPs, whether the host has them or not
- ``outgoing`` (bridge, guest's address: whole address), with its keys in ``floating``: whole addresses, both ways
- ``outgoing_ports`` (bridge, guest's K: address, port), for ``outgoing=yes``; ``hidden`` (K), for ``as=host``
- ``bridges``, ``isolated``: bridges with guests, and those of isolated networks
- ``on_link`` (bridge, subnet): the subnets of libvirt's networks, and those behind their guests; ``linked``: bridges
  whose subnets are all in there
- ``gateways``: addresses of those bridges
"""

from __future__ import annotations

from nethook.host.layout import ADDRESS, DEVICE, PORT, PROTOCOL, Layout, SetType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILIES = {4: "ip", 6: "ip6"}
"""nft's words."""
L4 = "meta l4proto { tcp, udp }"
"""In each rule with ports: without it, older nft does not know how long these are."""
OF_L4 = {4: "meta l4proto { icmp, tcp, udp }", 6: "meta l4proto { ipv6-icmp, tcp, udp }"}
"""The same, with ICMP errors about such packets."""
ANY = "meta l4proto . th dport"
UNREACHABLE = {4: ("icmp type port-unreachable", "icmp type host-unreachable")}
UNREACHABLE[6] = ("icmpv6 type port-unreachable", "icmpv6 type addr-unreachable")
NOT_ANY = {4: "{ 127.0.0.0/8, 169.254.0.0/16 }", 6: "{ ::1, fe80::/10 }"}
"""Addresses of the host that a line for any of its addresses is not about: nobody else gets there."""
HOOKS = {
    "prerouting": "type nat hook prerouting priority dstnat - 10; policy accept;",
    "output": "type nat hook output priority -110; policy accept;",
    "forward": "type filter hook forward priority filter - 9; policy accept;",
    "postrouting": "type nat hook postrouting priority srcnat - 10; policy accept;",
}


def _sets(family: int) -> dict[str, SetType]:
    address = ADDRESS[family]
    service, target = (address, PROTOCOL, PORT), (address, PORT)
    types = (
        SetType("ports", *service, data=target, counts=True),
        SetType("ranges", *service, data=(address,), is_interval=True, counts=True),
        SetType("addresses", address, data=(address,), counts=True),
        SetType("from_ports", address, *service, data=target, is_interval=True, counts=True),
        SetType("from_ranges", address, *service, data=(address,), is_interval=True, counts=True),
        SetType("from_addresses", address, address, data=(address,), is_interval=True, counts=True),
        SetType("any_ports", PROTOCOL, PORT, data=target, counts=True),
        SetType("led_any", PROTOCOL, PORT, *target),
        SetType("taken", *service, counts=True),
        SetType("taken_ranges", *service, is_interval=True, counts=True),
        SetType("taken_addresses", address, counts=True),
        SetType("taken_any", PROTOCOL, PORT, counts=True),
        SetType("kept", *service),
        SetType("listening", address),
        SetType("outgoing", DEVICE, address, data=(address,)),
        SetType("floating", DEVICE, address),
        SetType("outgoing_ports", DEVICE, *service, data=target),
        SetType("hidden", *service),
        SetType("bridges", DEVICE),
        SetType("isolated", DEVICE),
        SetType("on_link", DEVICE, address, is_interval=True),
        SetType("linked", DEVICE),
        SetType("gateways", address),
    )
    return {kind.role: kind for kind in types}


SETS = {family: _sets(family) for family in FAMILIES}
"""The sets of each family's table, by name."""


def layout(family: int, mark_bit: int, former: Sequence[int] = ()) -> Layout:
    """Return the table of this family (4, 6) for one mark bit.

    ``former`` are bits of gates that were opened for another setting: until they are closed, packets get both.
    """
    mask = mark_bit
    for bit in former:
        mask |= bit
    ip = FAMILIES[family]
    port_unreachable, host_unreachable = UNREACHABLE[family]
    there = f"{ip} daddr"
    service = f"{there} . {ANY}"
    of_l4, original = OF_L4[family], f"ct original {ip} daddr . ct protocol . ct original proto-dst"
    sender = f"{ip} saddr"
    at_bridge = f"iifname . {sender}"
    own_gateway = "fib daddr . iif type local return # a guest's own gateway: DNS, DHCP"
    not_any = [
        f"{there} {NOT_ANY[family]} return # of the host alone",
        f"{there} @gateways return # DNS, DHCP",
        "fib daddr type != local return # not of the host",
    ]

    def ours(target: str) -> list[str]:
        """Return rules that send packets of our connections to this chain. Hash sets are looked up first.

        Of addresses that are taken, nobody else can rewrite anything but what is kept. A port of any address, others
        may rewrite at addresses that are not of the host, and at our gateways.
        """
        any_port = "ct protocol . ct original proto-dst"
        led = f"{any_port} . ct reply {ip} saddr . ct reply proto-src"
        return [
            f"{of_l4} {original} @kept return # of others",
            f"{of_l4} {original} @taken goto {target}",
            f"ct original {ip} daddr @taken_addresses goto {target}",
            f"{of_l4} {led} @led_any {any_port} @taken_any goto {target}",
            f"{of_l4} {original} @taken_ranges goto {target}",
        ]

    chains = {
        "refuse": [
            "meta l4proto tcp reject with tcp reset",
            f"meta l4proto udp reject with {port_unreachable}",
            f"reject with {host_unreachable}",
        ],
        "to_port": [
            f"{L4} dnat to {sender} . {service} map @from_ports",
            f"{L4} dnat to {service} map @ports",
            "goto refuse # no guest, or not for this source",
        ],
        "to_range": [
            f"{L4} dnat to {sender} . {service} map @from_ranges",
            f"{L4} dnat to {service} map @ranges",
            "goto refuse # no guest, or not for this source",
        ],
        "to_address": [
            f"dnat to {sender} . {there} map @from_addresses",
            f"dnat to {there} map @addresses",
            "goto refuse # no guest, or not for this source",
        ],
        "to_any": [
            *not_any,
            f"{L4} dnat to {ANY} map @any_ports",
            "goto refuse # no guest",
        ],
        "not_to_any": [*not_any, "goto refuse"],
        "to_guest": [
            f"{L4} {service} @taken goto to_port",
            f"{L4} {service} @taken_ranges goto to_range",
            f"{there} @taken_addresses goto to_address",
            f"{there} @listening fib daddr type != local reject with {host_unreachable} # would come back for ever",
        ],
        "refused": [
            f"{L4} {service} @taken goto refuse",
            f"{L4} {service} @taken_ranges goto refuse",
            f"{there} @taken_addresses goto refuse",
            own_gateway,
            f"{L4} {ANY} @taken_any goto not_to_any",
        ],
        "isolated": [
            f"{at_bridge} @floating return # has a whole address",
            f"{at_bridge} @on_link goto refused # isolated stays isolated",
            "iifname != @linked goto refused # its subnets are not known",
        ],
        "prerouting": [
            f"{L4} {service} @kept accept # stays with the host",
            "iifname @isolated jump isolated",
            "iifname @bridges fib saddr . iif oif missing goto refused # forged",
            "jump to_guest",
            f"{L4} {ANY} @taken_any iifname @bridges {own_gateway}",
            f"{L4} {ANY} @taken_any goto to_any",
        ],
        "output": [
            "ct state != new return # also what refuses others",
            f"{L4} {service} @kept accept # stays with the host",
            "jump to_guest",
            f"{L4} {ANY} @taken_any goto to_any",
        ],
        "allow": [f"meta mark set meta mark | {mask:#010x} accept # passes the gates"],
        "ours": ours("allow"),
        "forward": [
            "ct status dnat jump ours",
            f"ct direction reply ct status snat oifname . {there} @floating goto allow # replies to what it began",
            f"oifname != @bridges {at_bridge} @floating goto allow # to the outside",
        ],
        "translate": [
            f"snat to {at_bridge} map @outgoing # a guest with a whole address",
            f"oifname . {sender} @on_link masquerade # else the reply goes straight to the guest beside it",
            f"{of_l4} {original} @hidden masquerade # needs no route back",
        ],
        "to_ours": ours("translate"),
        "postrouting": [
            "ct status dnat jump to_ours",
            f"oifname != @bridges {L4} snat to {at_bridge} . meta l4proto . th sport map @outgoing_ports",
            f"oifname != @bridges snat to {at_bridge} map @outgoing # a guest with a whole address",
        ],
    }
    return Layout(ip, SETS[family], HOOKS, chains)
