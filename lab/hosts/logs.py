"""What one wants to see of a host on which a test failed, one file each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.hosts.host import Host

COMMANDS = {
    "libvirt-logs": "tail -n +1 /var/log/libvirt/*.log /var/log/libvirt/*/*.log",
    "libvirt-state": "virsh list --all; virsh net-list --all",
    "nft-ruleset": "nft list ruleset",
    "iptables": "iptables-save -c",
    "ip6tables": "ip6tables-save -c",
    "addresses": "ip address",
    "neighbours": "ip neighbour",
    "routes": "ip route show table all; ip -6 route show table all",
    "rules": "ip rule; ip -6 rule",
    "conntrack": "conntrack -L",
    "configuration": "tail -n +1 /etc/sysconfig/routed-ips /etc/nethook/* /etc/libvirt/hooks/*.d/*",
    "processes": "ps axf",
}


def collect(host: Host, folder: Path) -> None:
    """Write the logs and the network state of the host and the consoles of its guests into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console").write_text(host.console())
    (folder / "journal").write_text(host.syslog())
    (folder / "nethook").write_text(host.syslog("nethook"))
    for name, command in COMMANDS.items():
        output = host.run(["sh", "-c", f"({command}) 2>&1"], check=False).stdout
        (folder / name).write_text(output)
    for guest in host.guests:
        (folder / f"guest-{guest.label}").write_text(guest.console())
