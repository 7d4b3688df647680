"""Guests as their images ship, with an address by DHCP; then with what ``nethook guest-config`` prints, and no more.

Debian's packages of two suites configure the network here, with the files of each image. Packages of Ubuntu and Fedora
are not to be had, so theirs are what cloud-init, the same program there, writes for them without a ``network-config``,
and what Fedora's installer writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.hosts.debian_guest import NIC, DebianGuest, Image
from lab.hosts.lab import Lab
from lab.hosts.systemd_host import SystemdHost
from lab.hosts.wan import CLIENT
from lab.processes import run
from lab.waiting import wait_for
from nethook.guest_config import ifupdown
from tests.hosts.guest_networks import MAC, NETWORKS, configured_host

pytestmark = pytest.mark.hosts

MODE = NETWORKS["nat"]
BRIDGE = f"br-{MODE.name}"
OF_DHCP = f"192.168.{100 + MODE.number}.1"
NETWORKING, NETWORKMANAGER, NETWORKD = "networking.service", "NetworkManager.service", "systemd-networkd.service"

# What the installer of Debian 12 and 13 writes, with the part for a network that announces an IPv6 prefix.
INSTALLED = f"""\
# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

source /etc/network/interfaces.d/*

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
allow-hotplug {NIC}
iface {NIC} inet dhcp
# This is an autoconfigured IPv6 interface
iface {NIC} inet6 auto
"""
# /etc/netplan/90-default.yaml of Debian's cloud images, 12 and 13.
DEFAULT_YAML = "network:\n    version: 2\n    ethernets:\n" + "".join(
    f"        all-{start}:\n            match:\n                name: {start}*\n"
    "            dhcp4: true\n            dhcp4-overrides:\n                use-domains: true\n"
    "            dhcp6: true\n            dhcp6-overrides:\n                use-domains: true\n"
    for start in ("en", "eth")
)
# What Fedora's installer writes.
KEYFILE = f"""\
[connection]
id={NIC}
uuid=3d2f1f53-9a0c-3f1f-8b0e-1a2b3c4d5e6f
type=ethernet
autoconnect-priority=-999
interface-name={NIC}

[ethernet]

[ipv4]
method=auto

[ipv6]
addr-gen-mode=eui64
method=auto

[proxy]
"""
# Debian's NetworkManager leaves veth devices alone.
MANAGED = {"/etc/NetworkManager/conf.d/nic.conf": f"[device-nic]\nmatch-device=interface-name:{NIC}\nmanaged=1\n"}
SEED = "/var/lib/cloud/seed/nocloud"


class Shipped(NamedTuple):
    """``format`` is what its users ask for; ``first`` runs at its first boot, as cloud-init does."""

    name: str
    format: str
    image: Image
    first: str = "true"


def _of_cloud_init(renderer: str, files: dict[str, str], suite: str, *services: str) -> Image:
    """An image whose cloud-init configures the network itself, because its seed does not say how."""
    network = f"system_info: {{network: {{renderers: [{renderer}], activators: [{renderer}]}}}}\n"
    seed = {f"{SEED}/meta-data": "instance-id: first\n", f"{SEED}/user-data": ""}
    return Image(
        suite,
        {**files, **seed, "/etc/cloud/cloud.cfg.d/99-test.cfg": f"datasource_list: [NoCloud]\n{network}"},
        services,
    )


CLOUD = {"/etc/netplan/90-default.yaml": DEFAULT_YAML}
# netplan matches the permanent MAC address, which a veth does not have.
BY_NAME = f"sed -i 's/macaddress: .*/name: {NIC}/' /etc/netplan/50-cloud-init.yaml"
LOCAL = "cloud-init init --local"
IMAGES = [
    *(
        shipped
        for suite in ("bookworm", "trixie")
        for shipped in (
            Shipped(
                f"installer-{suite}",
                "debian",
                Image(suite, {"/etc/network/interfaces": INSTALLED}, [NETWORKING]),
                f"ifup --allow=hotplug {NIC}",  # as udev does where systemd sees devices, which it does not here
            ),
            Shipped(f"cloud-{suite}", "debian-cloud", Image(suite, CLOUD, [NETWORKD])),
        )
    ),
    Shipped(
        "cloud-init", "ubuntu", _of_cloud_init("netplan", {}, "trixie", NETWORKD), f"{LOCAL}; {BY_NAME}; netplan apply"
    ),
    Shipped(
        "fedora",
        "fedora",
        Image(
            "trixie", {**MANAGED, "/etc/NetworkManager/system-connections/eth0.nmconnection": KEYFILE}, [NETWORKMANAGER]
        ),
    ),
    Shipped(
        "fedora-cloud",
        "fedora",
        _of_cloud_init("network-manager", MANAGED, "bookworm", NETWORKMANAGER),
        f"{LOCAL}; nmcli connection reload; nmcli connection up 'cloud-init {NIC}'",
    ),
]


