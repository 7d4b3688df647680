"""Guests that are configured by what ``nethook guest-config`` prints, and nothing else, by the real tools of Debian.

On networks of every mode, and on one without ``<ip>``: a client outside reaches every address of them, the outside sees
the first routed address of each family, and the private address of the network works besides where it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

import pytest

from lab.hosts.debian_guest import NIC, DebianGuest
from lab.hosts.lab import Lab
from lab.hosts.roots import IFUPDOWN_NG
from lab.hosts.systemd_host import SystemdHost
from lab.hosts.wan import CLIENT
from lab.waiting import wait_for
from tests.hosts.guest_networks import FILE, MAC, NETWORKS, Mode, configured_host

pytestmark = pytest.mark.hosts


class Site(NamedTuple):
    lab: Lab
    host: SystemdHost
    guest: DebianGuest

    def pings(self, address: str) -> bool:
        """Whether the host gets an answer from it; while it is tentative it does not."""
        return self.host.run(["ping", "-q", "-c", "1", "-W", "1", address], check=False).returncode == 0

    def put(self, text: str, path: str, commands: str, mode: int = 0o644) -> None:
        """Paste the text into a file of the guest, and run what puts it in force."""
        self.guest.write(path, text, mode)
        self.guest.sh(f"set -e; {commands}")


def _netplan(site: Site, text: str) -> None:
    site.put(text, "/etc/netplan/60-nethook.yaml", "netplan apply", mode=0o600)


def _networkd(site: Site, text: str) -> None:
    site.put(text, "/etc/systemd/network/10-nethook.network", "systemctl start systemd-networkd; networkctl reload")


def _ifupdown(site: Site, text: str) -> None:
    site.put(text, "/etc/network/interfaces.d/nethook", f"ifup {NIC}")


def _networkmanager(site: Site, text: str) -> None:
    start = "systemctl start NetworkManager; nmcli connection reload; nmcli connection up nethook"
    site.put(text, "/etc/NetworkManager/system-connections/nethook.nmconnection", start, mode=0o600)


def _busybox(site: Site, text: str) -> None:
    site.put(text, "/etc/network/interfaces", f"PATH=/opt/busybox:$PATH ifup {NIC}")


def _ifupdown_ng(site: Site, text: str) -> None:
    site.put(text, "/etc/network/interfaces", f"{IFUPDOWN_NG}/usr/sbin/ifup-ng {NIC}")


def _cloud_init(renderer: str, start: str) -> Callable[[Site, str], None]:
    def configure(site: Site, text: str) -> None:
        seed = "/var/lib/cloud/seed/nocloud"
        site.guest.write(f"{seed}/meta-data", f"instance-id: {renderer}\n")
        site.guest.write(f"{seed}/user-data", "")
        network = f"system_info: {{network: {{renderers: [{renderer}], activators: [{renderer}]}}}}\n"
        site.guest.write("/etc/cloud/cloud.cfg.d/99-test.cfg", f"datasource_list: [NoCloud]\n{network}")
        site.put(text, f"{seed}/network-config", f"cloud-init init --local; {start}")

    return configure


class Case(NamedTuple):
    """``how`` is what puts the output of this format in force; ``private`` is dhcp, fixed or ''."""

    name: str
    format: str
    how: Callable[[Site, str], None]
    network: str
    private: str = ""
    by_mac: bool = False


# A veth has no permanent MAC address, by which netplan finds a NIC: there the name has to do.
CASES = [
    Case("netplan", "netplan", _netplan, "nat", "fixed"),
    Case("netplan-dhcp", "netplan", _netplan, "isolated", "dhcp"),
    Case("networkd", "networkd", _networkd, "bare"),
    Case("networkd-dhcp", "networkd", _networkd, "route", "dhcp", by_mac=True),
    Case("ifupdown", "ifupdown", _ifupdown, "open", "fixed"),
    Case("networkmanager", "networkmanager", _networkmanager, "isolated", "fixed"),
    Case("networkmanager-dhcp", "networkmanager", _networkmanager, "nat", "dhcp", by_mac=True),
    Case("busybox", "alpine", _busybox, "bare"),
    Case("ifupdown-ng", "alpine", _ifupdown_ng, "nat", "fixed"),
    Case("cloud-init-netplan", "cloud-init", _cloud_init("netplan", "netplan apply"), "route"),
    Case(
        "cloud-init-networkd",
        "cloud-init",
        _cloud_init("networkd", "systemctl start systemd-networkd; networkctl reload"),
        "open",
        by_mac=True,
    ),
    Case(
        "cloud-init-networkmanager",
        "cloud-init",
        _cloud_init("network-manager", "systemctl start NetworkManager"),
        "isolated",
        by_mac=True,
    ),
]

# Debian's NetworkManager leaves veth devices alone; busybox's tools have to come before the others of the same names.
PREPARE = f"""
systemctl unmask --quiet NetworkManager systemd-networkd systemd-networkd.socket
printf '[device-nic]\\nmatch-device=interface-name:{NIC}\\nmanaged=1\\n' > /etc/NetworkManager/conf.d/nic.conf
mkdir /opt/busybox
for tool in ifup ifdown ip run-parts; do ln -s /usr/bin/busybox /opt/busybox/$tool; done
ln -s {IFUPDOWN_NG}/usr/libexec/ifupdown-ng /usr/libexec/
ln -s {IFUPDOWN_NG}/etc/network/ifupdown-ng.conf /etc/network/
cp /etc/network/interfaces /root/
"""

CLEAN = """
systemctl stop NetworkManager systemd-networkd.socket systemd-networkd
rm -rf /etc/netplan/* /etc/systemd/network/* /run/systemd/network/* /etc/network/interfaces.d/* /run/network/* \
    /etc/NetworkManager/system-connections/* /var/lib/cloud/instance* /var/lib/cloud/seed /run/cloud-init /run/ifstate
cp /root/interfaces /etc/network/interfaces
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        host = configured_host(lab)
        guest = lab.debian_guest("debian")
        guest.sh(PREPARE)
        yield Site(lab, host, guest)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_guest_configured_by_the_output_alone(site: Site, case: Case) -> None:
    mode = NETWORKS[case.network]
    for address in mode.addresses[::4]:
        assert not site.lab.wan.http(address, timeout=1)
    private = {"": [], "dhcp": ["dhcp"], "fixed": mode.private}[case.private]
    printed = site.host.run(
        [
            *("nethook", "guest-config", "--format", case.format, *mode.asked_for, "--interface", NIC),
            *(["--mac", MAC] if case.by_mac else []),
            *(word for value in private for word in ("--private", value)),
        ]
    )
    assert "192.0.2.53" in printed.stdout
    site.guest.plug(site.host, f"br-{mode.name}", MAC)
    try:
        case.how(site, printed.stdout)
        for address in mode.addresses:
            client = CLIENT.of_family(ip_address(address).version)
            assert wait_for(lambda: site.lab.wan.fetch(address, timeout=1), f"{address} answers") == client  # noqa: B023
        for family, first in ((4, mode.addresses[0]), (6, mode.addresses[-1])):
            assert site.guest.source_seen_outside(family) == first
        if case.private:
            held = wait_for(lambda: _private(site, mode), "private addresses of both families") or []
            assert case.private == "dhcp" or held == mode.private
            for address in held:
                wait_for(lambda: site.pings(address), f"the private address {address} answers")  # noqa: B023
            assert [site.guest.source_seen_outside(family) for family in (4, 6)] == mode.addresses[::5]
    finally:
        site.guest.unplug()
        site.guest.sh(CLEAN, check=False)


def test_netplan_understands_the_match_by_mac_address(site: Site) -> None:
    printed = site.host.nethook("guest-config", NETWORKS["nat"].asked_for[0], "--mac", MAC).stdout
    site.guest.write("/etc/netplan/60-nethook.yaml", printed, 0o600)
    assert f"MACAddress={MAC}\n" in site.guest.sh("netplan generate; cat /run/systemd/network/10-netplan-*.network")
    site.guest.sh(CLEAN, check=False)


def test_the_nic_of_a_guest_is_told_by_its_mac_address(site: Site) -> None:
    mode = NETWORKS["nat"]
    site.host.guest("web1", network="nat", addresses=[], mac=MAC)  # never started: libvirt knows it all the same
    asked = ["guest-config", "--format", "networkd", mode.asked_for[0]]
    printed = site.host.nethook(*asked, "web1")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert f"[Match]\nMACAddress={MAC}\nType=ether\n" in printed.stdout
    site.host.write(FILE, f"{mode.asked_for[0]} nat guest=web1\n{NETWORKS['route'].asked_for[0]} route\n")
    assert [site.host.nethook(*words).stdout for words in (asked, [*asked[:3], "web1"])] == [printed.stdout] * 2
    for words, said in (
        (["web2", NETWORKS["route"].asked_for[0]], "libvirt has no guest web2: did you mean web1?"),
        (["web1", NETWORKS["route"].asked_for[0]], "guest web1 has no NIC on network route; its networks: nat"),
        ([mode.asked_for[0], "--private", "192.168.102.2"], "192.168.102.2 is in no subnet of network nat"),
        ([mode.asked_for[0], "--private", "192.168.101.1"], "192.168.101.1 is the host's own address on network nat"),
        ([mode.asked_for[0], "--private", "dhcp", "--format", "alpine"], "alpine cannot combine DHCP"),
    ):
        refused = site.host.nethook("guest-config", *words)
        assert (refused.returncode, refused.stdout) == (2, ""), words
        assert said in refused.stderr


def test_without_gateways_the_networks_own_addresses_are_used(site: Site) -> None:
    site.host.write("/etc/nethook/nethook.conf", "gateway4 = none\ngateway6 = none\n")
    site.host.write(FILE, "203.0.113.11 nat\n2001:db8:7::11 nat\n203.0.113.15 bare\n")
    printed = site.host.nethook("guest-config", "--format", "networkd", "203.0.113.11", "2001:db8:7::11").stdout
    assert "Gateway=192.168.101.1\n" in printed
    assert "Gateway=2001:db8:1001::1\n" in printed
    refused = site.host.nethook("guest-config", "203.0.113.15")
    assert refused.returncode == 2
    assert "guests have no IPv4 gateway: nethook.conf has gateway4 = none" in refused.stderr


def _private(site: Site, mode: Mode) -> list[str] | None:
    """The guest's own addresses in the network's subnets, when it has one of each family."""
    own = (f"192.168.{100 + mode.number}.", f"2001:db8:100{mode.number}:")
    listed = site.guest.sh(f"ip -brief address show {NIC}").split()
    held = [address.partition("/")[0] for start in own for address in listed if address.startswith(start)]
    return held if len({":" in address for address in held}) == 2 else None
