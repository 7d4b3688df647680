"""firewalld on booted hosts: routed IPs answer whatever it does, and nothing else does because of us.

A network in each kind of zone: libvirt's two, one of the admin's that rejects what is forwarded, and none. The tests
are the stations of the host's life, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts import program
from lab.hosts.lab import Lab
from lab.hosts.wan import CLIENT, UPLINK
from lab.waiting import WaitError, wait_for
from tests.hosts.site import at_once

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

FILE = "/etc/default/routed-ips"
HOSTS = {"libvirt 9.0": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
LATER = "203.0.113.60"


class Zone(NamedTuple):
    """A network, its forward mode, its zone ('' leaves it to libvirt), and the addresses of its guest."""

    network: str
    number: int
    mode: str
    zone: str = ""

    @property
    def routed(self) -> list[str]:
        return [f"203.0.113.{10 + self.number}", f"2001:db8:7:{self.number}::5"]

    @property
    def lines(self) -> list[str]:
        return [f"{self.routed[0]} {self.network}", f"2001:db8:7:{self.number}::/64 {self.network}"]

    @property
    def unconfigured(self) -> list[str]:
        return [f"203.0.113.{50 + self.number}", f"2001:db8:7:ff::{self.number}"]

    @property
    def private(self) -> str:
        return f"192.168.{100 + self.number}.2"

    @property
    def xml(self) -> str:
        zone = f" zone='{self.zone}'" if self.zone else ""
        return f"""<network><name>{self.network}</name><forward mode='{self.mode}'/>
            <bridge name='br-{self.network}'{zone} stp='off' delay='0'/>
            <ip address='192.168.{100 + self.number}.1' prefix='24'/>
            <ip family='ipv6' address='fd00:{self.number}::1' prefix='64'/></network>"""


ZONES = [
    Zone("nat", 1, "nat"),
    Zone("route", 2, "route"),
    Zone("custom", 3, "route", "guests"),
    Zone("none", 4, "open"),
]


WITHOUT_GUESTS = {
    name: f"""<network><name>{name}</name><forward mode='route'/><bridge name='br-{name}' stp='off' delay='0'/>
        <ip address='192.168.{number}.1' prefix='24'/></network>"""
    for name, number in (("more", 121), ("evenmore", 122))
}
"""Networks in the zone that two policies of libvirt's are about, which puts rules of firewalld 2.3 out of order."""

ZONE_OF = {
    "br-nat": "libvirt",
    "br-route": "libvirt-routed",
    "br-custom": "guests",
    **{f"br-{name}": "libvirt-routed" for name in WITHOUT_GUESTS},
}
"""Where libvirt puts its bridges; that of the open network in none."""


class Site:
    def __init__(self, lab: Lab, host: SystemdHost) -> None:
        self.lab = lab
        self.host = host
        self.guests: dict[Zone, Guest] = {}

    def set_up(self) -> None:
        """firewalld as an admin has it, networks and guests, all of which start at boot."""
        self.deliver()
        self.host.run(["firewall-offline-cmd", "--new-zone=guests"])
        self.host.run(["firewall-offline-cmd", "--zone=public", f"--add-interface={UPLINK}"])
        self.host.start_firewalld()
        for zone in ZONES:
            self.host.network(zone.network, zone.xml)
            self.host.virsh("net-autostart", zone.network)
            addresses = [*zone.routed, *zone.unconfigured, *([LATER] if zone.network == "nat" else [])]
            self.guests[zone] = self.host.guest(
                zone.network,
                network=zone.network,
                addresses=[
                    f"{zone.private}/24",
                    f"fd00:{zone.number}::2/64",
                    *(f"{address}/{128 if ':' in address else 32}" for address in addresses),
                ],
                gateways=[f"192.168.{100 + zone.number}.1", f"fd00:{zone.number}::1"],
            )
            self.host.virsh("autostart", zone.network)
        for name, xml in WITHOUT_GUESTS.items():
            self.host.network(name, xml)
            self.host.virsh("net-autostart", name)
        at_once([guest.start for guest in self.guests.values()])
        self.host.write(FILE, "".join(f"{line}\n" for zone in ZONES for line in zone.lines))

    def deliver(self) -> None:
        for prefix in ("203.0.113.0/24", "2001:db8:7::/48"):
            self.lab.wan.deliver(prefix, self.host)

    def closed(self) -> list[str]:
        """Routed IPs that do not answer, or do not reach the outside."""
        with ThreadPoolExecutor(len(ZONES)) as pool:
            return [sentence for found in pool.map(self._closed, ZONES) for sentence in found]

    def _closed(self, zone: Zone) -> list[str]:
        found = []
        for address in zone.routed:
            if not self.lab.wan.http(address, timeout=2):
                found.append(f"{zone.network}: {address} does not answer")
            client = CLIENT.of_family(6 if ":" in address else 4)
            url = f"http://[{client}]/" if ":" in client else f"http://{client}/"
            if self.guests[zone].fetch(url, source=address, timeout=2) != address:
                found.append(f"{zone.network}: {address} does not get out")
        return found

    def open(self) -> list[str]:
        """Unconfigured addresses that answer."""
        return self.lab.wan.answering([address for zone in ZONES for address in zone.unconfigured])

    def is_as_it_should_be(self, timeout: float = 60) -> None:
        wait_for(lambda: not self.closed(), "all routed IPs answer and get out", timeout)
        assert self.open() == []

    def zones(self) -> dict[str, str]:
        """The zone that firewalld has each bridge in."""
        found = {}
        zone = ""
        for line in self.host.run(["firewall-cmd", "--get-active-zones"]).stdout.splitlines():
            kind, _, names = line.strip().partition(": ")
            if not line.startswith(" "):
                zone = line.split()[0]
            elif kind == "interfaces":
                found.update({name: zone for name in names.split() if name.startswith("br-")})
        return found

    def settles(self) -> None:
        """After a reload libvirt puts its bridges into their zones one by one.

        Where firewalld has emptied iptables, all pass until libvirt has written its rules, and the gate comes then.
        """
        wait_for(lambda: self.zones() == ZONE_OF, "libvirt has put its bridges into their zones", 90)
        wait_for(lambda: self.host.nethook("plan").returncode == 0, "all is in force")

    def firewalld(self) -> str:
        """What firewalld has, permanently and at run time; sorted, because libvirt's order at a reload is chance."""
        commands = (
            "find /etc/firewalld -type f ! -name '*.old' | sort | xargs tail -n +1",
            "firewall-cmd --get-policies; firewall-cmd --get-ipsets; firewall-cmd --list-all-zones",
            "nft list table inet firewalld",
        )
        return "\n".join(sorted(self.host.run(["sh", "-c", "; ".join(commands)]).stdout.splitlines()))


