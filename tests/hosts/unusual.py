"""Set-ups that are unusual and healthy: the doctor has nothing to say about them.

Each is made on the booted host of the doctor's table, beside everything else, and undone.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from tests.hosts.broken import APPLY, FILE, RESTORE, SIX, TUNNEL, A, admins
from tests.hosts.docker import RULES_28, removal

NO_ADMIN = "nft delete table inet admin"
ROUTER, SECOND = "198.51.100.1", "198.51.100.111"

TELLS_GUESTS = "sysctl -qw net.ipv4.conf.br-first.arp_notify=1 net.ipv6.conf.br-first.ndisc_notify=1"
OWN_MAC = "$(virsh net-dumpxml first | sed -n \"s,.*<mac address='\\([^']*\\).*,\\1,p\")"
MAC_OF = "$(ip link show {} | sed -n 's,.*link/ether \\([^ ]*\\).*,\\1,p')"


@dataclass(frozen=True)
class Unusual:
    """``makes`` is the script that makes the host so, ``undo`` the one that undoes it."""

    name: str
    makes: str
    undo: str


def fed(command: str, text: str) -> str:
    """The script that runs a command with this input."""
    return f"echo {base64.b64encode(text.encode()).decode()} | base64 -d | {command}"


UFW = """*filter
:FORWARD DROP [0:0]
:ufw-before-forward - [0:0]
:ufw-user-forward - [0:0]
:ufw-reject-forward - [0:0]
:ufw-after-logging-forward - [0:0]
:ufw-logging-deny - [0:0]
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-after-logging-forward
-A FORWARD -j ufw-reject-forward
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp --icmp-type destination-unreachable -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
COMMIT
"""
NO_UFW = """*filter
:FORWARD ACCEPT
-D FORWARD -j ufw-before-forward
-D FORWARD -j ufw-after-logging-forward
-D FORWARD -j ufw-reject-forward
-F ufw-before-forward
-F ufw-after-logging-forward
-X ufw-before-forward
-X ufw-user-forward
-X ufw-reject-forward
-X ufw-after-logging-forward
-X ufw-logging-deny
COMMIT
"""
"""The chains of forwarded packets that ufw writes (ufw-framework(8)), without its messages."""

TAILSCALE = """*filter
:ts-forward -
-I FORWARD -j ts-forward
-A ts-forward -i tailscale0 -j MARK --set-xmark 0x40000/0xff0000
-A ts-forward -m mark --mark 0x40000/0xff0000 -j ACCEPT
-A ts-forward -s 100.64.0.0/10 -o tailscale0 -j DROP
-A ts-forward -o tailscale0 -j ACCEPT
COMMIT
*nat
:ts-postrouting -
-I POSTROUTING -j ts-postrouting
-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
COMMIT
"""
NO_TAILSCALE = """*filter
-D FORWARD -j ts-forward
-F ts-forward
-X ts-forward
COMMIT
*nat
-D POSTROUTING -j ts-postrouting
-F ts-postrouting
-X ts-postrouting
COMMIT
"""
"""Its rules with --netfilter-mode=on and without an exit node: wgengine/router and util/linuxfw."""

UNUSUAL = [
    Unusual(
        "a reverse path chain with the policy drop, as NixOS has it",
        admins(
            "add rule inet admin f meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67 } accept",
            "add rule inet admin f icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
            "add rule inet admin f fib saddr . mark . iif oif exists accept",
            hook="prerouting",
            chain="priority -140; policy drop",
        ),
        NO_ADMIN,
    ),
    Unusual(
        "a reverse path rule that drops, with limits and sets",
        admins(
            "add set inet admin bad { type ipv4_addr; flags interval; elements = { 192.168.0.0/16 }; }",
            "add rule inet admin f fib saddr . iif oif missing drop",
            "add rule inet admin f ip saddr @bad iifname uplink0 drop",
            "add rule inet admin f tcp flags & (fin|syn) == fin|syn drop",
            "add rule inet admin f ct state invalid drop",
            "add rule inet admin f meta mark 0x12 drop",
            "add rule inet admin f pkttype { broadcast, multicast } drop",
            "add rule inet admin f iifname uplink0 limit rate over 100000/second drop",
            hook="prerouting",
            chain="priority mangle",
        ),
        NO_ADMIN,
    ),
    Unusual(  # the kernel of test machines has no VRFs
        "a device with a routing table of its own, the older kind of VRF",
        "ip link add ve9 type veth peer name ve8; ip link set ve9 up; ip link set ve8 up;"
        " ip address add 10.9.9.1/24 dev ve9; ip -6 address add fd00:99::1/64 dev ve9 nodad;"
        " ip route add default via 10.9.9.2 table 109; ip -6 route add default via fd00:99::2 dev ve9 table 109;"
        " for family in -4 -6; do for way in iif oif; do ip $family rule add $way ve9 lookup 109; done; done",
        "ip link del ve9; for family in -4 -6; do for way in iif oif; do ip $family rule del $way ve9; done; done;"
        " ip route flush table 109; ip -6 route flush table 109",
    ),
    Unusual(
        "a bridge with the MAC of the uplink, as some have it in a route network",
        f"{TELLS_GUESTS}; ip link set br-first address {MAC_OF.format('uplink0')}",
        f"ip link set br-first address {OWN_MAC}",
    ),
    Unusual(
        "Docker",
        fed("iptables-restore --noflush", RULES_28) + f"; {APPLY}",
        fed("iptables-restore --noflush", removal(RULES_28)) + f"; {APPLY}",
    ),
    Unusual(
        "ufw",
        f"{fed('iptables-restore --noflush', UFW)}; {APPLY}",
        f"{fed('iptables-restore --noflush', NO_UFW)}; {APPLY}",
    ),
    Unusual(
        "Tailscale without exit node",
        "ip link add tailscale0 type veth peer name ts9; ip link set tailscale0 up; ip link set ts9 up;"
        " ip address add 100.64.0.7/32 dev tailscale0; ip route add 100.64.0.9 dev tailscale0 table 52;"
        " for family in -4 -6; do ip $family rule add priority 5210 fwmark 0x80000/0xff0000 lookup main;"
        " ip $family rule add priority 5230 fwmark 0x80000/0xff0000 lookup default;"
        " ip $family rule add priority 5250 fwmark 0x80000/0xff0000 unreachable;"
        f" ip $family rule add priority 5270 lookup 52; done; {fed('iptables-restore --noflush', TAILSCALE)}",
        "ip link del tailscale0; for family in -4 -6; do for priority in 5210 5230 5250 5270; do"
        f" ip $family rule del priority $priority; done; done; {fed('iptables-restore --noflush', NO_TAILSCALE)}",
    ),
    Unusual(
        "a VPN for the whole host but its guests, by their mark",
        f"{TUNNEL}; ip route add default dev wg0 table 51820; ip rule add not fwmark 0xca6c lookup 51820;"
        " ip rule add lookup main suppress_prefixlength 0;"
        " iptables -t mangle -A PREROUTING -i br-first -j MARK --set-mark 0xca6c",
        "ip link del wg0; ip rule del lookup 51820; ip rule del lookup main suppress_prefixlength 0;"
        " iptables -t mangle -F PREROUTING",
    ),
    Unusual(
        "a VPN for the whole host but its guests, by their mark in nftables",
        f"{TUNNEL}; ip route add default dev wg0 table 51820; ip rule add not fwmark 0xca6c lookup 51820;"
        " ip rule add lookup main suppress_prefixlength 0;"
        + admins("add rule inet admin f iifname br-first meta mark set 0xca6c", hook="prerouting"),
        "ip link del wg0; ip rule del lookup 51820; ip rule del lookup main suppress_prefixlength 0;" + NO_ADMIN,
    ),
    Unusual(
        "a second uplink with a worse metric",
        f"ip route add default via {ROUTER} dev uplink1 onlink metric 500",
        f"ip route del default via {ROUTER} dev uplink1",
    ),
    Unusual(
        "policy tables per source, answers by the second uplink",
        f"ip route add default via {ROUTER} dev uplink1 onlink table 101; ip rule add from {A} lookup 101;"
        f" ip rule add from {SECOND} lookup 101",
        f"ip rule del from {A}; ip rule del from {SECOND}; ip route flush table 101",
    ),
    Unusual(
        "policy tables per uplink, with the main table first",
        "ip rule add priority 1000 lookup main suppress_prefixlength 0;"
        f" ip rule add priority 2000 from all lookup 102; ip route add default via {ROUTER} dev uplink0 table 102",
        "ip rule del priority 1000; ip rule del priority 2000; ip route flush table 102",
    ),
    Unusual(
        "the uplink in a bridge",
        "ip link add br0 type bridge; ip link set br0 up;"
        " ip link set uplink0 master br0; ip -4 address flush dev uplink0;"
        " ip -6 address flush dev uplink0 scope global;"
        f" ip address add 198.51.100.11/24 dev br0; ip route add default via {ROUTER};"
        " ip -6 address add 2001:db8:100::11/64 dev br0 nodad; ip -6 route replace default via 2001:db8:100::1 dev br0",
        "ip link del br0; ip address add 198.51.100.11/24 dev uplink0;"
        f" ip route add default via {ROUTER}; ip -6 address add 2001:db8:100::11/64 dev uplink0 nodad;"
        " ip -6 route replace default via 2001:db8:100::1 dev uplink0",
    ),
    Unusual(
        "a guest with a second NIC on another network",
        "virsh attach-interface web1 network second --live",
        "virsh detach-interface web1 network --live --mac"
        " $(virsh -q domiflist web1 | awk '$3 == \"second\" { print $5 }')",
    ),
    Unusual(
        "a filter that knows our mark",
        admins(
            "add rule inet admin f ct state established,related accept",
            "add rule inet admin f meta mark & 0x10000000 == 0x10000000 accept",
            chain="priority filter; policy drop",
        ),
        NO_ADMIN,
    ),
    Unusual(
        "masquerading for a private network alone",
        "iptables -t nat -A POSTROUTING -s 10.8.0.0/24 -o uplink0 -j MASQUERADE;"
        " nft add table ip admin; nft 'add chain ip admin n { type nat hook postrouting priority srcnat; }';"
        " nft add rule ip admin n oifname uplink0 ip saddr 10.8.0.0/24 masquerade",
        "iptables -t nat -D POSTROUTING -s 10.8.0.0/24 -o uplink0 -j MASQUERADE; nft delete table ip admin",
    ),
    Unusual(
        "a port of the host's own address for a container",
        "iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -p tcp --dport 80 -j DNAT --to 10.9.0.2;"
        " iptables -t nat -A PREROUTING -d 198.51.100.11 -p tcp --dport 443 -j DNAT --to 10.9.0.2",
        "iptables -t nat -D PREROUTING -m addrtype --dst-type LOCAL -p tcp --dport 80 -j DNAT --to 10.9.0.2;"
        " iptables -t nat -D PREROUTING -d 198.51.100.11 -p tcp --dport 443 -j DNAT --to 10.9.0.2",
    ),
    Unusual(
        "connections that are not tracked",
        "iptables -t raw -A PREROUTING -p tcp --dport 80 -j NOTRACK;"
        " ip6tables -t raw -A PREROUTING -p tcp --dport 80 -j CT --notrack;"
        " iptables -t raw -A PREROUTING -p tcp --sport 80 -j NOTRACK",
        "iptables -t raw -F; ip6tables -t raw -F; nft delete table ip raw; nft delete table ip6 raw",
    ),
    Unusual(
        "kube-proxy's masquerading by mark",
        "iptables -t nat -N KUBE-POSTROUTING;"
        " iptables -t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN;"
        " iptables -t nat -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0;"
        " iptables -t nat -A KUBE-POSTROUTING -j MASQUERADE; iptables -t nat -I POSTROUTING -j KUBE-POSTROUTING",
        "iptables -t nat -D POSTROUTING -j KUBE-POSTROUTING; iptables -t nat -F KUBE-POSTROUTING;"
        " iptables -t nat -X KUBE-POSTROUTING",
    ),
    Unusual(
        "a line for each network and a prefix in a prefix",
        f"printf '{A} first guest=web1\\n203.0.113.16/29 first\\n{SIX} first\\n203.0.113.72 second\\n' > {FILE};"
        f" {APPLY}",
        RESTORE,
    ),
]
