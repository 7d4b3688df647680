"""The rules that libvirt makes for a NAT network, by the backend of its firewall: what the gates have to open."""

from __future__ import annotations

BRIDGE = "virbr-bench"
SUBNET = "192.168.77.0/24"

_NFTABLES = f"""
table ip libvirt_network {{
    chain guest_output {{
        ip saddr {SUBNET} iifname "{BRIDGE}" counter accept
        iifname "{BRIDGE}" counter reject
    }}
    chain guest_input {{
        oifname "{BRIDGE}" ip daddr {SUBNET} ct state established,related counter accept
        oifname "{BRIDGE}" counter reject
    }}
    chain guest_cross {{
        iifname "{BRIDGE}" oifname "{BRIDGE}" counter accept
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        counter jump guest_cross
        counter jump guest_input
        counter jump guest_output
    }}
}}
table ip6 libvirt_network {{
    chain guest_output {{
        iifname "{BRIDGE}" counter reject
    }}
    chain guest_input {{
        oifname "{BRIDGE}" counter reject
    }}
    chain guest_cross {{
        iifname "{BRIDGE}" oifname "{BRIDGE}" counter accept
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        counter jump guest_cross
        counter jump guest_input
        counter jump guest_output
    }}
}}
"""

_IPTABLES = """
*filter
:LIBVIRT_FWI - [0:0]
:LIBVIRT_FWO - [0:0]
:LIBVIRT_FWX - [0:0]
-A FORWARD -j LIBVIRT_FWX
-A FORWARD -j LIBVIRT_FWI
-A FORWARD -j LIBVIRT_FWO
{subnet}-A LIBVIRT_FWI -o {bridge} -j REJECT
-A LIBVIRT_FWO -i {bridge} -j REJECT
-A LIBVIRT_FWX -i {bridge} -o {bridge} -j ACCEPT
COMMIT
"""

_IPTABLES_SUBNET = f"""\
-A LIBVIRT_FWI -d {SUBNET} -o {BRIDGE} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A LIBVIRT_FWO -s {SUBNET} -i {BRIDGE} -j ACCEPT
"""

BACKENDS = {
    "nftables": ((("nft", "-f", "-"), _NFTABLES),),
    "iptables": (
        (("iptables-restore",), _IPTABLES.format(bridge=BRIDGE, subnet=_IPTABLES_SUBNET)),
        (("ip6tables-restore",), _IPTABLES.format(bridge=BRIDGE, subnet="")),
    ),
}
"""Commands, and what they read from standard input, that make the rules on a host that has none."""
