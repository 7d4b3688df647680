"""The rules of libvirt's iptables backend, as libvirt 9.0 leaves them (taken from ``iptables-save`` beside it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.world.network import ISOLATED

if TYPE_CHECKING:
    from lab.processes import Runner
    from lab.world.network import WorldNetwork

    Rules = list[str]

# Where libvirt hooks its chains in, in the order in which it inserts the jumps.
_JUMPS = {
    "filter": (
        ("INPUT", "LIBVIRT_INP"),
        ("OUTPUT", "LIBVIRT_OUT"),
        ("FORWARD", "LIBVIRT_FWO"),
        ("FORWARD", "LIBVIRT_FWI"),
        ("FORWARD", "LIBVIRT_FWX"),
    ),
    "nat": (("POSTROUTING", "LIBVIRT_PRT"),),
    "mangle": (("POSTROUTING", "LIBVIRT_PRT"),),
}


class LibvirtIptables:
    """libvirt 9.0 on a host whose ``iptables`` is the given variant, nft or legacy."""

    def __init__(self, variant: str) -> None:
        self.variant = variant

    def start(self, machine: Runner, network: WorldNetwork) -> None:
        """Write the rules of a network that starts, in front of those that are there."""
        if network.mode == "open":
            return
        for family in (4, 6):
            if "LIBVIRT_FWX" not in machine.run(self._tool(family), "-w", "-S"):
                self._restore(machine, family, _chains())
            self._restore(machine, family, _rules(network, family, "-I"))

    def stop(self, machine: Runner, network: WorldNetwork) -> None:
        """Delete the rules of a network that stops."""
        if network.mode != "open":
            for family in (4, 6):
                self._restore(machine, family, _rules(network, family, "-D"))

    def _tool(self, family: int) -> str:
        return f"{'iptables' if family == 4 else 'ip6tables'}-{self.variant}"

    def _restore(self, machine: Runner, family: int, tables: dict[str, Rules]) -> None:
        text = "".join("\n".join((f"*{table}", *rules, "COMMIT", "")) for table, rules in tables.items())
        machine.run(f"{self._tool(family)}-restore", "-w", "--noflush", stdin=text)


def _chains() -> dict[str, Rules]:
    return {
        table: [f":{chain} -" for _, chain in jumps] + [f"-I {parent} -j {chain}" for parent, chain in jumps]
        for table, jumps in _JUMPS.items()
    }


def _rules(network: WorldNetwork, family: int, verb: str) -> dict[str, Rules]:
    """The commands for the rules of a network: each is inserted in front, so the last one of a chain comes first."""
    subnet = network.ipv4 if family == 4 else network.ipv6
    tables = {"filter": _filter(network, subnet, family), "nat": [], "mangle": []}
    if network.mode == "nat":
        tables["nat"] = _nat(subnet, family)
    if family == 4:
        tables["mangle"] = [f"LIBVIRT_PRT -o {network.bridge} -p udp --dport 68 -j CHECKSUM --checksum-fill"]
    return {table: [f"{verb} {rule}" for rule in reversed(rules)] for table, rules in tables.items()}


def _filter(network: WorldNetwork, subnet: str, family: int) -> Rules:
    bridge = network.bridge
    inwards = {
        "nat": [f"LIBVIRT_FWI -d {subnet} -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"],
        "route": [f"LIBVIRT_FWI -d {subnet} -o {bridge} -j ACCEPT"],
        ISOLATED: [],
    }[network.mode]
    outwards = [] if network.mode == ISOLATED else [f"LIBVIRT_FWO -s {subnet} -i {bridge} -j ACCEPT"]
    reject = "REJECT --reject-with " + ("icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable")
    dns = [("udp", 53), ("tcp", 53)]
    if family == 4:
        to_host, from_host = [*dns, ("udp", 67), ("tcp", 67)], [*dns, ("udp", 68), ("tcp", 68)]
    else:
        to_host, from_host = [("udp", 547), *dns], [("udp", 546), *dns]
    return [
        *(f"LIBVIRT_INP -i {bridge} -p {protocol} --dport {port} -j ACCEPT" for protocol, port in to_host),
        *(f"LIBVIRT_OUT -o {bridge} -p {protocol} --dport {port} -j ACCEPT" for protocol, port in from_host),
        *inwards,
        f"LIBVIRT_FWI -o {bridge} -j {reject}",
        *outwards,
        f"LIBVIRT_FWO -i {bridge} -j {reject}",
        f"LIBVIRT_FWX -i {bridge} -o {bridge} -j ACCEPT",
    ]


def _nat(subnet: str, family: int) -> Rules:
    away = f"LIBVIRT_PRT -s {subnet} ! -d {subnet}"
    kept = ("224.0.0.0/24", "255.255.255.255/32") if family == 4 else ("ff02::/16",)
    return [
        *(f"LIBVIRT_PRT -s {subnet} -d {destination} -j RETURN" for destination in kept),
        f"{away} -p tcp -j MASQUERADE --to-ports 1024-65535",
        f"{away} -p udp -j MASQUERADE --to-ports 1024-65535",
        f"{away} -j MASQUERADE",
    ]
