"""Forwards beside Docker, other firewalls and the host's own connections, and while tables are made anew."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.firewalls import FIREWALLS
from lab.namespace import UnnamedNamespace
from lab.world.flow import UdpFlow, going_on
from lab.world.packets import Place
from lab.world.services import PING, TCP, UDP
from lab.world.world import HOST
from nethook.config.settings import MARK_BIT
from nethook.host import Host
from nethook.parts.classifying import Ruleset
from nethook.parts.forwards.ruleset import FAMILIES, layout
from tests.kernel.forwarding import (
    ADDRESSES,
    ANY,
    CLOSED,
    FREE,
    KEPT,
    OFF,
    RANGE,
    RANGE_OFF,
    ROUTE,
    WEB,
    Site,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.host.nftables import Elements

UFW = ("ufw-before-input", "ufw-before-forward")
FIREWALLD = (
    "ct state { established, related } accept",
    "ct status dnat accept",
    'iifname "lo" accept',
    "reject with icmpx type admin-prohibited",
)
families = pytest.mark.parametrize("family", FAMILIES, ids=["IPv4", "IPv6"])
VARIANTS = {"libvirt-nftables": "nft", "iptables-nft": "nft", "iptables-legacy": "legacy"}
DOCKER = {4: "172.18.0.", 6: "fd00:d0c::"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A host for all tests that leave it as it was."""
    made = Site("libvirt-nftables")
    yield made
    made.close()


@pytest.fixture
def own_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A host for one test, with the firewall that its parameter names."""
    made = Site(request.param)
    yield made
    made.close()


@contextmanager
def added(site: Site, family: int, elements: Elements) -> Iterator[None]:
    """Have these elements, too, for a ``with`` block."""
    table = layout(family, MARK_BIT)
    site.world.machine.nft(*table.additions(elements))
    try:
        yield
    finally:
        site.world.machine.nft(*table.deletions(elements))


class Container(NamedTuple):
    """A container on Docker's bridge."""

    namespace: UnnamedNamespace
    addresses: dict[int, str]

    def at(self, family: int) -> Place:
        return Place(self.namespace, self.addresses[family], "docker0", self.addresses[family])


