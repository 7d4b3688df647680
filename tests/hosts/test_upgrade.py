"""A host as release 0.6 leaves it: its link as the hook, its routes, and its rules in FORWARD."""

from __future__ import annotations

import pytest

from lab.hosts import program
from lab.hosts.host import Host
from lab.hosts.lab import Lab
from lab.hosts.program import HOOK

pytestmark = pytest.mark.hosts

LINK = "/etc/libvirt/hooks/network"
OURS, ADMINS = "203.0.113.10", "203.0.113.99"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """With network and guest; the program is there, but nothing of it has run."""
    host = lab.host("bookworm")
    lab.wan.deliver("203.0.113.0/24", host)
    host.write("/etc/sysconfig/routed-ips", f"{OURS} public # as 0.6 has it\n")
    program.put(host)
    host.network("public", addresses=["192.168.50.1/24"])
    host.guest("web1", network="public", addresses=[f"{OURS}/32", f"{ADMINS}/32"], gateways=["192.168.50.1"]).start()
    return host


def forward(host: Host) -> list[str]:
    return host.run(["iptables", "-S", "FORWARD"]).stdout.splitlines()


def run_0_6(host: Host, address: str) -> None:
    """What release 0.6 does for an address; a second time, as after a restart of libvirtd, the rules alone."""
    host.run(["ip", "-4", "route", "add", address, "dev", "br-public"], check=False)
    for device, side in (("--in-interface", "--source"), ("--out-interface", "--destination")):
        host.run(["iptables", "--insert", "FORWARD", device, "br-public", side, address, "-j", "ACCEPT"])


def test_its_routes_rules_and_link_are_replaced(lab: Lab, host: Host) -> None:
    libvirts = forward(host)
    for address in (OURS, OURS, ADMINS):
        run_0_6(host, address)
    host.run(["mkdir", "-p", "/etc/libvirt/hooks"])
    host.run(["ln", "-s", host.run(["sh", "-c", "command -v lv-setup-routed-ips"]).stdout.strip(), LINK])
    assert lab.wan.fetch(OURS) == f"web1 {lab.wan.client.ipv4}"
    planned = host.nethook("plan").stdout.splitlines()
    removal = "in iptables-nft FORWARD, of release 0.6"
    assert planned[-5:] == [
        f"~ route {OURS} → br-public, until now of release 0.6 (public), /etc/sysconfig/routed-ips:1",
        f"- rule -d {OURS}/32 -o br-public -j ACCEPT {removal}",
        f"- rule -s {OURS}/32 -i br-public -j ACCEPT {removal}",
        f"- rule -d {OURS}/32 -o br-public -j ACCEPT {removal}",
        f"- rule -s {OURS}/32 -i br-public -j ACCEPT {removal}",
    ]
    unanswered = host.nethook("install", "--dry-run")
    assert f"{LINK} is a link of release 0.6" in unanswered.stderr
    installed = host.nethook("install", "--yes")
    assert installed.returncode == 0, installed.stderr
    assert host.nethook("plan").returncode == 0
    assert lab.wan.fetch(OURS) == f"web1 {lab.wan.client.ipv4}"
    assert f"{OURS} dev br-public proto 218 scope link" in host.run(["ip", "route"]).stdout
    assert f"{ADMINS} dev br-public scope link" in host.run(["ip", "route"]).stdout
    gate = "-A FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment nethook-0x10000000 -j ACCEPT"
    admins = [f"-A FORWARD -d {ADMINS}/32 -o br-public -j ACCEPT", f"-A FORWARD -s {ADMINS}/32 -i br-public -j ACCEPT"]
    assert forward(host) == [libvirts[0], *admins, gate, *libvirts[1:]]
    assert host.run(["test", "-e", LINK], check=False).returncode == 1


def test_its_link_keeps_working(lab: Lab, host: Host) -> None:
    host.run(["rm", HOOK])
    host.run(["systemctl", "stop", "nethook"])  # it would put in force what this link has to
    program_of_0_6 = host.run(["sh", "-c", "command -v lv-setup-routed-ips"]).stdout.strip()
    host.run(["ln", "-s", program_of_0_6, LINK])
    host.restart_libvirtd()
    host.run(["nft", "delete", "table", "inet", "nethook"])
    assert lab.wan.fetch(OURS) is None
    guest = host.guests[0]
    guest.stop()
    guest.start()
    assert lab.wan.fetch(OURS) == f"web1 {lab.wan.client.ipv4}"
    host.virsh("net-destroy", "public")
    assert OURS not in host.run(["ip", "route", "show", "type", "unicast"]).stdout
    by_hand = host.run([program_of_0_6], check=False)
    assert by_hand.returncode == 2
    assert by_hand.stderr.startswith("usage: ")
