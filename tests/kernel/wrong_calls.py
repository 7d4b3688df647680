"""Calls of tools that go wrong in some part, as scripts for ``playing.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.host.nftables import encoded
from nethook.parts import classifying
from nethook.parts.forwards.ruleset import SETS, layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nethook.host.netlink import Key
    from nethook.host.nftables import Element
    from tests.kernel.playing import Step


def nft(*commands: str) -> Step:
    """One transaction."""
    return ["call", ["nft", "-f", "-"], "\n".join(commands), ""]


def ip(*lines: str, options: Sequence[str] = ()) -> Step:
    """One batch."""
    return ["call", ["ip", *options, "-force", "-batch", "-"], "\n".join(lines), ""]


def chain(family: str, table: str, name: str) -> Step:
    """One reading of a chain."""
    return ["chain", family, table, name, []]


def restore(*commands: str, tool: str = "iptables-nft") -> Step:
    """One change of the table filter."""
    text = "\n".join(("*filter", *commands, "COMMIT", ""))
    return ["call", [f"{tool}-restore", "-w", "3", "--noflush"], text, ""]


def run(*argv: str) -> Step:
    """One call."""
    return ["call", list(argv), "", ""]


def written(keys: Mapping[str, Sequence[Key]]) -> dict[str, list[list[str]]]:
    """Return keys of elements as a script has them."""
    return {name: [[end.hex() for end in key] for key in each] for name, each in keys.items()}


def elements(family: str, new: Mapping[str, Sequence[Element]], gone: Mapping[str, Sequence[Element]]) -> Step:
    """One change over netlink."""

    def keys(named: Mapping[str, Sequence[Element]]) -> dict[str, list[list[str]]]:
        types = {**classifying.SETS, **SETS[6 if family == "ip6" else 4]}
        return written({name: [encoded(types[name], each) for each in some] for name, some in named.items()})

    return ["elements", family, keys(new), keys(gone)]


TABLE = [
    "add table inet nethook",
    "add set inet nethook bridges { type ifname; }",
    "add set inet nethook routed4 { type ipv4_addr; counter; }",
    "add set inet nethook routed4_prefixes { type ipv4_addr; flags interval; counter; }",
    "add set inet nethook to6_prefixes { type ifname . ipv6_addr; flags interval; counter; }",
    "add chain inet nethook allow",
    "add chain inet nethook forward { type filter hook forward priority filter - 10; policy accept; }",
    'add rule inet nethook forward goto allow comment "first"',
    'add rule inet nethook allow ip daddr @routed4 accept comment "second"',
]
GATE = "-m mark --mark 0x10/0x10 -m comment --comment nethook-0x10 -j ACCEPT"
RULES = [
    *("jump guest_input", "counter jump guest_input", "goto guest_input", "drop", "counter drop", "reject"),
    *("accept", "counter accept", "counter", 'iifname "x" drop', "counter ip saddr 192.0.2.1 drop", "log drop"),
    'counter packets 1 bytes 2 reject comment "stops"',
    'meta mark & 0x10000000 == 0x10000000 counter accept comment "nethook-0x10000000"',
]
BRIDGES: list[Step] = [
    ["link", "uplink", "", "52:54:00:ff:ff:ff", ""],
    ["address", "198.51.100.2/24", "uplink"],
    ["address", "2001:db8:ffff::2/64", "uplink"],
    ["link", "virbr1", "bridge", "52:54:00:be:81:01", ""],
    ["address", "192.0.2.9/29", "virbr1"],
    ["address", "2001:db8:101::1/64", "virbr1"],
    ["link", "virbr2", "bridge", "52:54:00:be:81:02", ""],
]
NFT = [
    nft("add rule inet nethook forward accept"),
    nft("add element inet nethook routed4 { 203.0.113.1 }"),
    nft("delete table inet nethook"),
    nft("add table inet nethook", "delete table inet nethook"),
    run("nft", "--handle", "list", "chain", "inet", "nethook", "forward"),
    nft(*TABLE),
    nft(*TABLE[:-2]),
    run("nft", "--handle", "list", "chain", "inet", "nethook", "forward"),
    run("nft", "--handle", "list", "chain", "inet", "nethook", "nowhere"),
    chain("inet", "nethook", "forward"),
    chain("inet", "nethook", "nowhere"),
    chain("ip6", "nethook", "forward"),
    nft("flush chain inet nethook nowhere"),
    nft("add rule inet nethook forward jump nowhere"),
    nft("add rule inet nethook forward ip saddr @nothing accept"),
    nft("insert rule inet nethook forward handle 999 drop"),
    nft("delete rule inet nethook forward handle 999"),
    nft("add set inet nethook routed4 { type ipv6_addr; }"),
    nft("add chain inet nethook forward { type filter hook forward priority 10; policy accept; }"),
    nft("add element inet nethook nothing { 203.0.113.1 }"),
    nft("add element inet nethook routed4 { 203.0.113.1 }", "delete element inet nethook routed4 { 203.0.113.2 }"),
    nft("add element inet nethook routed4 { 203.0.113.1, 203.0.113.2 }"),
    nft("add element inet nethook routed4 { 203.0.113.1 }", "delete element inet nethook routed4 { 203.0.113.2 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.0/29, 203.0.113.8/29, 203.0.113.32/27 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.0/29 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.0/28 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.4/30 }"),
    nft("delete element inet nethook routed4_prefixes { 203.0.113.4/30 }"),
    nft("delete element inet nethook routed4_prefixes { 203.0.113.64/27 }"),
    nft(
        "delete element inet nethook routed4_prefixes { 203.0.113.0/29, 203.0.113.8/29 }",
        "add element inet nethook routed4_prefixes { 203.0.113.0/28 }",
    ),
    nft(
        "delete element inet nethook routed4_prefixes { 203.0.113.32/27 }",
        "add element inet nethook routed4_prefixes { 203.0.113.32/28, 203.0.113.48/28 }",
    ),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/64, "virbr2" . 2001:db8::/64 }'),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/64 }'),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/60 }'),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/80 }'),
    nft('delete element inet nethook to6_prefixes { "virbr1" . 2001:db8::/80 }'),
    nft('delete element inet nethook to6_prefixes { "virbr3" . 2001:db8::/64 }'),
    nft(
        'delete element inet nethook to6_prefixes { "virbr1" . 2001:db8::/64 }',
        'add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/80 }',
    ),
    nft('add element inet nethook bridges { "virbr1", "a,b", "star\\*" }'),
    elements("inet", {"bridges": [("virbr1",), ("virbr2",)]}, {}),
    elements("inet", {}, {"bridges": [("virbr2",)]}),
    elements("inet", {"bridges": [("virbr3",)]}, {"bridges": [("virbr9",)]}),
    elements("inet", {"linked": [("virbr3",)]}, {}),
    elements("bridge", {"bridges": [("virbr3",)]}, {}),
    nft("flush chain inet nethook allow", "add rule inet nethook allow drop", "add rule inet nethook nowhere accept"),
    nft("delete table inet nethook", *TABLE),
    nft("delete table arp nethook"),
    nft(
        "add table ip libvirt_network",
        "add chain ip libvirt_network forward { type filter hook forward priority 0; policy drop; }",
        "add chain ip libvirt_network guest_input",
        *(f"add rule ip libvirt_network forward {rule}" for rule in RULES),
    ),
    chain("ip", "libvirt_network", "forward"),
    chain("ip", "libvirt_network", "guest_input"),
]
PORTS = "add element ip nethook ports"
OTHER = "203.0.113.1 . tcp . 80 : 192.0.2.3 . 8"
RANGES = "add element ip nethook ranges"
FROM_RANGES = "add element ip nethook from_ranges"
FORWARDS = [
    nft(*layout(4, 0x10).creation()),
    nft(*layout(6, 0x10).creation()),
    nft(*layout(4, 0x10, [0x20]).creation()),
    nft("add set ip nethook ports { type ipv4_addr . inet_proto . inet_service; }"),
    nft("add map ip nethook addresses { type ipv4_addr : ipv4_addr . inet_service; }"),
    nft(f"{PORTS} {{ 203.0.113.1 . tcp . 80 : 192.0.2.2 . 8080, 203.0.113.1 . udp . 80 : 192.0.2.2 . 80 }}"),
    nft(f"{PORTS} {{ 203.0.113.1 . tcp . 80 : 192.0.2.2 . 8080 }}"),
    nft(
        f"{PORTS} {{ 203.0.113.1 . tcp . 81 : 192.0.2.2 . 81 }}",
        f"{PORTS} {{ 203.0.113.1 . tcp . 80 : 192.0.2.3 . 8 }}",
    ),
    nft("delete element ip nethook ports { 203.0.113.1 . tcp . 99 }"),
    nft(
        "delete element ip nethook ports { 203.0.113.1 . tcp . 80 }",
        f"{PORTS} {{ 203.0.113.1 . tcp . 80 : 192.0.2.3 . 8 }}",
    ),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 5000-5999 : 192.0.2.2 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 5000-5999 : 192.0.2.3 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 5500-6500 : 192.0.2.2 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 4500-5500 : 192.0.2.2 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 5100-5200 : 192.0.2.2 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 5000-6500 : 192.0.2.2 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 6000-6500 : 192.0.2.3, 203.0.113.1 . udp . 5000-5999 : 192.0.2.2 }}"),
    nft(f"{RANGES} {{ 203.0.113.1 . tcp . 4000-7000 : 192.0.2.4 }}"),
    nft("delete element ip nethook ranges { 203.0.113.1 . tcp . 5000-5998 }"),
    nft("delete element ip nethook ranges { 203.0.113.1 . tcp . 6000-6500 }"),
    nft(
        "delete element ip nethook ranges { 203.0.113.1 . udp . 5000-5999 }",
        f"{RANGES} {{ 203.0.113.1 . udp . 5000-5999 : 192.0.2.5 }}",
    ),
    nft("delete element ip nethook ranges { 203.0.113.1 . udp . 80 }"),
    nft(f"{FROM_RANGES} {{ 198.51.100.0/24 . 203.0.113.1 . tcp . 1-65535 : 192.0.2.2 }}"),
    nft(f"{FROM_RANGES} {{ 198.51.100.7 . 203.0.113.1 . tcp . 22 : 192.0.2.3 }}"),
    nft(f"{FROM_RANGES} {{ 198.51.0.0/16 . 203.0.113.1 . tcp . 7 : 192.0.2.3 }}"),
    nft(f"{FROM_RANGES} {{ 0.0.0.0/0 . 203.0.113.2 . tcp . 7 : 192.0.2.3 }}"),
    nft(f"{FROM_RANGES} {{ 192.0.2.7 . 203.0.113.2 . tcp . 8 : 192.0.2.3 }}"),
    nft("add element ip nethook addresses { 203.0.113.5 : 192.0.2.2 }", "add element ip nethook nothing { 1 : 2 }"),
    nft("add element ip6 nethook addresses { 2001:db8:7::5 : 2001:db8:101::5 }"),
    nft("add element ip6 nethook from_ports { 2001:db8::/32 . 2001:db8:7::1 . udp . 53 : 2001:db8:101::5 . 5353 }"),
    nft("add element ip6 nethook ranges { 2001:db8:7::1 . tcp . 1-9 : 2001:db8:101::5 }"),
    nft('add element ip nethook outgoing { "virbr1" . 192.0.2.2 : 203.0.113.5 }'),
    nft("add element ip nethook any_ports { tcp . 25565 : 192.0.2.2 . 25565, udp . 53 : 192.0.2.2 . 53 }"),
    nft("delete element ip nethook any_ports { tcp . 25565 }"),
    elements("ip", {"isolated": [("virbr1",)], "on_link": [("virbr1", "192.0.2.8/29"), ("a b", "192.0.2.9")]}, {}),
    elements("ip6", {"linked": [("virbr1",)], "on_link": [("virbr1", "2001:db8:101::/64")]}, {}),
    elements("ip", {"on_link": [("virbr1", "192.0.2.8/29")], "gateways": [("192.0.2.9",)]}, {}),
    elements("ip", {"on_link": [("virbr1", "192.0.2.0/24")]}, {"on_link": [("virbr1", "192.0.2.8/29")]}),
    elements("ip", {}, {"on_link": [("virbr1", "192.0.2.8/29")]}),
    elements("ip", {"linked": [("virbr2",)]}, {"on_link": [("virbr2", "192.0.2.8/29")]}),
    nft("delete table ip nethook"),
]
IP = [
    ip(
        "route add 203.0.113.10 dev virbr1 proto 218",
        "route add 203.0.113.10 dev virbr1 proto 218",
        "route add 203.0.113.10 dev uplink proto static",
        "route add 203.0.113.10 dev uplink proto static metric 5",
        "route add 203.0.113.11 dev nowhere proto 218",
        "route del 203.0.113.12 dev virbr1 proto 218",
        "route del 203.0.113.10 dev nowhere proto 218",
        "route del 203.0.113.10 dev virbr1 proto 217",
        "route del 203.0.113.10 dev virbr2 proto 218",
        "route replace 203.0.113.10 dev virbr2 proto 218",
        "route add 192.0.2.8/29 dev virbr1 proto 218",
    ),
    ip(
        "route add 2001:db8:7::10 dev virbr1 proto 218",
        "route add 2001:db8:7::10 dev virbr1 proto 218",
        "route add 2001:db8:7::10 dev uplink proto static",
        "route add 2001:db8:7::10 dev uplink proto static metric 5",
        "route del 2001:db8:7::11 dev virbr1 proto 218",
        "route del 2001:db8:7::10 dev virbr1 proto 217",
        "route add 2001:db8:101::/64 dev virbr1 proto 218",
    ),
    ip(
        "route add 203.0.113.16/29 via 192.0.2.10 dev virbr1 onlink proto 218",
        "route add 203.0.113.24/29 via 203.0.113.200 dev virbr1 onlink proto 218",
        "route add 203.0.113.32/29 via 203.0.113.200 dev virbr1 proto 218",
        "route add 203.0.113.16/29 dev virbr1 proto 218",
        "route add 2001:db8:7:8::/64 via fe80::5 dev virbr1 onlink proto 218",
    ),
    # with our number, and of a shape or in a place that is not ours
    ip(
        "route add blackhole 203.0.113.40 proto 218",
        "route add unreachable 203.0.113.41 proto 218",
        "route add unreachable 203.0.113.42 table 77 proto 218",
        "route add unreachable 203.0.113.43 table 218032 proto 218",
        "route add unreachable 203.0.113.48/29 table 218032 proto 218",
        "route add 203.0.113.44 dev virbr1 table 77 proto 218",
        "route add 203.0.113.45 via 192.0.2.10 dev virbr1 proto 218",
        "route add 203.0.113.46 dev virbr1 metric 7 proto 218",
        "route add default dev virbr2 proto 218",
        "route add unreachable default table 78 proto 218",
    ),
    ip(
        "route add blackhole 2001:db8:7::40 proto 218",
        "route add unreachable 2001:db8:7::41 proto 218",
        "route add unreachable 2001:db8:7::42 table 77 proto 218",
        "route add unreachable 2001:db8:7::43 table 218128 proto 218",
        "route add 2001:db8:7::44 dev virbr1 table 77 proto 218",
        "route add 2001:db8:7::45 via 2001:db8:101::5 dev virbr1 proto 218",
        "route add 2001:db8:7::46 dev virbr1 metric 7 proto 218",
        "route add 64:ff9b::cb00:7101 dev virbr1 proto 218",
        "route add ::/1 dev virbr2 proto 218",
    ),
    run("ip", "-4", "route", "show", "exact", "203.0.113.10"),
    run("ip", "-6", "route", "show", "exact", "2001:db8:7::10"),
    run("ip", "-4", "route", "show", "exact", "203.0.113.99"),
    ["call", ["ip", "-4", "-json", "-batch", "-"], "route show dev virbr1\nroute show dev uplink\n", ""],
    ["call", ["ip", "-6", "-json", "-batch", "-"], "route show dev virbr1\nroute show dev nowhere\n", ""],
    ip(
        "route add unreachable 203.0.113.10 table 218000 proto 218",
        "route add unreachable 203.0.113.10 table 218000 proto 218",
        "route add unreachable 2001:db8:7::10 table 218000 proto 218",
        "route add unreachable 2001:db8:7::10 table 218000 proto 218",
        "route del unreachable 203.0.113.99 table 218000 proto 218",
        "route del unreachable 203.0.113.99 table 218032 proto 218",
        "route del unreachable 2001:db8:7::99 table 218000 proto 218",
        "route del unreachable 2001:db8:7::99 table 218128 proto 218",
        "route add unreachable 203.0.113.12 proto 218 metric 4294967295",
        "route add unreachable 2001:db8:7::12 proto 218 metric 4294967295",
        "route del unreachable 203.0.113.12 proto 218 metric 4294967295",
    ),
    ip(
        "rule add from 0.0.0.0/0 pref 32765 lookup main suppress_prefixlength 3 protocol 218",
        "rule add from 0.0.0.0/0 pref 32765 lookup 218000 protocol 218",
        "rule add from 0.0.0.0/0 pref 32765 lookup 218000 protocol 218",
        "rule del from 0.0.0.0/0 pref 32765 lookup 218001 protocol 218",
        options=["-4"],
    ),
    ip(
        "rule add from ::/0 pref 32765 lookup main suppress_prefixlength 3 protocol 218",
        "rule add from ::/0 pref 32765 lookup main suppress_prefixlength 3 protocol 218",
        "rule add from ::/0 pref 32765 lookup 218064 protocol 218",
        "rule del from ::/0 pref 32765 lookup 218000 protocol 218",
        options=["-6"],
    ),
    ip("route del unreachable 2001:db8:7::/64 table 218064 proto 218"),
    ip(
        "address add 169.254.0.1/32 dev virbr1 metric 218",
        "address add 169.254.0.1/32 dev virbr1 metric 218",
        "address add 169.254.0.1/32 dev virbr2 metric 218 label virbr2:nethook",
        "address add fe80::1/64 dev virbr1 metric 218 nodad noprefixroute",
        "address add fe80::1/64 dev virbr1 metric 218 nodad noprefixroute",
        "address add fe80::1/64 dev virbr2 metric 218 nodad",
        "address add 169.254.0.1/32 dev nowhere metric 218",
        "address delete 169.254.0.2/32 dev virbr1",
        "address delete fe80::2/64 dev virbr1",
        "address delete 169.254.0.1/32 dev nowhere",
    ),
    ip("route add 203.0.113.77 dev virbr2 proto 218"),
    ip("address delete 169.254.0.1/32 dev virbr2", "address delete fe80::1/64 dev virbr2"),
    ip(
        "neighbour replace 203.0.113.10 lladdr 52:54:00:00:00:01 dev virbr1 nud permanent protocol 218",
        "neighbour replace 203.0.113.10 lladdr 52:54:00:00:00:02 dev virbr1 nud permanent protocol 218",
        "neighbour replace 2001:db8:7::10 lladdr 52:54:00:00:00:02 dev virbr1 nud permanent protocol 218",
        "neighbour replace 203.0.113.10 lladdr 52:54:00:00:00:01 dev nowhere nud permanent protocol 218",
        "neighbour delete 203.0.113.10 dev nowhere",
        "neighbour add proxy 203.0.113.10 dev uplink protocol 218",
        "neighbour add proxy 203.0.113.10 dev uplink protocol 218",
        "neighbour add proxy 2001:db8:7::10 dev uplink protocol 218",
        "neighbour add proxy 203.0.113.10 dev nowhere protocol 218",
        "neighbour delete proxy 203.0.113.10 dev nowhere",
        "neighbour delete 203.0.113.10 dev virbr1",
    ),
    # ip ends at the first refusal, and what comes behind it is not done
    ip("neighbour delete 203.0.113.10 dev virbr1", "neighbour delete 2001:db8:7::10 dev virbr1"),
    ip("neighbour delete proxy 203.0.113.99 dev uplink", "neighbour delete proxy 203.0.113.10 dev uplink"),
    run("ip", "link", "set", "dev", "virbr1", "type", "bridge", "no_linklocal_learn", "1"),
    run("ip", "link", "set", "dev", "nowhere", "type", "bridge", "no_linklocal_learn", "1"),
    ["setting", "/proc/sys/net/ipv6/conf/virbr1/addr_gen_mode", "1"],
    ["setting", "/proc/sys/net/ipv6/conf/virbr1/disable_ipv6", "1"],
    ip("route add 2001:db8:7::20 dev virbr1 proto 218", "address add fe80::1/64 dev virbr1 metric 218 nodad"),
    ["setting", "/proc/sys/net/ipv6/conf/virbr1/disable_ipv6", "0"],
    ["setting", "/proc/sys/net/ipv6/conf/nowhere/disable_ipv6", "0"],
    ["link", "vnet1", "tun", "fe:54:00:00:00:01", "virbr1"],
    ["unlink", "vnet1"],
    ["unlink", "virbr1"],
]
IPTABLES = [
    step
    for tool in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
    for step in (
        run(tool, "-w", "3", "-S", "FORWARD"),
        restore(f"-I FORWARD 1 {GATE}", "-D FORWARD -m mark --mark 0x20/0x20 -j ACCEPT", tool=tool),
        restore(f"-I FORWARD 3 {GATE}", tool=tool),
        restore("-I NOWHERE 1 -j ACCEPT", tool=tool),
        restore(":MINE -", "-A MINE -j DROP", f"-I FORWARD 1 {GATE}", "-A FORWARD -j MINE", tool=tool),
        restore(f"-I FORWARD 2 {GATE}", f"-D FORWARD {GATE}", tool=tool),
        run(tool, "-w", "3", "-S", "FORWARD"),
        run(tool, "-w", "-S"),
    )
]
