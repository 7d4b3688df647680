"""A host that release 0.6 was installed on: a link /etc/libvirt/hooks/network to the program's old name."""

from __future__ import annotations

import pytest

from tests.hosts.lab import Lab
from tests.hosts.program import HOOK

pytestmark = pytest.mark.hosts


def test_the_link_of_release_0_6_keeps_working(lab: Lab) -> None:
    host = lab.host("bookworm")
    lab.wan.deliver("203.0.113.0/24", host)
    host.write("/etc/sysconfig/routed-ips", "203.0.113.10 public # as 0.6 has it\n")
    host.install()
    host.run(["rm", HOOK])
    program = host.run(["sh", "-c", "command -v lv-setup-routed-ips"]).stdout.strip()
    host.run(["ln", "-s", program, "/etc/libvirt/hooks/network"])
    host.restart_libvirtd()
    network = host.network("public", addresses=["192.168.50.1/24"])
    guest = host.guest("web1", network="public", addresses=["203.0.113.10/32"], gateways=["192.168.50.1"])
    guest.start()
    assert lab.wan.fetch("203.0.113.10") == f"web1 {lab.wan.client.ipv4}"
    network.stop()
    assert "proto 218" not in host.run(["ip", "route"]).stdout
    by_hand = host.run([program], check=False)
    assert by_hand.returncode == 2
    assert by_hand.stderr.startswith("usage: ")
