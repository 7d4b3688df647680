"""Reachable by design: guests that know nothing but the gateways, on every kind of network, from a client outside."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts.lab import Lab
from lab.hosts.network import HostNetwork
from lab.waiting import wait_for

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

FILE = "/etc/default/routed-ips"
HOSTS = {"libvirt 9.0": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
GATEWAYS = ("169.254.0.1", "fe80::1")


class Kind(NamedTuple):
    """A network of each kind; without an IPv6 <ip>, libvirt turns IPv6 off on its bridge."""

    name: str
    mode: str | None
    own: tuple[str, ...]
    ipv4: str
    ipv6: str


KINDS = (
    Kind("nat", "nat", ("192.168.51.1/24",), "203.0.113.11", "2001:db8:7::11"),
    Kind("route", "route", ("192.168.52.1/24", "fd00:52::1/64"), "203.0.113.12", "2001:db8:7::12"),
    Kind("open", "open", ("192.168.53.1/24",), "203.0.113.13", "2001:db8:7::13"),
    Kind("isolated", None, ("192.168.54.1/24", "fd00:54::1/64"), "203.0.113.14", "2001:db8:7::14"),
    Kind("bare", None, (), "203.0.113.15", "2001:db8:7::15"),
)
ON_LINK = ("198.51.100.100", "2001:db8:100::100")
"""In the subnets of the uplink; the provider asks for them there."""
DOWN = ("203.0.113.99", "2001:db8:7::99")
OWN = "203.0.113.64/28"
IN_OWN_FIRST, IN_OWN = "203.0.113.65", "203.0.113.78"
"""The last but one of that block: the last is the broadcast address of the bridge."""
LINES = [
    *(f"{address} {kind.name}" for kind in KINDS for address in (kind.ipv4, kind.ipv6)),
    *(f"{address} nat proxy=uplink0" for address in ON_LINK),
    *(f"{address} never-started" for address in DOWN),
    f"{OWN} own",
]


class Bench(NamedTuple):
    lab: Lab
    host: SystemdHost
    guests: dict[str, Guest]


@pytest.fixture(scope="module", params=HOSTS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A host with a guest on each network that has its public addresses and nothing else."""
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        for prefix in ("203.0.113.0/24", "2001:db8:7::/64"):
            lab.wan.deliver(prefix, host)
        host.write(FILE, "\n".join(LINES) + "\n")
        guests = {}
        for kind in KINDS:
            host.network(kind.name, mode=kind.mode, addresses=kind.own)
            host.virsh("net-autostart", kind.name)
            addresses = [f"{kind.ipv4}/32", f"{kind.ipv6}/128"]
            if kind.name == "nat":
                addresses += [f"{ON_LINK[0]}/32", f"{ON_LINK[1]}/128"]
            guests[kind.name] = host.guest(kind.name, network=kind.name, addresses=addresses, gateways=GATEWAYS)
            host.virsh("autostart", kind.name)
        for name, own in (("never-started", "192.168.59.1/24"), ("own", f"{IN_OWN_FIRST}/28")):
            host.network(name, mode="route", bridge=f"br-{name[:5]}", addresses=[own]).stop()
        host.install()
        host.run(["nethook", "install", "--enable-forwarding"])
        with ThreadPoolExecutor(len(guests)) as pool:
            list(pool.map(lambda guest: guest.start(), guests.values()))
        yield Bench(lab, host, guests)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_reached_from_outside_and_reaching_it(bench: Bench, kind: Kind) -> None:
    for address in (kind.ipv4, kind.ipv6):
        assert (bench.lab.wan.fetch(address) or "").startswith(f"{kind.name} "), address
        url = f"http://[{bench.lab.wan.client.ipv6}]/" if ":" in address else f"http://{bench.lab.wan.client.ipv4}/"
        assert bench.guests[kind.name].fetch(url, source=address) == address


def test_on_the_providers_link(bench: Bench) -> None:
    for address in ON_LINK:
        assert (bench.lab.wan.fetch(address) or "").startswith("nat "), address
    bench.guests["nat"].stop()
    bench.host.virsh("net-destroy", "nat")
    for family in ("-4", "-6"):
        assert bench.host.run(["ip", family, "neigh", "show", "proxy"]).stdout == ""
    bench.host.virsh("net-start", "nat")
    bench.guests["nat"].start()
    for address in ON_LINK:
        assert bench.lab.wan.http(address)


@pytest.mark.parametrize("address", DOWN)
def test_a_down_address_is_answered_with_one_error(bench: Bench, address: str) -> None:
    pinged = bench.lab.wan.namespace.run(["ping", "-c", "1", "-W", "3", address], check=False).stdout
    assert "+1 errors" in pinged, pinged
    assert "unreachable" in pinged.lower()


def test_a_network_whose_subnet_is_a_configured_prefix_starts(bench: Bench) -> None:
    assert "unreachable" in bench.host.run(["ip", "route", "show", "table", "218000", "exact", OWN]).stdout
    network = HostNetwork(bench.host, "own")
    network.start()
    guest = bench.host.guest("own", network="own", addresses=[f"{IN_OWN}/32"], gateways=[IN_OWN_FIRST])
    guest.start()
    assert (bench.lab.wan.fetch(IN_OWN) or "").startswith("own ")
    for change in (network.stop, network.start):
        change()
        assert bench.host.nethook("apply").returncode == 0
        assert "unreachable" not in bench.host.run(["ip", "route", "show", "exact", OWN]).stdout
    guest.stop()
    network.stop()
    bench.host.virsh("net-undefine", "own")


def test_nothing_is_wrong_by_our_own_account(bench: Bench) -> None:
    bench.host.nethook("apply")
    applied = bench.host.nethook("apply")
    assert "nothing to do" in applied.stderr, applied
    addresses = [address for kind in KINDS for address in (kind.ipv4, kind.ipv6)]
    diagnosed = bench.host.nethook("doctor", *addresses)
    assert diagnosed.returncode == 0, diagnosed.stdout


def test_a_reboot_keeps_it(bench: Bench) -> None:
    for guest in bench.host.guests:
        guest.hang_up()
    bench.host.reboot()
    for kind in KINDS:
        for address in (kind.ipv4, kind.ipv6):
            wait_for(lambda: bench.lab.wan.http(address), f"{address} answers", 90)  # noqa: B023
    for address in ON_LINK:
        assert bench.lab.wan.http(address)


def test_cleared_the_host_is_as_before(bench: Bench) -> None:
    assert bench.host.nethook("clear", "--yes").returncode == 0
    for family in ("-4", "-6"):
        assert bench.host.run(["ip", family, "route", "show", "proto", "218"]).stdout == ""
        assert bench.host.run(["ip", family, "neigh", "show", "proxy"]).stdout == ""
    assert not [gateway for gateway in GATEWAYS if f" {gateway}/" in bench.host.run(["ip", "address"]).stdout]
    assert "nethook" not in bench.host.run(["nft", "list", "tables"]).stdout
    for kind in KINDS:
        has_ipv6 = any(":" in address for address in kind.own)
        value = bench.host.read(f"/proc/sys/net/ipv6/conf/br-{kind.name}/disable_ipv6").strip()
        assert value == ("0" if has_ipv6 else "1")
