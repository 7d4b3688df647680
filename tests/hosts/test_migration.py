"""A guest that moves to another host while it runs: its address goes along, and nobody does anything for it.

How long the client hears nothing is printed (pytest -s) and written to test-logs/migration.txt, beside what it takes by
itself: where the provider knows the moment at which the guest goes on. It is no condition, because machines differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.hosts.announcing import announcing
from tests.hosts.flow import silence
from tests.hosts.lab import Lab
from tests.hosts.resumed import delivered_when_resumed

if TYPE_CHECKING:
    from tests.hosts.guest import Guest
    from tests.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

LOGS = Path(__file__).parents[2] / "test-logs"
FILE = "/etc/sysconfig/routed-ips"
ADDRESS = "203.0.113.10"

# The same on both hosts, the MAC address as well: the guest goes on sending to the gateway that it knows.
NETWORK = """<network><name>public</name><forward mode='nat'/><bridge name='br-public' stp='off' delay='0'/>
    <mac address='52:54:00:00:00:01'/><ip address='192.168.50.1' prefix='24'/></network>"""


class Site(NamedTuple):
    lab: Lab
    hosts: tuple[SystemdHost, SystemdHost]
    guest: Guest
    rows: list[str]

    def configure(self, line: str) -> None:
        """Have the line in force on both hosts."""
        for host in self.hosts:
            host.write(FILE, f"{line}\n")
            applied = host.nethook("apply")
            assert applied.returncode == 0, applied.stderr

    def move(self, how: str, source: SystemdHost, target: SystemdHost) -> None:
        """Migrate the guest while a client pings it, until that has answers again, and note what it missed."""
        with silence(self.lab.wan, ADDRESS) as heard:
            self.guest.migrate(target)
        job = source.virsh("domjobinfo", "--completed", "--domain", self.guest.name)
        downtime = re.search(r"(?:Total d|D)owntime: +(\d+) +ms", job)
        assert downtime, job
        row = (
            f"{how}, to {target.name}: {1000 * heard.longest:.0f} ms without an answer, {downtime[1]} ms of QEMU itself"
        )
        print(row)
        self.rows.append(row)

    def routes(self) -> list[str]:
        """The names of the hosts that have a route to the guest."""
        return [
            host.name for host in self.hosts if "dev br-public" in host.run(["ip", "route", "show", ADDRESS]).stdout
        ]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        hosts = (
            lab.host("trixie", "alpha", firewall_backend="nftables"),
            lab.host("trixie", "beta", firewall_backend="nftables"),
        )
        for host in hosts:
            host.install()
            host.listen()
            host.network("public", NETWORK)
        guest = hosts[0].guest("web1", network="public", addresses=[f"{ADDRESS}/32"], gateways=["192.168.50.1"])
        guest.start()
        site = Site(lab, hosts, guest, [])
        yield site
        LOGS.mkdir(exist_ok=True)
        (LOGS / "migration.txt").write_text("".join(f"{row}\n" for row in site.rows))


def test_what_it_takes_by_itself(site: Site) -> None:
    alpha, beta = site.hosts
    site.configure(f"{ADDRESS} public")
    for source, target in ((alpha, beta), (beta, alpha)):
        site.lab.wan.deliver(f"{ADDRESS}/32", source)
        with delivered_when_resumed(site.lab.wan, target, ADDRESS):
            site.move("delivered when it goes on", source, target)
    assert site.routes() == ["alpha", "beta"]


def test_the_address_follows_its_guest(site: Site) -> None:
    alpha, beta = site.hosts
    site.configure(f"{ADDRESS} public guest=web1")
    assert site.routes() == ["alpha"]
    with announcing(site.lab.wan, site.hosts, ADDRESS) as provider:
        for source, target in ((alpha, beta), (beta, alpha)):
            provider.note(f"migration to {target.name}")
            site.move("announced by who has the route", source, target)
            assert site.routes() == [target.name]
    site.rows.extend(provider.log)
