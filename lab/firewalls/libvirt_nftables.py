"""The rules of libvirt's nftables backend, in the order that libvirt 11.3 leaves them in.

Fact source: libvirt's network_nftables.c. Its tc filter for DHCP checksums is left out: no guest here uses DHCP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.world.network import ISOLATED

if TYPE_CHECKING:
    from lab.processes import Runner
    from lab.world.network import WorldNetwork

    Rules = list[str]

FAMILIES = ((4, "ip"), (6, "ip6"))
COMMENT = "Managed by libvirt for virtual networks: https://libvirt.org/firewall.html#the-virtual-network-driver"


class LibvirtNftables:
    """libvirt 11.3 with ``firewall_backend = "nftables"``."""

    def start(self, machine: Runner, network: WorldNetwork) -> None:
        """Write the rules of a network that starts, in front of those that are there."""
        if network.mode == "open":
            return
        tables = machine.run("nft", "list", "tables")
        commands = []
        for family, ip in FAMILIES:
            commands += [] if f"table {ip} libvirt_network\n" in tables else _chains(ip)
            rules = _rules(network, network.ipv4 if family == 4 else network.ipv6, ip)
            commands += [f"insert rule {ip} libvirt_network {rule}" for rule in reversed(rules)]
        machine.nft(*commands)

    def stop(self, machine: Runner, network: WorldNetwork) -> None:
        """Delete the rules of a network that stops, by their handles."""
        for family, ip in FAMILIES:
            subnet = network.ipv4 if family == 4 else network.ipv6
            commands = []
            chain = ""
            for line in machine.run("nft", "--handle", "list", "table", ip, "libvirt_network").splitlines():
                words = line.split()
                if words[:1] == ["chain"]:
                    chain = words[1]
                elif f'"{network.bridge}"' in words or subnet in words:
                    commands.append(f"delete rule {ip} libvirt_network {chain} handle {words[-1]}")
            machine.nft(*commands)


def _chains(ip: str) -> Rules:
    table = f"{ip} libvirt_network"
    return [
        f'add table {table} {{ comment "{COMMENT}"; }}',
        f"add chain {table} forward {{ type filter hook forward priority 0; policy accept; }}",
        *(
            line
            for chain in ("guest_output", "guest_input", "guest_cross")
            for line in (f"add chain {table} {chain}", f"insert rule {table} forward counter jump {chain}")
        ),
        f"add chain {table} guest_nat {{ type nat hook postrouting priority 100; policy accept; }}",
    ]


def _rules(network: WorldNetwork, subnet: str, ip: str) -> Rules:
    """The rules of a network as they stand in their chains from top to bottom."""
    bridge = network.bridge
    inwards = {
        "nat": [f'guest_input oif "{bridge}" {ip} daddr {subnet} ct state related,established counter accept'],
        "route": [f'guest_input {ip} daddr {subnet} oif "{bridge}" counter accept'],
        ISOLATED: [],
    }[network.mode]
    outwards = [] if network.mode == ISOLATED else [f'guest_output {ip} saddr {subnet} iif "{bridge}" counter accept']
    return [
        *(_nat(subnet, ip) if network.mode == "nat" else []),
        *inwards,
        f'guest_input oif "{bridge}" counter reject',
        *outwards,
        f'guest_output iif "{bridge}" counter reject',
        f'guest_cross iif "{bridge}" oif "{bridge}" counter accept',
    ]


def _nat(subnet: str, ip: str) -> Rules:
    away = f"{ip} saddr {subnet} {ip} daddr != {subnet} counter masquerade"
    kept = ("224.0.0.0/24", "255.255.255.255") if ip == "ip" else ("ff02::/16",)
    return [
        *(f"guest_nat {ip} saddr {subnet} {ip} daddr {destination} counter return" for destination in kept),
        f"guest_nat meta l4proto tcp {away} to :1024-65535",
        f"guest_nat meta l4proto udp {away} to :1024-65535",
        f"guest_nat {away}",
    ]
