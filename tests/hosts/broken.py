"""Set-ups that are broken, for the doctor: what breaks the host, what has to be found, and what undoes it.

``happens`` says when the address stops answering: NOW; ASKED, when the guest asks for its gateway's MAC address again,
which it may put off for as long as connections go on; LATER, with the next event of its network; NEVER, for what is
found all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NOW, ASKED, LATER, NEVER = "now", "when the guest asks again", "with the next event", "never"
FILE = "/etc/sysconfig/routed-ips"
HOOK = "/etc/libvirt/hooks/network.d/50-nethook"
A, IN_PREFIX, SIX, TAKEN = "203.0.113.10", "203.0.113.17", "2001:db8:7::10", "203.0.113.70"
LINES = f"{A} first\n203.0.113.16/29 first\n{SIX} first\n"
NFTABLES, IPTABLES = "libvirt 11.3 nftables", "libvirt 9.0 iptables"
BOTH = (NFTABLES, IPTABLES)

SOCKETS = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"
DELETE_GATE = (
    "for family in ip ip6; do nft -a list chain $family libvirt_network forward 2>/dev/null |"
    " sed -n 's/.*nethook-.* handle //p' |"
    " xargs -r -n1 nft delete rule $family libvirt_network forward handle; done;"
    " iptables-save | grep -v nethook- | iptables-restore; ip6tables-save | grep -v nethook- | ip6tables-restore"
)
BOUND = f"{A} first guest=web1"
TAP = "$(virsh -q domiflist web1 | awk '{ print $1 }')"
OLD_NFT = '#!/bin/sh\\n[ "$*" = --version ] && exec echo nftables v1.0.2\\nexec nft.new "$@"\\n'
APPLY = "nethook apply"
INSTALL = "nethook install --yes"
TUNNEL = "ip link add wg0 type veth peer name wg1; ip link set wg0 up; ip link set wg1 up"
SECOND_ROUTER = "ip route add default via 198.51.100.9 dev uplink1 onlink table 103"
START_AGAIN = "ip link del br-first; virsh net-start first; systemctl restart libvirtd; sleep 1"
NO_NAT = (
    "iptables -t nat -D POSTROUTING -o uplink0 -j MASQUERADE; iptables -t nat -F PREROUTING;"
    " iptables -t nat -D POSTROUTING -s 203.0.113.10 -o uplink0 -j ACCEPT"
)
NO_ADMIN = "nft delete table inet admin"


@dataclass(frozen=True)
class Broken:
    """``mend`` is a part of the command or advice of the first failure (warning, where ``verdict`` is that)."""

    name: str
    breaks: str
    station: str
    mend: str
    undo: str = "true"
    address: str = A
    happens: str = NOW
    verdict: str = "failure"
    is_mended: bool = True
    """Whether the command alone makes all well again."""
    commands: int = 1
    """The number of commands that may be needed, each asked for after the one before."""
    hosts: Sequence[str] = field(default=(NFTABLES,))


def admins(
    *rules: str, chain: str = "priority 0", family: str = "inet", hook: str = "forward", kind: str = "filter"
) -> str:
    """The script that makes an admin's table with a chain at this hook."""
    lines = [f"add table {family} admin", f"add chain {family} admin f {{ type {kind} hook {hook} {chain}; }}"]
    return "nft -f - <<'END'\n" + "\n".join([*lines, *rules]) + "\nEND"


def line(text: str) -> str:
    """The script that writes the file with this line in the place of the first."""
    return f"sed -i '1c {text}' {FILE}"


RESTORE = f"printf '{LINES.replace(chr(10), chr(92) + 'n')}' > {FILE}; {APPLY}"