class Site(NamedTuple):
    lab: Lab
    host: SystemdHost


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        yield Site(lab, configured_host(lab))


@pytest.mark.parametrize("shipped", IMAGES, ids=[shipped.name for shipped in IMAGES])
def test_what_is_printed_is_all_that_has_to_be_done(site: Site, shipped: Shipped) -> None:
    guest = site.lab.guest_of(shipped.image, shipped.name)
    guest.plug(site.host, BRIDGE, MAC)
    guest.boot()
    try:
        guest.sh(shipped.first)
        wait_for(lambda: OF_DHCP in _addresses(guest), "it has an address by DHCP", 60)
        assert not site.lab.wan.http(MODE.addresses[0], timeout=1)
        asked = ["guest-config", "--format", shipped.format, *MODE.asked_for, "--interface", NIC]
        printed = site.host.run(["nethook", *asked]).stdout
        path, commands = instructions(printed)
        guest.write(path, printed, 0o600)
        guest.sh(f"set -e; {commands}")
        _is_reachable(site, guest)
        guest.reboot(site.host, BRIDGE, MAC)
        _is_reachable(site, guest)
    finally:
        guest.shut_down()


def instructions(printed: str) -> tuple[str, str]:
    """The path of the file, and the commands, as the comment at the beginning tells them to people."""
    path = printed.split()[1].rstrip(";,")
    commands = re.search(r"(?m)^#.*\bthen(?: \(.*\))?:(?:\n#)? *(.*)$", printed)
    assert commands, printed
    return path, commands[1]


def _addresses(guest: DebianGuest) -> str:
    return guest.sh(f"ip -brief address show {NIC}")


def _is_reachable(site: Site, guest: DebianGuest) -> None:
    for address in MODE.addresses:
        family = 6 if ":" in address else 4
        seen = CLIENT.of_family(family)
        assert wait_for(lambda: site.lab.wan.fetch(address, timeout=1), f"{address} answers", 60) == seen  # noqa: B023
    assert [guest.source_seen_outside(family) for family in (4, 6)] == MODE.addresses[::5]
    assert OF_DHCP not in _addresses(guest)


WITH_OTHERS = """\
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

# The primary network interface
allow-hotplug eth0
iface eth0 inet static
\taddress 192.0.2.2/24
\tgateway 192.0.2.1
iface eth0 inet6 auto

auto eth01
iface eth01 inet dhcp
"""


def test_the_command_for_an_installed_debian_spares_other_nics(tmp_path: Path) -> None:
    file = tmp_path / "interfaces"
    file.write_text(WITH_OTHERS)
    command = ifupdown._comment_out("eth0").replace(ifupdown.INSTALLED, str(file))
    for _ in range(2):  # a second time it changes nothing
        run(["sh", "-ec", command])
        left = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        assert left == [line for line in WITH_OTHERS.splitlines() if line and not re.search(r"eth0\b|^#|^\t", line)]
