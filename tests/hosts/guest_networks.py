"""A host with networks of every mode, for guests that are configured by what ``nethook guest-config`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lab.hosts import program

if TYPE_CHECKING:
    from lab.hosts.lab import Lab
    from lab.hosts.systemd_host import SystemdHost

MODES = ("nat", "route", "open", "isolated", "bare")
FILE = "/etc/default/routed-ips"
MAC = "52:54:00:00:00:01"


class Mode(NamedTuple):
    """A network of a mode (``bare``: without ``<ip>``), and what is routed to it."""

    name: str
    number: int

    @property
    def xml(self) -> str:
        """With DHCP, and router advertisements, where it has addresses."""
        n = self.number
        forward = "" if self.name == "isolated" else f"<forward mode='{'open' if self.name == 'bare' else self.name}'/>"
        ips = (
            f"<ip family='ipv4' address='192.168.{100 + n}.1' prefix='24'>"
            f"<dhcp><range start='192.168.{100 + n}.100' end='192.168.{100 + n}.200'/></dhcp></ip>"
            f"<ip family='ipv6' address='2001:db8:100{n}::1' prefix='64'/>"
        )
        bridge = f"<bridge name='br-{self.name}' stp='off' delay='0'/>"
        return f"<network><name>{self.name}</name>{forward}{bridge}{ips * (self.name != 'bare')}</network>"

    @property
    def asked_for(self) -> list[str]:
        """An address, a prefix that is configured whole, and of an IPv6 prefix one address."""
        return [
            f"203.0.113.{10 + self.number}",
            f"203.0.113.{128 + 4 * self.number}/30",
            f"2001:db8:7:{self.number}::/64",
        ]

    @property
    def addresses(self) -> list[str]:
        """What a guest gets of these, the first of each family first."""
        block = [f"203.0.113.{128 + 4 * self.number + host}" for host in range(4)]
        return [f"203.0.113.{10 + self.number}", *block, f"2001:db8:7:{self.number}::1"]

    @property
    def private(self) -> list[str]:
        """Fixed private addresses."""
        return [f"192.168.{100 + self.number}.2", f"2001:db8:100{self.number}::2"]


NETWORKS = {name: Mode(name, number) for number, name in enumerate(MODES, 1)}


def configured_host(lab: Lab) -> SystemdHost:
    """Boot a host with these networks, and with what is routed to them in force."""
    host = lab.host("trixie", firewall_backend="nftables")
    for prefix in ("203.0.113.0/24", "2001:db8:7::/48"):
        lab.wan.deliver(prefix, host)
    host.write(FILE, "".join(f"{asked} {mode.name}\n" for mode in NETWORKS.values() for asked in mode.asked_for))
    host.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
    host.write("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.53\nnameserver 2001:db8:c::53\n")
    program.put(host)
    for mode in NETWORKS.values():
        host.network(mode.name, mode.xml)
    host.run(["nethook", "apply"])
    return host
