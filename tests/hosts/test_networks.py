"""What nethook does with libvirt's networks when somebody asks for it: restart one under its guests, keep an address.

Running guests are back without a reboot, and nobody else notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts.flow import flow

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.lab import Lab
    from lab.hosts.network import HostNetwork
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

HOSTS = {"libvirt 9.0 iptables": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
ROUTED, BYSTANDER = "203.0.113.10", "203.0.113.20"
ADDRESS, OTHER_ADDRESS = "192.168.50.1", "192.168.60.1"
NETWORKS = {"lan": ADDRESS, "other": OTHER_ADDRESS}
DHCP = "<dhcp><range start='192.168.50.100' end='192.168.50.200'/></dhcp>"
BOOT = "cat /proc/sys/kernel/random/boot_id"


class Site(NamedTuple):
    """A host with two networks, and a guest with a routed address on each."""

    lab: Lab
    host: SystemdHost
    lan: HostNetwork
    guest: Guest
    xml: str
    """The first network as it was defined."""

    def define(self, *, more: str = "", ip: str = "", address: str = ADDRESS) -> None:
        """Define the first network anew, with more in it, more in its ``<ip>``, another address. It runs as it was."""
        xml = self.xml.replace("</network>", f"{more}</network>").replace("</ip>", f"{ip}</ip>")
        self.lan.define(xml.replace(ADDRESS, address))

    def answers(self) -> str | None:
        """What answers at the routed address of the first guest."""
        answer = self.lab.wan.fetch(ROUTED, timeout=3)
        return answer.split()[0] if answer else None


@pytest.fixture(scope="module", params=HOSTS)
def site(request: pytest.FixtureRequest, lab: Lab) -> Site:
    suite, backend = HOSTS[request.param]
    host = lab.host(suite, firewall_backend=backend)
    lab.wan.deliver("203.0.113.0/24", host)
    host.install()
    host.write("/etc/default/routed-ips", f"{ROUTED} lan guest=web1\n{BYSTANDER} other\n")
    lan, _ = (host.network(name, addresses=[f"{address}/24"]) for name, address in NETWORKS.items())
    guests = [
        host.guest(name, network=network, addresses=[f"{address[:-1]}2/24", f"{routed}/32"], gateways=[address])
        for name, routed, (network, address) in zip(("web1", "web2"), (ROUTED, BYSTANDER), NETWORKS.items())
    ]
    for guest in guests:
        guest.start()
    return Site(lab, host, lan, guests[0], host.virsh("net-dumpxml", "--inactive", "lan"))


def test_a_network_restarts_under_its_guest(site: Site) -> None:
    site.define(more="<mtu size='1400'/>")
    boot = site.guest.run(BOOT)
    assert site.answers() == "web1"
    asked = site.host.nethook("restart-network", "lan")
    assert asked.returncode == 1
    assert "takes a restart to run as it is defined: <mtu> differs" in asked.stdout
    assert "guest web1 (vnet" in asked.stdout
    assert "nothing was changed; use --yes" in asked.stderr
    assert site.host.nethook("restart-network", "--dry-run", "lan").returncode == 1
    with flow(site.lab.wan, BYSTANDER) as bystander:
        restarted = site.host.nethook("restart-network", "lan", "--yes")
    assert (restarted.returncode, restarted.stderr) == (0, "")
    assert "was off for" in restarted.stdout
    assert bystander.lost == 0
    assert site.answers() == "web1"
    assert site.guest.run(BOOT) == boot
    assert "mtu 1400" in site.host.run(["ip", "link", "show", "br-lan"]).stdout
    assert "already runs as it is defined" in site.host.nethook("restart-network", "lan").stdout
    assert site.host.nethook("restart-network", "--dry-run", "lan").returncode == 0
    assert site.host.nethook("plan").returncode == 0


def test_a_network_that_does_not_start_runs_as_before(site: Site) -> None:
    site.define(address="198.51.100.77")  # the subnet of the uplink, which libvirt refuses
    boot = site.guest.run(BOOT)
    restarted = site.host.nethook("restart-network", "lan", "--yes")
    assert restarted.returncode == 1
    assert "libvirt cannot start network lan" in restarted.stderr
    assert "network lan runs as it was before" in restarted.stdout
    assert site.answers() == "web1"
    assert site.guest.run(BOOT) == boot
    assert "198.51.100.77" in site.host.virsh("net-dumpxml", "--inactive", "lan")


def test_a_network_that_somebody_restarted_gets_its_guests_back(site: Site) -> None:
    site.define()
    site.lan.stop()
    site.host.run(["systemctl", "stop", "libvirtd"])  # as when it is idle: its sockets start it
    assert site.host.nethook("restart-network", "lan", "--yes").returncode == 0
    assert site.answers() == "web1"


def test_an_address_is_kept_for_a_guest(site: Site) -> None:
    """The one that it has, or another one; and libvirt's DHCP server gives it out without a restart."""
    site.define(ip=DHCP)
    assert site.host.nethook("restart-network", "lan", "--yes").returncode == 0
    has = site.guest.ask_for_address()
    reserved = site.host.nethook("reserve", "web1", "lan")
    assert reserved.returncode == 1
    assert "virsh net-update --live --config lan add-last ip-dhcp-host " in reserved.stdout
    assert f"ip='{has}'/>\"\n" in reserved.stdout
    assert "nothing was changed; use --yes" in reserved.stderr
    asked = site.host.nethook("reserve", "web1", "lan", "192.168.50.23", "--yes")
    assert asked.returncode == 0, asked.stderr
    assert site.guest.ask_for_address() == "192.168.50.23"
    for option in ([], ["--inactive"]):
        assert "ip='192.168.50.23'" in site.host.virsh("net-dumpxml", *option, "lan")
    assert "already reserves" in site.host.nethook("reserve", "web1", "lan").stdout
    taken = site.host.nethook("reserve", "web1", "lan", ADDRESS)
    assert "is the host's own address" in taken.stderr


def test_what_can_be_changed_while_it_runs_is_told(site: Site) -> None:
    """And works: without a range, libvirt starts dnsmasq anew, which has to leave gateways of nethook alone."""
    site.define(more="<dns><host ip='192.168.50.9'><hostname>printer</hostname></host></dns>")
    asked = site.host.nethook("restart-network", "lan")
    assert "needs no restart" in asked.stdout
    commands = [line for line in asked.stdout.splitlines() if "virsh net-update" in line]
    assert len(commands) == 3  # the reservation and the range of before go
    site.host.run(["sh", "-ec", "\n".join(commands)])
    assert "already runs as it is defined" in site.host.nethook("restart-network", "lan").stdout
