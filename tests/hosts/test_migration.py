"""A guest that moves to another host while it runs: its addresses go along, and nobody does anything for it.

From libvirt 9.0 with iptables to 11.3 with nftables, as people do who renew their hosts, and back. The machine that the
guest has is the newest that QEMU of the older host knows.

How long the client hears nothing is printed (pytest -s) and written to test-logs/migration.txt, beside what it takes by
itself: where the provider knows the moment at which the guest goes on. It is no condition, because machines differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts.flow import silence
from lab.hosts.lab import Lab
from tests.hosts.announcing import announcing
from tests.hosts.lost_guests import unless_lost
from tests.hosts.resumed import delivered_when_resumed

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

LOGS = Path(__file__).parents[2] / "test-logs"
FILE = "/etc/sysconfig/routed-ips"
BRIDGE = "br-public"
SINGLE = ["203.0.113.10", "2001:db8:7::10"]
PREFIX, MEMBER = "2001:db8:7:1::/64", "2001:db8:7:1::5"
ROUTED, USED = [*SINGLE, PREFIX], [*SINGLE, MEMBER]
GATEWAYS = ["169.254.0.1", "fe80::1"]

# The same on both hosts, the MAC address as well: the guest goes on sending to the gateway that it knows. There is no
# IPv6 <ip>, so the bridge has IPv6 only while an IPv6 line is in force there.
MAC = "52:54:00:00:00:01"
NETWORK = f"""<network><name>public</name><forward mode='nat'/><bridge name='{BRIDGE}' stp='off' delay='0'/>
    <mac address='{MAC}'/><ip address='192.168.50.1' prefix='24'/></network>"""
GUEST_MAC = "52:54:00:00:00:10"


class Site(NamedTuple):
    lab: Lab
    hosts: tuple[SystemdHost, SystemdHost]
    guest: Guest
    rows: list[str]

    def configure(self, options: str = "") -> None:
        """Have the guest's lines in force on both hosts."""
        for host in self.hosts:
            host.write(FILE, "".join(f"{prefix} public {options}\n" for prefix in ROUTED))
            applied = host.nethook("apply")
            assert applied.returncode == 0, applied.stderr

    def move(self, how: str, source: SystemdHost, target: SystemdHost) -> None:
        """Migrate the guest while a client pings it, until that has answers again, and note what it missed."""
        with ExitStack() as stack:
            heard = [stack.enter_context(silence(self.lab.wan, address)) for address in USED]
            self.guest.migrate(target)
        job = source.virsh("domjobinfo", "--completed", "--domain", self.guest.name)
        downtime = re.search(r"(?:Total d|D)owntime: +(\d+) +ms", job)
        assert downtime, job
        missed = ", ".join(f"{prefix} {1000 * each.longest:.0f}" for prefix, each in zip(ROUTED, heard))
        row = f"{how}, to {target.name}: ms without an answer: {missed}; {downtime[1]} of QEMU itself"
        print(row)
        self.rows.append(row)
        self.works()

    def works(self) -> None:
        """From outside and to the outside, by the gateways that are the same everywhere."""
        client = self.lab.wan.client
        for address in USED:
            own = client.of_family(6 if ":" in address else 4)
            assert self.lab.wan.fetch(address) == f"{self.guest.name} {own}"
            assert self.guest.fetch(f"http://[{own}]/" if ":" in own else f"http://{own}/", source=address) == address
        known = dict(re.findall(r"^(\S+) .*lladdr (\S+)", self.guest.run("ip neigh"), re.MULTILINE))
        assert [known.get(gateway) for gateway in GATEWAYS] == [MAC, MAC]

    def held(self, host: SystemdHost) -> list[list[str]]:
        """What the host has of the guest: the prefixes that are routed, those bound to its NIC, the pinned ones."""
        listings = [
            "".join(host.run(["ip", family, "route", "show", "dev", BRIDGE]).stdout for family in ("-4", "-6")),
            host.run(["nft", "list", "table", "bridge", "nethook"], check=False).stdout,
            host.run(["ip", "neigh", "show", "nud", "permanent", "dev", BRIDGE]).stdout,
        ]
        patterns = [r"^(\S+)", rf"{GUEST_MAC} \. ([^\s,]+)", rf"^(\S+) .*{GUEST_MAC}"]
        found = [re.findall(pattern, listing, re.MULTILINE) for pattern, listing in zip(patterns, listings)]
        return [[prefix for prefix in ROUTED if prefix in each] for each in found]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        hosts = (
            lab.host("bookworm", "alpha"),
            lab.host("trixie", "beta", firewall_backend="nftables"),
        )
        for host in hosts:
            host.install()
            host.run(["nethook", "install", "--enable-forwarding"])  # libvirt does that for IPv4 alone here
            host.listen()
            host.network("public", NETWORK)
        addresses = [f"{address}/{128 if ':' in address else 32}" for address in USED]
        guest = hosts[0].guest("web1", network="public", addresses=addresses, gateways=GATEWAYS, mac=GUEST_MAC)
        guest.start()
        site = Site(lab, hosts, guest, [])
        yield site
        LOGS.mkdir(exist_ok=True)
        (LOGS / "migration.txt").write_text("".join(f"{row}\n" for row in site.rows))


def test_what_it_takes_by_itself(site: Site) -> None:
    alpha, beta = site.hosts
    site.configure()

    def there_and_back() -> None:
        for source, target in ((alpha, beta), (beta, alpha)):
            for prefix in ROUTED:
                site.lab.wan.deliver(prefix, source)
            with delivered_when_resumed(site.lab.wan, target, ROUTED):
                site.move("delivered when it goes on", source, target)

    unless_lost(there_and_back, site.guest, alpha, lambda: None)
    assert [site.held(host) for host in site.hosts] == [[ROUTED, [], []]] * 2


def test_the_addresses_follow_their_guest(site: Site) -> None:
    alpha, beta = site.hosts
    site.configure("guest=web1")
    everything: list[list[str]] = [ROUTED, ROUTED, SINGLE]
    nothing: list[list[str]] = [[], [], []]
    assert [site.held(host) for host in site.hosts] == [everything, nothing]
    with announcing(site.lab.wan, site.hosts, ROUTED) as provider:

        def there_and_back() -> None:
            for source, target in ((alpha, beta), (beta, alpha)):
                provider.note(f"migration to {target.name}")
                site.move("announced by who has the route", source, target)
                assert [site.held(host) for host in (target, source)] == [everything, nothing]

        site.works()
        unless_lost(there_and_back, site.guest, alpha, site.works)
    site.rows.extend(provider.log)