def docker(site: Site, variant: str, ports: Sequence[int]) -> Container:
    """A container that has published these ports, all to its port FREE, with rules as dockerd writes them."""
    world, namespace = site.world, UnnamedNamespace()
    addresses = {4: f"{DOCKER[4]}2", 6: f"{DOCKER[6]}2"}
    gateways = {4: f"{DOCKER[4]}1", 6: f"{DOCKER[6]}1"}
    world.host.ip(
        "link add docker0 type bridge",
        f"link add veth1 type veth peer name eth0 netns {namespace.path}",
        "link set veth1 master docker0 up",
        "link set docker0 up",
        *(f"address add {gateways[family]}/{length} dev docker0" for family, length in ((4, 24), (6, 64))),
    )
    namespace.sysctl("ipv6/conf/eth0/accept_dad", 0)
    namespace.ip(
        "link set lo up",
        "link set eth0 up",
        *(f"address add {addresses[family]}/{length} dev eth0" for family, length in ((4, 24), (6, 64))),
        *(f"route add default via {gateway}" for gateway in gateways.values()),
    )
    site.services.serve("container", namespace)
    for family, address in addresses.items():
        subnet, loopback = (f"{DOCKER[4]}0/24", "127.0.0.0/8") if family == 4 else (f"{DOCKER[6]}/64", "::1")
        target = f"{address}:{FREE}" if family == 4 else f"[{address}]:{FREE}"
        restore(
            site,
            variant,
            family,
            *("*nat", ":DOCKER -", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"),
            f"-A OUTPUT ! -d {loopback} -m addrtype --dst-type LOCAL -j DOCKER",
            f"-A POSTROUTING -s {subnet} ! -o docker0 -j MASQUERADE",
            *(
                f"-A DOCKER ! -i docker0 -p {protocol} --dport {port} -j DNAT --to-destination {target}"
                for port in ports
                for protocol in (TCP, UDP)
            ),
            *("COMMIT", "*filter", ":FORWARD DROP"),
            "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            *(f"-A FORWARD -o docker0 -d {address} -p {each} --dport {FREE} -j ACCEPT" for each in (TCP, UDP)),
            *("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT", "COMMIT"),
        )
    return Container(namespace, addresses)


def restore(site: Site, variant: str, family: int, *lines: str) -> None:
    """Add rules to those of iptables."""
    tool = f"{'iptables' if family == 4 else 'ip6tables'}-{variant}-restore"
    site.world.machine.run(tool, "-w", "--noflush", stdin="\n".join([*lines, ""]))


def gates(site: Site) -> None:
    """Have the program open its gates in firewalls that have come."""
    logged = site.world.event(site.guests["nat"].network, "updated")
    assert not [line for line in logged if line.is_error], logged
    site.forward()


def check(site: Site, rows: list[tuple[Place, str, int, str]]) -> None:
    """Check who answers: source, address and port, name, which is '' where it has to be refused."""
    for source, address, port, who in rows:
        for protocol in (TCP, UDP):
            answer = site.services.ask(source, address, port, protocol)
            assert answer.who == who, f"{source.address} → {address} {port}/{protocol}: {answer}"
            assert answer.told, f"{source.address} → {address} {port}/{protocol}: {answer}"


def usual(site: Site, family: int) -> list[tuple[Place, str, int, str]]:
    """What forwards do whatever the firewall of the host is."""
    outside, here, named = site.world.outside(family), HOST[family], ADDRESSES[family]
    neighbour, other, mail = (site.guests[name].private(family) for name in ("neighbour", "other", "mail"))
    return [
        (outside, here, WEB, "nat"),
        (outside, named["listening"], WEB, "nat"),
        (outside, here, CLOSED, "isolated"),
        (outside, here, RANGE[0], "nat"),
        (outside, here, OFF, ""),
        (outside, named["mail"], WEB, "mail"),
        (outside, named["off"], WEB, ""),
        (neighbour, here, WEB, "nat"),
        (other, here, WEB, "nat"),
        (other, here, OFF, ""),
        (mail, named["mail"], WEB, "mail"),
        (mail, here, ROUTE, "route"),
        (site.world.host_itself(family), here, WEB, "nat"),
        (site.world.host_itself(family), here, OFF, ""),
        (site.guests["isolated"].private(family), here, WEB, ""),
    ]


@pytest.mark.parametrize("own_site", FIREWALLS, indirect=True)
def test_docker(own_site: Site, request: pytest.FixtureRequest) -> None:
    """A published port goes on where it is no forward. Nothing that is one goes to the container, on or off."""
    site, variant = own_site, VARIANTS[request.node.callspec.params["own_site"]]
    container = docker(site, variant, (KEPT, WEB, OFF, ANY))
    gates(site)
    for family in FAMILIES:
        outside, here, named = site.world.outside(family), HOST[family], ADDRESSES[family]
        check(
            site,
            [
                *usual(site, family),
                (outside, here, KEPT, "container"),
                (outside, here, ANY, "nat"),
                (site.world.host_itself(family), here, KEPT, "container"),
                (container.at(family), here, WEB, "nat"),
                (container.at(family), named["mail"], WEB, "mail"),
                (container.at(family), here, OFF, ""),
                (container.at(family), outside.address, FREE, "outside"),
                (site.guests["mail"].private(family), outside.address, FREE, "outside"),
                (site.guests["alone"].private(family), outside.address, FREE, "outside"),
            ],
        )
    container.namespace.close()


@pytest.mark.parametrize("own_site", ["iptables-nft", "iptables-legacy"], indirect=True)
def test_a_firewall_that_lets_nothing_in_and_nothing_through(own_site: Site, request: pytest.FixtureRequest) -> None:
    """As ufw does it. What is let in to the host does not matter to a forward."""
    site, variant = own_site, VARIANTS[request.node.callspec.params["own_site"]]
    for family in FAMILIES:
        icmp = "icmp" if family == 4 else "icmpv6"
        restore(
            site,
            variant,
            family,
            *("*filter", ":INPUT DROP", ":FORWARD DROP", ":ufw-before-input -", ":ufw-before-forward -"),
            *("-A INPUT -j ufw-before-input", "-A FORWARD -j ufw-before-forward"),
            *("-A ufw-before-input -i lo -j ACCEPT", f"-A ufw-before-input -p {icmp} -j ACCEPT"),
            *(f"-A {each} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" for each in UFW),
            *("-A ufw-before-forward -p tcp -m conntrack --ctstate INVALID -j DROP", "COMMIT"),
        )
    gates(site)
    for family in FAMILIES:
        check(site, usual(site, family))
        for name in ("mail", "alone"):
            check(site, [(site.guests[name].private(family), site.world.outside(family).address, FREE, "outside")])


@pytest.mark.parametrize("own_site", ["libvirt-nftables"], indirect=True)
def test_a_firewall_that_lets_all_through_that_was_translated(own_site: Site) -> None:
    """As firewalld does it."""
    own_site.world.machine.nft(
        "add table inet firewalld",
        "add chain inet firewalld filter_FORWARD { type filter hook forward priority filter + 10; policy accept; }",
        *(f"add rule inet firewalld filter_FORWARD {rule}" for rule in FIREWALLD),
    )
    for family in FAMILIES:
        check(own_site, usual(own_site, family))


@families
def test_the_only_address_of_the_host_as_a_whole(site: Site, family: int) -> None:
    """What is kept stays with the host, and so do its own connections and what its guests ask at their gateway."""
    here, to = HOST[family], site.guests["mail"].private(family).address
    elements: Elements = {
        "addresses": {(here, to)},
        "taken_addresses": {(here,)},
        "kept": {(here, TCP, str(KEPT)), (here, UDP, str(KEPT))},
    }
    outside, host = site.world.outside(family), site.world.host_itself(family)
    guests = {name: site.guests[name].private(family) for name in ("neighbour", "isolated")}
    neighbour, isolated = guests.values()
    with added(site, family, elements):
        check(
            site,
            [
                *usual(site, family),
                *((place, here, KEPT, "host") for place in (outside, host, neighbour, isolated)),
                *((place, here, FREE, "mail") for place in (outside, host, neighbour)),
                (outside, here, ANY, "mail"),
                (isolated, here, FREE, ""),
                (host, outside.address, FREE, "outside"),
                *((place, site.address("gateway", name, family), FREE, "host") for name, place in guests.items()),
            ],
        )
        assert site.services.ask(outside, here, 0, PING).who == "mail"
        assert site.services.ask(host, outside.address, 0, PING).who == "outside"
    assert site.services.ask(outside, here, FREE, TCP).who == "host"


@families
@pytest.mark.parametrize("port", [RANGE[0] + 7, RANGE_OFF[0] + 7], ids=["forwarded", "refused"])
def test_connections_of_the_host_from_a_port_that_is_forwarded(site: Site, family: int, port: int) -> None:
    host, outside, here = site.world.host_itself(family), site.world.outside(family).address, HOST[family]
    for protocol in (TCP, UDP):
        assert site.services.ask(host, outside, FREE, protocol, source_port=port).told == "outside"
        assert site.services.ask(host, here, OFF, protocol, source_port=port).is_refused


@families
def test_what_a_guest_sends_from_a_forwarded_port(site: Site, family: int) -> None:
    guest, outside = site.guests["nat"].private(family), site.world.outside(family).address
    address = ADDRESSES[family]["listening"]
    element = ("virbr1", guest.address, UDP, "51820", address, "51821")
    with added(site, family, {"outgoing_ports": {element}}):
        assert site.services.ask(guest, outside, FREE, UDP, source_port=51820).seen_as == address
        assert site.services.ask(guest, outside, FREE, UDP, source_port=51819).seen_as == HOST[family]
        assert site.services.ask(guest, outside, FREE, TCP, source_port=51820).seen_as == HOST[family]


@families
def test_elements_count_connections(site: Site, family: int) -> None:
    table, here = layout(family, MARK_BIT), HOST[family]
    counting = {name: table.sets[name] for name in ("ports", "ranges", "addresses", "any_ports", "from_ports")}

    def counts() -> dict[tuple[str, ...], int]:
        with site.world.host.entered():
            counted = Host(60).traffic(table.family, counting)
        return {(name, *element[:3]): traffic.packets for name, element, traffic in counted}

    before = counts()
    asked = {
        ("ports", here, TCP, str(WEB)): (here, WEB),
        ("ranges", here, TCP, "-".join(map(str, RANGE))): (here, RANGE[0]),
        ("any_ports", TCP, str(ANY), site.guests["nat"].private(family).address): (here, ANY),
    }
    for address, port in asked.values():
        for _ in range(3):
            assert site.services.ask(site.world.outside(family), address, port, TCP).told == "nat"
    after = counts()
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == dict.fromkeys(asked, 3)


@families
def test_no_packet_leaves_with_our_bit(site: Site, family: int) -> None:
    """Between the two chains of ``inet nethook`` all packets of forwards have it, and a former one, too."""
    machine, former = site.world.machine, 0x100
    table = layout(family, MARK_BIT, [former])
    machine.nft(
        f"add table {table.family} somebody",
        *(
            command
            for hook, priority in (("forward", "filter"), ("postrouting", "srcnat - 20"))
            for command in (
                f"add chain {table.family} somebody {hook} {{ type filter hook {hook} priority {priority}; }}",
                f"add rule {table.family} somebody {hook} meta mark & {MARK_BIT:#x} != 0 counter",
                f"add rule {table.family} somebody {hook} meta mark & {former:#x} != 0 counter",
            )
        ),
    )
    machine.nft(*Ruleset(MARK_BIT, [former]).creation(), *table.creation())
    check(site, [(site.world.outside(family), HOST[family], WEB, "nat")])
    listed = machine.run("nft", "list", "table", table.family, "somebody")
    passed, passed_former, left, left_former = map(int, re.findall(r"packets (\d+)", listed))
    assert passed == passed_former > 4
    assert left == left_former == 0
    machine.nft(
        *Ruleset(MARK_BIT).creation(), *layout(family, MARK_BIT).creation(), f"delete table {table.family} somebody"
    )


def test_nothing_is_lost_while_tables_are_made_anew(site: Site) -> None:
    """Neither of what was forwarded before, nor of new connections, nor of what has nothing to do with forwards."""
    machine = site.world.machine
    flows = []
    for family in FAMILIES:
        outside, mail = site.world.outside(family), site.guests["mail"]
        flows += [
            *(UdpFlow(outside, mail.at(ADDRESSES[family]["mail"]), anew=anew) for anew in (False, True)),
            UdpFlow(mail.private(family), outside),
            UdpFlow(outside, site.source("routed", family)),
            UdpFlow(site.guests["other"].private(family), outside),
        ]
    with going_on(flows):
        for _ in range(10):
            for family in FAMILIES:
                table = layout(family, MARK_BIT)
                with site.world.host.entered():
                    elements = Host(60).elements(table.family, table.sets)
                assert elements
                machine.nft(f"delete table {table.table}", *table.creation(), *table.additions(elements))
    assert [len(flow.lost) for flow in flows] == [0] * len(flows)
    assert all(flow.sent > 100 for flow in flows)


@families
def test_made_again_over_what_is_there(site: Site, family: int) -> None:
    """Elements and what they have counted stay."""
    table = layout(family, MARK_BIT)
    assert site.services.ask(site.world.outside(family), HOST[family], WEB, TCP).told == "nat"

    def state() -> list[tuple[str, tuple[str, ...], int]]:
        with site.world.host.entered():
            counted = Host(60).traffic(table.family, table.sets)
        return sorted((name, element, traffic.packets) for name, element, traffic in counted)

    before = state()
    assert any(packets for _, _, packets in before)
    site.world.machine.nft(*table.creation())
    assert state() == before