SETUPS = [
    Broken(
        "a wrong line",
        line(f"{A} first public"),
        "configuration",
        "write guest=public",
        RESTORE,
        happens=NEVER,
        is_mended=False,
    ),
    Broken("a file that others may write", f"chmod o+w {FILE}", "configuration", f"chmod go-w {FILE}", happens=LATER),
    Broken("no line", f"sed -i 1d {FILE}; {APPLY}", "configuration", f"{A}  NETWORK", RESTORE, is_mended=False),
    Broken(
        "a second file",
        f"mkdir -p /etc/nethook; echo '{SIX} first' > /etc/nethook/routed-ips",
        "configuration",
        "move these lines to /etc/nethook/routed-ips",
        f"rm /etc/nethook/routed-ips; {APPLY}",
        happens=NEVER,
        is_mended=False,
    ),
    Broken(
        "unknown network",
        line(f"{A} frist") + f"; nethook clear --yes; {APPLY}",  # what is in force would stay
        "network",
        "did you mean first?",
        RESTORE,
        is_mended=False,
    ),
    Broken("network stopped", "virsh net-destroy first", "network", "virsh net-start first", commands=2, hosts=BOTH),
    Broken(
        "network stopped, and its bridge's name is taken",
        "virsh net-destroy first; ip link add br-first type bridge",
        "network",
        "remove that device",
        START_AGAIN,
        is_mended=False,
    ),
    Broken(
        "network stopped, and its subnet is in use",
        "virsh net-destroy first; ip address add 192.168.50.9/24 dev uplink1",
        "network",
        "remove that route",
        f"ip address del 192.168.50.9/24 dev uplink1; {START_AGAIN}",
        is_mended=False,
    ),
    Broken(
        "network stopped, and libvirt's chains deleted",
        "virsh net-destroy first; iptables -F; iptables -X; ip6tables -F; ip6tables -X",
        "network",
        "systemctl restart libvirtd.service && virsh net-start first",
        commands=2,
        hosts=(IPTABLES,),
    ),
    Broken(
        "network stopped, and a default route by router advertisements",
        "virsh net-destroy first; sysctl -qw net.ipv6.conf.uplink1.accept_ra=1;"
        " ip -6 route add default via fe80::1234 dev uplink1 proto ra metric 2000",
        "network",
        "nethook install --enable-forwarding && virsh net-start first",
        "ip -6 route del default dev uplink1; sysctl -qw net.ipv6.conf.uplink1.accept_ra=0",
        commands=2,
    ),
    Broken(
        "network stopped, so that forwarding is off",
        "virsh net-destroy first; sysctl -qw net.ipv4.ip_forward=0",
        "network",
        "virsh net-start first",
        commands=2,
    ),
    Broken("bridge down", "ip link set br-first down", "network", "ip link set br-first up", hosts=BOTH),
    Broken("bridge down, IPv6", "ip link set br-first down", "network", "ip link set br-first up", address=SIX),
    Broken(
        "the bridge has lost the gateway of its guests",
        "ip address del 192.168.50.1/24 dev br-first",
        "network",
        "ip address add 192.168.50.1/24 dev br-first",
        "ip address add 192.168.50.1/24 dev br-first",
        happens=ASKED,
        verdict="warning",
        hosts=BOTH,
    ),
    Broken(
        "network restarted under a guest",
        "virsh net-destroy first; virsh net-start first",
        "guest",
        "systemctl restart libvirtd.service",
        hosts=BOTH,
    ),
    Broken(
        "network restarted under a bound guest",
        f"{line(BOUND)}; {APPLY}; virsh net-destroy first; virsh net-start first",
        "guest",
        "systemctl restart libvirtd.service",
        RESTORE,
    ),
    Broken("no guest runs", "virsh destroy web1", "guest", "virsh start web1", "virsh start web1", hosts=BOTH),
    Broken("NIC outside the bridge", f"ip link set {TAP} nomaster", "guest", "ip link set vnet", hosts=BOTH),
    Broken(
        "NIC of a bound guest outside the bridge",
        f"{line(BOUND)}; {APPLY}; ip link set {TAP} nomaster",
        "guest",
        "ip link set vnet",
        RESTORE,
    ),
    Broken(
        "NIC outside the bridge, with another guest in it",
        f"ip link add ve0 type veth peer name ve1; ip link set ve0 up master br-first; ip link set {TAP} nomaster",
        "guest",
        "ip link set vnet",
        "ip link del ve0",
    ),
    Broken("NIC down", f"ip link set {TAP} down", "guest", "ip link set vnet"),
    Broken(
        "a cable that libvirt has unplugged",
        f"virsh domif-setlink web1 {TAP} down",
        "guest",
        "virsh domif-setlink web1 vnet",
        f"virsh domif-setlink web1 {TAP} up",
        hosts=BOTH,
    ),
    Broken("guest paused", "virsh suspend web1", "guest", "virsh resume web1", "virsh resume web1", hosts=BOTH),
    Broken(
        "bound guest paused",
        f"{line(BOUND)}; {APPLY}; virsh suspend web1",
        "guest",
        "virsh resume web1",
        f"virsh resume web1; {RESTORE}",
    ),
    Broken(
        "libvirtd stopped",
        f"systemctl stop libvirtd.service {SOCKETS}",
        "libvirt",
        "systemctl start",
        f"systemctl start {SOCKETS} libvirtd.service",
        happens=NEVER,
        is_mended=False,
        hosts=BOTH,
    ),
    Broken("hook removed", f"rm {HOOK}", "hook", INSTALL, happens=LATER, hosts=BOTH),
    Broken("hook not executable", f"chmod -x {HOOK}", "hook", INSTALL, happens=LATER),
    Broken(
        "hook of somebody else",
        f"printf '#!/bin/sh\\nexit 0\\n' > {HOOK}",
        "hook",
        f"mv -n {HOOK} ",
        "rm /etc/libvirt/hooks/network.d/40-other",
        happens=LATER,
    ),
    Broken(
        "libvirtd has not seen the hook",
        f"mv {HOOK} /root/hook; systemctl restart libvirtd; sleep 0.1; cp -p /root/hook {HOOK}",
        "daemon",
        "systemctl reload libvirtd.service",
        happens=LATER,
        hosts=BOTH,
    ),
    Broken(
        "service off at boot",
        "systemctl disable -q nethook.service",
        "boot",
        "systemctl enable nethook.service",
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "network off at boot",
        "virsh net-autostart first --disable",
        "boot",
        "virsh net-autostart first",
        happens=NEVER,
        verdict="warning",
        hosts=BOTH,
    ),
    Broken(
        "bound guest off at boot",
        f"{line(BOUND)}; {APPLY}; virsh autostart web1 --disable",
        "boot",
        "virsh autostart web1",
        RESTORE,
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "service stopped",
        "systemctl stop nethook.service",
        "service",
        "systemctl start nethook.service",
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "unit of an earlier version",
        "cd /etc/systemd/system; head -n 1 nethook.service > nethook-reload.service",
        "service",
        INSTALL,
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "service gone",
        "systemctl disable -q nethook.service; rm /etc/systemd/system/nethook.service; systemctl daemon-reload",
        "boot",
        INSTALL,
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "every ruleset flushed, ours made anew",
        f"nft flush ruleset; systemctl reload libvirtd; {APPLY}",
        "libvirt's rules",
        f"systemctl restart libvirtd.service && {APPLY}",
        happens=NEVER,
        verdict="warning",
        hosts=BOTH,
    ),
    Broken(
        "the jumps to libvirt's chains flushed",
        "iptables -F FORWARD",
        "libvirt's rules",
        f"systemctl restart libvirtd.service && {APPLY}",
        happens=NEVER,
        verdict="warning",
        hosts=(IPTABLES,),
    ),
    Broken(
        "the jumps to libvirt's chains flushed, IPv6",
        "ip6tables -F FORWARD",
        "libvirt's rules",
        f"systemctl restart libvirtd.service && {APPLY}",
        address=SIX,
        happens=NEVER,
        verdict="warning",
        hosts=(IPTABLES,),
    ),
    Broken("table deleted", "nft delete table inet nethook", "our table", APPLY, hosts=BOTH),
    Broken(
        "table for guests deleted",
        f"{line(BOUND)}; {APPLY}; nft delete table bridge nethook",
        "our table",
        APPLY,
        RESTORE,
        happens=NEVER,
    ),
    Broken(
        "nft too old for guests",
        f"{line(BOUND)}; {APPLY}; cd /usr/sbin; mv nft nft.new; printf '{OLD_NFT}' > nft; chmod +x nft",
        "tools",
        "install a newer nftables",
        f"mv /usr/sbin/nft.new /usr/sbin/nft; {RESTORE}",
        happens=NEVER,
        is_mended=False,
    ),
    Broken("table flushed", "nft flush table inet nethook", "our table", APPLY),
    Broken("an element deleted", f"nft delete element inet nethook to4 {{ br-first . {A} }}", "our table", APPLY),
    Broken(
        "an IPv6 element deleted",
        f"nft delete element inet nethook to6 {{ br-first . {SIX} }}",
        "our table",
        APPLY,
        address=SIX,
    ),
    Broken("route deleted", f"ip route del {A}", "route", APPLY),
    Broken(
        "route of somebody else",
        f"ip route del {A}; ip route add {A} dev br-second proto static",
        "route",
        f"ip -4 route del {A} dev br-second proto static && {APPLY}",
    ),
    Broken(
        "a more specific route of somebody else",
        f"ip route add {IN_PREFIX} via 198.51.100.1 proto bird",
        "route",
        f"ip -4 route del {IN_PREFIX} via 198.51.100.1 dev uplink0 proto bird",
        address=IN_PREFIX,
    ),
    Broken(
        "the host's own tunnel to an address of the prefix",
        "ip link add ppp9 type veth peer name ppp8; ip link set ppp8 up; ip link set ppp9 up;"
        f" ip address add 10.9.9.1 peer {IN_PREFIX} dev ppp9",
        "route",
        "leave it, because it is the subnet of ppp9",
        "ip link delete ppp9",
        address=IN_PREFIX,
        is_mended=False,
    ),
    Broken(
        "a route of somebody else with a better metric",
        f"ip -6 route add {SIX} dev br-second metric 1",
        "route",
        f"ip -6 route del {SIX} dev br-second",
        address=SIX,
    ),
    Broken(
        "a policy rule to another table",
        f"ip rule add to {A} lookup 100; ip route add default via 198.51.100.1 table 100",
        "policy rule",
        f"ip -4 rule add to {A} lookup main priority",
        f"ip rule del to {A} lookup 100; ip rule del to {A} lookup main; ip route flush table 100",
    ),
    Broken(
        "a policy rule that drops",
        f"ip -6 rule add to {SIX} blackhole",
        "policy rule",
        f"ip -6 rule add to {SIX} lookup main priority",
        f"ip -6 rule del to {SIX} blackhole; ip -6 rule del to {SIX} lookup main",
        address=SIX,
    ),
    Broken(
        "no way back",
        f"ip rule add from {A} lookup 101; ip route add unreachable default table 101",
        "way back",
        "ip -4 rule",
        f"ip rule del from {A} lookup 101; ip route flush table 101",
        is_mended=False,
    ),
    Broken(
        "a VPN for the whole host, as wg-quick makes it",
        f"{TUNNEL}; ip route add default dev wg0 table 51820; ip rule add not fwmark 0xca6c lookup 51820;"
        " ip rule add lookup main suppress_prefixlength 0",
        "way back",
        f"ip -4 rule add from {A} lookup main priority",
        "ip link del wg0; ip rule del lookup 51820; ip rule del lookup main suppress_prefixlength 0;"
        f" ip rule del from {A} lookup main",
        hosts=BOTH,
    ),
    Broken(
        "a VPN for the whole host, as Tailscale makes it for an exit node, IPv6",
        f"{TUNNEL}; ip -6 route add default dev wg0 table 52; ip -6 rule add lookup 52 priority 5270",
        "policy rule",
        f"priority 5269 && ip -6 rule add from {SIX} lookup main priority 5269",
        f"ip link del wg0; ip -6 rule del lookup 52; ip -6 rule del from {SIX} lookup main;"
        f" ip -6 rule del to {SIX} lookup main",
        address=SIX,
    ),
    Broken(
        "a VPN for the whole host, and a strict rp_filter",
        f"{TUNNEL}; ip route add default dev wg0 table 52; ip rule add lookup 52 priority 5270;"
        " ip rule add lookup main suppress_prefixlength 0 priority 5260;"
        " sysctl -qw net.ipv4.conf.uplink0.rp_filter=1",
        "way back",
        f"ip -4 rule add from {A} lookup main priority 5269",
        f"ip link del wg0; ip rule del lookup 52; ip rule del from {A} lookup main;"
        " ip rule del priority 5260;"
        " sysctl -qw net.ipv4.conf.uplink0.rp_filter=0",
    ),
    Broken(
        "a second router for everybody",
        f"{SECOND_ROUTER}; ip rule add lookup 103 priority 5270;"
        " ip rule add lookup main suppress_prefixlength 0 priority 5260",
        "way back",
        f"ip -4 rule add from {A} lookup main priority 5269",
        f"ip rule del lookup 103; ip rule del priority 5260; ip rule del from {A} lookup main;"
        " ip route flush table 103",
        verdict="warning",
    ),
    Broken(
        "no default route",
        "ip -6 route del default",
        "way back",
        "route add default",
        "ip -6 route add default via 2001:db8:100::1",
        address=SIX,
        is_mended=False,
    ),
    Broken(
        "a default route to a router that is not there",
        "ip -6 route replace default via 2001:db8:100::99 dev uplink0",
        "way back",
        "correct the default route",
        "ip -6 route replace default via 2001:db8:100::1 dev uplink0",
        address=SIX,
        is_mended=False,
    ),
    Broken(
        "strict rp_filter, another way back",
        "ip route replace default via 198.51.100.1 dev uplink1 onlink; sysctl -qw net.ipv4.conf.uplink0.rp_filter=1",
        "reverse path filter",
        "sysctl -w net.ipv4.conf.uplink0.rp_filter=2",
        "ip route replace default via 198.51.100.1 dev uplink0; sysctl -qw net.ipv4.conf.uplink0.rp_filter=0",
    ),
    Broken(
        "address on the host",
        f"ip address add {A}/32 dev lo",
        "own address",
        "change the line",  # no command takes an address from the host
        f"ip address del {A}/32 dev lo",
        is_mended=False,
    ),
    Broken(
        "a subnet of another network",
        f"echo '203.0.113.64/28 first' >> {FILE}; {APPLY}",
        "subnet",
        "route it to second",
        RESTORE,
        address=TAKEN,
        is_mended=False,
    ),
    Broken(
        "IPv4 not forwarded",
        "sysctl -qw net.ipv4.ip_forward=0",
        "forwarding",
        "nethook install --enable-forwarding",
        hosts=BOTH,
    ),
    Broken(
        "IPv4 forwarded by a file that Debian 13 does not read",
        "echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.conf; sysctl -qw net.ipv4.ip_forward=0",
        "forwarding",
        "nethook install --enable-forwarding",
        "rm /etc/sysctl.conf",
    ),
    Broken(
        "IPv4 not forwarded from the uplink",
        "sysctl -qw net.ipv4.conf.uplink0.forwarding=0",
        "forwarding",
        "sysctl -w net.ipv4.conf.uplink0.forwarding=1",
    ),
    Broken(
        "IPv6 not forwarded",
        "sysctl -qw net.ipv6.conf.all.forwarding=0",
        "forwarding",
        "nethook install --enable-forwarding",
        address=SIX,
    ),
    Broken(
        "IPv6 off on the bridge",
        "sysctl -qw net.ipv6.conf.br-first.disable_ipv6=1",
        "ipv6 on the bridge",
        "sysctl -w net.ipv6.conf.br-first.disable_ipv6=0",
        address=SIX,
    ),
    Broken(
        "router advertisements of guests",
        "sysctl -qw net.ipv6.conf.br-first.accept_ra=2",
        "router advertisements",
        "sysctl -w net.ipv6.conf.br-first.accept_ra=0",
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "an MTU of the bridge that is too small for IPv6",
        "ip link set br-first mtu 1200",
        "ipv6 on the bridge",
        "ip link set br-first mtu 1500",
        address=SIX,
    ),
    Broken(
        "gateway deleted",
        "ip address del 169.254.0.1/32 dev br-first",
        "gateway",
        APPLY,
        happens=NEVER,
        verdict="warning",
    ),
    Broken(
        "gateway on another device",
        f"ip address del 169.254.0.1/32 dev br-first; ip address add 169.254.0.1/16 dev uplink0; {APPLY}",
        "gateway",
        "gateway4",
        f"ip address del 169.254.0.1/16 dev uplink0; {APPLY}",
        happens=NEVER,
        verdict="warning",
        is_mended=False,
    ),
    Broken("gate deleted", DELETE_GATE, "gate", APPLY, hosts=BOTH),
    Broken("gate deleted, IPv6", DELETE_GATE, "gate", APPLY, address=SIX, hosts=BOTH),
    Broken(
        "gate behind a reject",
        "nft insert rule ip libvirt_network forward counter reject",
        "gate",
        APPLY,
        "systemctl restart libvirtd; sleep 1",
    ),
    Broken(
        "gate behind a REJECT",
        "iptables -I FORWARD -j REJECT",
        "gate",
        APPLY,
        "iptables -D FORWARD -j REJECT",
        hosts=(IPTABLES,),
    ),
    Broken(
        "FORWARD policy DROP, no gate",
        f"{DELETE_GATE}; iptables -P FORWARD DROP",
        "gate",
        APPLY,
        "iptables -P FORWARD ACCEPT",
        hosts=BOTH,
    ),
    Broken(
        "an admin's rule in FORWARD",
        f"iptables -I FORWARD -d {A} -j DROP",
        "admin's iptables",
        f"-D FORWARD -d {A}/32 -j DROP",
        hosts=BOTH,
    ),
    Broken(
        "a chain of an admin's that FORWARD jumps to",
        f"iptables -N guests; iptables -A guests -d {A} -j DROP; iptables -I FORWARD -i uplink0 -j guests",
        "admin's iptables",
        "-I guests -m mark --mark 0x10000000/0x10000000 -j RETURN",
        "iptables -D FORWARD -i uplink0 -j guests; iptables -F guests; iptables -X guests",
        hosts=BOTH,
    ),
    Broken(
        "a rule in the table mangle",
        f"iptables-nft -t mangle -I FORWARD -s {A} -j DROP",
        "admin's iptables",
        f"iptables-nft -w -t mangle -I FORWARD -s {A} -j ACCEPT",
        "iptables-nft -t mangle -F; nft delete table ip mangle",
        hosts=BOTH,
    ),
    Broken(
        "a policy of the table raw, IPv6",
        "ip6tables-nft -t raw -P PREROUTING DROP",
        "admin's iptables",
        f"ip6tables-nft -w -t raw -I PREROUTING -d {SIX} -j ACCEPT",
        "nft delete table ip6 raw",
        address=SIX,
        is_mended=False,  # the host does not get its neighbours' answers either
    ),
    Broken(
        "a rule in the table raw of the legacy variant",
        f"iptables-legacy -t raw -N blocked; iptables-legacy -t raw -A blocked -d {A} -j DROP;"
        " iptables-legacy -t raw -A PREROUTING -j blocked",
        "admin's iptables",
        f"iptables-legacy -w -t raw -I PREROUTING -d {A} -j ACCEPT",
        "iptables-legacy -t raw -F; iptables-legacy -t raw -X",
        hosts=BOTH,
    ),
    Broken(
        "an admin's nftables rule before routing",
        admins(f"add rule inet admin f ip daddr {A} drop", chain="priority raw", hook="prerouting"),
        "admin's nftables",
        f"ip daddr {A} accept",
        NO_ADMIN,
        hosts=BOTH,
    ),
    Broken(
        "an admin's rule about connections where the kernel does not know them yet",
        admins("add rule inet admin f ct state invalid drop", chain="priority raw", hook="prerouting"),
        "admin's nftables",
        f"ip daddr {A} accept",
        NO_ADMIN,
        is_mended=False,  # the host does not get its neighbours' answers either
    ),
    Broken(
        "an admin's rule that compares the whole mark",
        admins(
            "add rule inet admin f meta mark 100 accept",
            f"add rule inet admin f ip saddr {A} accept",
            chain="priority filter; policy drop",
        ),
        "admin's nftables",
        "nft 'add rule inet admin f meta mark & 0x10000000 == 0x10000000 accept'",
        NO_ADMIN,
    ),
    Broken(
        "an admin's rule for bridges",
        admins(f"add rule bridge admin f ip saddr {A} drop", hook="prerouting", family="bridge"),
        "admin's nftables",
        "nft 'insert rule bridge admin f position",
        "nft delete table bridge admin",
    ),
    Broken(
        "an admin's rule for a device",
        admins(f"add rule netdev admin f ip daddr {A} drop", hook="ingress device uplink0", family="netdev"),
        "admin's nftables",
        "nft 'insert rule netdev admin f position",
        "nft delete table netdev admin",
        hosts=BOTH,
    ),
    Broken(
        "an admin's nftables rule",
        admins(f"add rule inet admin f ip daddr {A} reject"),
        "admin's nftables",
        "nft 'insert rule inet admin f position",
        NO_ADMIN,
        hosts=BOTH,
    ),
    Broken(
        "an admin's nftables policy",
        admins(
            "add rule inet admin f ct state vmap { established : accept, related : accept, invalid : drop }",
            "add rule inet admin f tcp dport 22 accept",
            chain="priority filter; policy drop",
        ),
        "admin's nftables",
        "nft 'add rule inet admin f meta mark & 0x10000000 == 0x10000000 accept'",
        NO_ADMIN,
        hosts=BOTH,
    ),
    Broken(
        "an admin's nftables policy, IPv6",
        admins(
            "add rule ip6 admin f ct state established,related accept", chain="priority 5; policy drop", family="ip6"
        ),
        "admin's nftables",
        "nft 'add rule ip6 admin f meta mark & 0x10000000 == 0x10000000 accept'",
        "nft delete table ip6 admin",
        address=SIX,
    ),
    Broken(
        "an admin's nftables policy for what the guest answers",
        admins("add rule inet admin f oifname br-first accept", chain="priority 0; policy drop"),
        "admin's nftables",
        "nft 'add rule inet admin f meta mark & 0x10000000 == 0x10000000 accept'",
        NO_ADMIN,
    ),
    Broken(
        "an admin's nftables policy for what the guest itself opens",
        admins(
            "add rule inet admin f ct state established,related accept",
            f"add rule inet admin f ip daddr {A} accept",
            chain="priority 0; policy drop",
        ),
        "admin's nftables",
        "nft 'add rule inet admin f meta mark & 0x10000000 == 0x10000000 accept'",
        NO_ADMIN,
        happens=NEVER,
        verdict="warning",
        hosts=BOTH,
    ),
    Broken(
        "an admin's nftables set in a chain that is jumped to, before the mark",
        admins(
            "add set inet admin bad { type ipv4_addr; flags interval; elements = { 203.0.113.8/29 }; }",
            "add chain inet admin blocked",
            "add rule inet admin blocked ip daddr @bad counter drop",
            "add rule inet admin f iifname uplink0 jump blocked",
            chain="priority -50",
        ),
        "admin's nftables",
        f"ip daddr {A} accept",
        NO_ADMIN,
    ),
    Broken(
        "an admin's filter for a guest",
        admins(f"add rule inet admin f ip daddr {A} tcp dport 80 accept", f"add rule inet admin f ip daddr {A} drop"),
        "admin's nftables",
        "nothing to do",
        NO_ADMIN,
        happens=NEVER,
        verdict="warning",
        is_mended=False,
    ),
    Broken(
        "masquerading on the uplink",
        "iptables -t nat -A POSTROUTING -o uplink0 -j MASQUERADE",
        "nat",
        f"-t nat -I POSTROUTING -s {A} -o uplink0 -j ACCEPT",
        NO_NAT,
        happens=NEVER,
        hosts=BOTH,
    ),
    Broken(
        "masquerading on the uplink, IPv6, in a chain that is jumped to",
        "ip6tables -t nat -N vpn; ip6tables -t nat -A vpn -j MASQUERADE;"
        " ip6tables -t nat -A POSTROUTING -o uplink0 -j vpn",
        "nat",
        f"-t nat -I POSTROUTING -s {SIX} -o uplink0 -j ACCEPT",
        "ip6tables -t nat -F; ip6tables -t nat -X vpn",
        address=SIX,
        happens=NEVER,
    ),
    Broken(
        "masquerading by nftables",
        admins(
            "add rule inet admin f oifname uplink0 masquerade", hook="postrouting", chain="priority srcnat", kind="nat"
        ),
        "nat",
        f"ip saddr {A} accept",
        NO_ADMIN,
        happens=NEVER,
        hosts=BOTH,
    ),
    Broken(
        "a port of all addresses that is forwarded to another guest",
        "iptables -t nat -I PREROUTING -i uplink0 -p tcp --dport 80 -j DNAT --to 192.168.50.77",
        "nat",
        f"-t nat -I PREROUTING -d {A} -i uplink0 -p tcp -m tcp --dport 80 -j ACCEPT",
        "iptables -t nat -F PREROUTING",
        hosts=BOTH,
    ),
    Broken(
        "ports of all addresses that are redirected to the host, in the legacy variant",
        "iptables-legacy -t nat -A PREROUTING -p tcp -m multiport --dports 80,443 -j REDIRECT --to-ports 5",
        "nat",
        f"iptables-legacy -w -t nat -I PREROUTING -d {A} -p tcp -m multiport --dports 80,443 -j ACCEPT",
        "iptables-legacy -t nat -F",
    ),
    Broken(
        "everything that is forwarded to another guest, by nftables",
        admins(
            "add rule inet admin f iifname uplink0 dnat ip to 192.168.50.77",
            hook="prerouting",
            chain="priority dstnat",
            kind="nat",
        ),
        "nat",
        f"ip daddr {A} accept",
        NO_ADMIN,
        hosts=BOTH,
    ),
    Broken(
        "a port that is forwarded to another guest, by nftables",
        admins(
            "add rule inet admin f iifname uplink0 tcp dport { 80, 443 } redirect to :5",
            hook="prerouting",
            chain="priority dstnat",
            kind="nat",
        ),
        "nat",
        f"ip6 daddr {SIX} accept",
        NO_ADMIN,
        address=SIX,
    ),
    Broken(
        "a port that is forwarded on purpose",
        f"iptables -t nat -A PREROUTING -d {A} -p tcp --dport 8080 -j DNAT --to 192.168.50.77",
        "nat",
        "nothing to do",
        NO_NAT,
        happens=NEVER,
        verdict="warning",
        is_mended=False,
    ),
    Broken(
        "firewalld without our policy",
        "rm /etc/firewalld/policies/00-nethook.xml; systemctl start firewalld; systemctl restart libvirtd; sleep 2",
        "gate",
        "nethook install",
        "systemctl stop firewalld; systemctl restart libvirtd; sleep 1",
    ),
    Broken(
        "systemd-networkd",
        f"systemctl start systemd-networkd; sleep 1; {APPLY}",
        "systemd-networkd",
        "ManageForeignRoutes=no",
        "systemctl stop systemd-networkd.socket systemd-networkd; rm -rf /etc/systemd/networkd.conf.d",
        happens=NEVER,
        verdict="warning",
        hosts=BOTH,
    ),
    Broken(
        "a wrong permanent neighbour entry",
        f"ip neigh replace {A} lladdr 02:00:00:00:00:01 nud permanent dev br-first",
        "guest",
        f"ip neigh del {A} dev br-first",
    ),
]