@pytest.fixture(scope="module", params=HOSTS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        site = Site(lab, lab.host(suite, firewall_backend=backend))
        program.put(site.host)
        site.set_up()
        yield site


@pytest.fixture(scope="module")
def before(site: Site) -> str:
    """firewalld before anything was installed."""
    site.host.run(["firewall-cmd", "--reload"])
    found: list[str] = []

    def is_settled() -> bool:  # libvirt puts its bridges into their zones one by one
        found.append(site.firewalld())
        return site.zones() == ZONE_OF and found[-2:] == [found[-1]] * 2

    wait_for(is_settled, "libvirt has put its bridges into their zones", 90)
    return found[-1]


def test_installing_opens_the_gate(site: Site, before: str) -> None:
    assert "nethook" not in before
    assert len(site.closed()) > 8
    applied = site.host.nethook("apply")
    assert applied.returncode == 1
    assert "the gate in firewalld is missing, run nethook install" in applied.stderr
    assert "by firewalld, its gate is missing, run nethook install" in site.host.nethook("status").stdout
    installed = site.host.nethook("install")
    assert installed.returncode == 0, installed.stderr
    assert "+ /etc/firewalld/policies/00-nethook.xml\nreloaded firewalld\n" in installed.stdout
    site.is_as_it_should_be()
    assert "  firewalld: open\n" in site.host.nethook("status").stdout
    assert site.host.nethook("plan").returncode == 0
    assert site.host.nethook("install").stdout == "everything is already in place\n"


def test_a_routed_ip_reaches_no_private_address_that_firewalld_protects(site: Site) -> None:
    custom, none = ZONES[2:]  # libvirt does not filter what the one sends, and lets the other's subnet be reached
    assert site.guests[none].fetch(f"http://{custom.routed[0]}/", source=none.routed[0]) is not None
    assert site.guests[none].fetch(f"http://{custom.private}/", source=none.routed[0], timeout=2) is None
    url = f"http://[fd00:{custom.number}::2]/"
    assert site.guests[none].fetch(url, source=none.routed[1], timeout=2) is None


@pytest.mark.parametrize("command", ["firewall-cmd --reload", "systemctl restart firewalld"])
def test_reload_and_restart_need_nothing_from_us(site: Site, command: str) -> None:
    site.host.run(command.split())
    site.settles()
    site.is_as_it_should_be()


def test_boot_needs_nothing_from_us(site: Site) -> None:
    for guest in site.guests.values():
        guest.hang_up()
    site.host.reboot()
    for zone in ZONES:
        wait_for(lambda: site.lab.wan.http(zone.routed[0], timeout=1), f"{zone.network} answers", 90)  # noqa: B023
    site.settles()
    site.is_as_it_should_be()
    assert site.host.run(["systemctl", "show", "--value", "--property=ActiveState", "nethook"]).stdout == "active\n"
    # Otherwise it is chance whether libvirt starts the network that has a zone in its XML.
    assert _when(site, "firewalld", "ActiveEnter") < _when(site, "libvirtd", "InactiveExit")


def _when(site: Site, unit: str, event: str) -> int:
    """Microseconds after the start of the machine, by systemd."""
    show = ["systemctl", "show", "--value", f"--property={event}TimestampMonotonic", unit]
    return int(site.host.run(show).stdout)


def test_a_new_line_is_let_pass_with_the_next_event(site: Site) -> None:
    text = site.host.read(FILE)
    site.host.write(FILE, f"{text}{LATER} nat\n")
    guest = site.guests[ZONES[0]]
    guest.stop()
    guest.start()
    assert site.lab.wan.http(LATER)
    _reload(site)
    assert wait_for(lambda: site.lab.wan.http(LATER), "it answers after a reload")
    site.host.write(FILE, text)
    site.host.nethook("apply")
    log = site.host.syslog("nethook")
    for where in ("firewalld", "firewalld's files"):
        assert f"- gate in {where} for {LATER} [" in log  # by apply, or by the service: the files are as applied before
    assert not site.lab.wan.http(LATER)
    assert LATER not in site.firewalld()
    assert site.open() == []


def test_entries_that_somebody_took_are_brought_back(site: Site) -> None:
    site.host.run(["systemctl", "stop", "nethook"])
    address = ZONES[0].routed[0]
    site.host.run(["firewall-cmd", "--ipset=nethook4", f"--remove-entry={address}"])
    status = site.host.nethook("status", address)
    assert (status.returncode, "by firewalld, its gate is not open for it; run nethook apply" in status.stdout) == (
        1,
        True,
    )
    assert not site.lab.wan.http(address)
    site.host.run(["systemctl", "start", "nethook"])  # which may do less than root at a prompt
    assert f"+ gate in firewalld for {address} [watch: the service has started]" in site.host.syslog("nethook")
    site.is_as_it_should_be()


@pytest.mark.parametrize(("name", "priority"), [("admins", ["--set-priority", "-10"]), ("zzz", [])])
def test_what_a_policy_of_an_admin_drops_stays_dropped(site: Site, name: str, priority: list[str]) -> None:
    address, other = ZONES[0].routed[0], ZONES[1].routed[0]
    with _policy(site, name, priority, f"destination address={address} port port=80 protocol=tcp drop"):
        site.settles()
        wait_for(lambda: site.lab.wan.http(other), "what it is not about answers")
        assert not site.lab.wan.http(address)
        assert site.lab.wan.ping(address)
    site.is_as_it_should_be()


@contextmanager
def _policy(site: Site, name: str, settings: list[str], rule: str) -> Iterator[None]:
    """A policy for everything, in force and gone again."""
    try:
        site.host.run(["firewall-cmd", "--permanent", "--new-policy", name])
        for change in (
            ["--set-target", "CONTINUE"],
            ["--add-ingress-zone", "ANY"],
            ["--add-egress-zone", "ANY"],
            ["--add-rich-rule", f"rule family=ipv4 {rule}"],
            *([settings] if settings else []),
        ):
            site.host.run(["firewall-cmd", "--permanent", "--policy", name, *change])
        _reload(site)
        yield
    finally:
        site.host.run(["firewall-cmd", "--permanent", "--delete-policy", name], check=False)
        site.host.run(["rm", "-f", f"/etc/firewalld/policies/{name}.xml.old"])
        _reload(site)


def _reload(site: Site) -> None:
    site.host.run(["firewall-cmd", "--reload"])


def test_with_the_iptables_backend_of_firewalld(site: Site) -> None:
    _use_backend(site, "iptables")
    try:
        site.is_as_it_should_be()
    finally:
        _use_backend(site, "nftables")
    site.is_as_it_should_be()


def _use_backend(site: Site, backend: str) -> None:
    site.host.run(["sed", "-i", f"s/^FirewallBackend=.*/FirewallBackend={backend}/", "/etc/firewalld/firewalld.conf"])
    site.host.run(["systemctl", "restart", "firewalld"])


def test_cleared_and_uninstalled_firewalld_is_as_before(site: Site, before: str) -> None:
    cleared = site.host.nethook("clear", "--yes")
    assert "- gate in firewalld for " in cleared.stdout
    assert "- gate in firewalld's files for " in cleared.stdout
    assert "203.0.113" not in site.firewalld()
    removed = site.host.nethook("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert "reloaded firewalld\n" in removed.stdout
    assert site.host.run(["find", "/etc/firewalld", "-name", "*nethook*"]).stdout == ""
    with suppress(WaitError):
        wait_for(lambda: site.firewalld() == before, "firewalld is as it was")
    assert site.firewalld().splitlines() == before.splitlines()
