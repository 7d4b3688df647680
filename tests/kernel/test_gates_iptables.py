"""The gate in FORWARD of iptables, beside all that may already be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.firewalls.libvirt_iptables import LibvirtIptables
from lab.world.world import World
from tests.kernel import listings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.network import WorldNetwork
    from lab.world.packets import Place
    from lab.world.syslog import Logged
    from lab.world.world import WorldGuest

ROUTED = {4: "203.0.113.10", 6: "2001:db8:7::10"}
FILTERED = {4: "203.0.113.66", 6: "2001:db8:7::66"}
GATE = "-m mark --mark 0x10000000/0x10000000 -m comment --comment nethook-0x10000000 -j ACCEPT"

MISFITS = {
    "missing": [],
    "doubled": [f"-I FORWARD {GATE}", f"-I FORWARD {GATE}"],
    "behind libvirt": [f"-A FORWARD {GATE}"],
    "doubled, in front and behind": [f"-I FORWARD {GATE}", f"-A FORWARD {GATE}"],
    "for another mark bit": ["-I FORWARD -m mark --mark 0x80/0x80 -m comment --comment nethook-0x80 -j ACCEPT"],
    "for another mark bit too": [
        "-I FORWARD -m mark --mark 0x80/0x80 -m comment --comment nethook-0x80 -j ACCEPT",
        f"-I FORWARD {GATE}",
    ],
}

# What other programs have in FORWARD; {filtered} is a routed address that their admin has filtered.
NEIGHBOURS = {
    "an admin's own rules": [
        "-I FORWARD -d {filtered} -j DROP",
        '-I FORWARD -p tcp --dport 25 -m comment --comment "no mail, -j DROP it; not nethook-0x10000000" -j REJECT',
    ],
    "an admin's own chain": [
        "-N my-filter",
        "-A my-filter -d {filtered} -j REJECT",
        "-I FORWARD -j my-filter",
    ],
    "policy DROP": ["-I FORWARD -d {filtered} -j DROP", "-P FORWARD DROP"],
    "Docker 20": [
        "-N DOCKER",
        "-N DOCKER-ISOLATION-STAGE-1",
        "-N DOCKER-ISOLATION-STAGE-2",
        "-N DOCKER-USER",
        "-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2",
        "-A DOCKER-ISOLATION-STAGE-1 -j RETURN",
        "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP",
        "-A DOCKER-ISOLATION-STAGE-2 -j RETURN",
        "-A DOCKER-USER -d {filtered} -j DROP",
        "-A DOCKER-USER -j RETURN",
        "-I FORWARD -i docker0 -o docker0 -j ACCEPT",
        "-I FORWARD -i docker0 ! -o docker0 -j ACCEPT",
        "-I FORWARD -o docker0 -j DOCKER",
        "-I FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-I FORWARD -j DOCKER-ISOLATION-STAGE-1",
        "-I FORWARD -j DOCKER-USER",
        "-P FORWARD DROP",
    ],
    "Docker 28": [
        "-N DOCKER",
        "-N DOCKER-BRIDGE",
        "-N DOCKER-CT",
        "-N DOCKER-FORWARD",
        "-N DOCKER-USER",
        "-A DOCKER ! -i docker0 -o docker0 -j DROP",
        "-A DOCKER-BRIDGE -o docker0 -j DOCKER",
        "-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A DOCKER-FORWARD -j DOCKER-CT",
        "-A DOCKER-FORWARD -j DOCKER-BRIDGE",
        "-A DOCKER-FORWARD -i docker0 -j ACCEPT",
        "-A DOCKER-USER -d {filtered} -j DROP",
        "-I FORWARD -j DOCKER-FORWARD",
        "-I FORWARD -j DOCKER-USER",
        "-P FORWARD DROP",
    ],
    "ufw": [
        *(
            f"-N ufw-{chain}-forward"
            for chain in ("before-logging", "before", "after", "after-logging", "reject", "track", "user")
        ),
        "-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A ufw-before-forward -j ufw-user-forward",
        "-A ufw-user-forward -j RETURN",  # behind libvirt's rules: it sees no packet of ours
        "-A ufw-reject-forward -j REJECT",
        *(
            f"-A FORWARD -j ufw-{chain}-forward"
            for chain in ("before-logging", "before", "after", "after-logging", "reject", "track")
        ),
        "-P FORWARD DROP",
    ],
}


class Side(NamedTuple):
    """One family of a host whose network public runs, and libvirt has not yet called the hook."""

    world: World
    guest: WorldGuest
    tool: str
    family: int

    @property
    def routed(self) -> Place:
        return self.guest.at(ROUTED[self.family])

    @property
    def filtered(self) -> Place:
        return self.guest.at(FILTERED[self.family])

    @property
    def outside(self) -> Place:
        return self.world.outside(self.family)

    def restore(self, commands: list[str]) -> None:
        """Change the table filter in one step."""
        chains = [f":{line.split()[1]} -" for line in commands if line.startswith("-N ")]
        policies = [f":{line.split()[1]} {line.split()[2]}" for line in commands if line.startswith("-P ")]
        rules = [line for line in commands if line[:2] not in ("-N", "-P")]
        text = "\n".join(("*filter", *chains, *policies, *rules, "COMMIT", ""))
        self.world.machine.run(f"{self.tool}-restore", "--noflush", stdin=text)

    def forward(self) -> list[str]:
        """The rules of FORWARD."""
        return self.world.machine.run(self.tool, "-S", "FORWARD").splitlines()[1:]


class Host(NamedTuple):
    """One such host, on which the same happens in both families."""

    world: World
    network: WorldNetwork
    variant: str
    sides: list[Side]

    def event(self, operation: str) -> list[Logged]:
        return self.world.event(self.network, operation)


@pytest.fixture(params=["nft", "legacy"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    variant = str(request.param)
    world = World(LibvirtIptables(variant))
    network = world.network("public", 1)
    guest = world.guest(network, *ROUTED.values(), *FILTERED.values())
    world.configure(*(f"{address} public" for address in (*ROUTED.values(), *FILTERED.values())))
    sides = [Side(world, guest, f"{tool}-{variant}", family) for tool, family in (("iptables", 4), ("ip6tables", 6))]
    yield Host(world, network, variant, sides)
    world.close()


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_gate_is_put_right(host: Host, misfit: str) -> None:
    for side in host.sides:
        side.restore(MISFITS[misfit])
    before = listings.foreign(host.world.machine)
    logged = host.event("started")
    for side in host.sides:
        assert [line for line in logged if f"gate in {side.tool} FORWARD" in line.text and not line.is_error]
        assert side.forward() == [
            f"-A FORWARD {GATE}",
            "-A FORWARD -j LIBVIRT_FWX",
            "-A FORWARD -j LIBVIRT_FWI",
            "-A FORWARD -j LIBVIRT_FWO",
        ]
        assert host.world.exchange(side.outside, side.routed)
    assert listings.foreign(host.world.machine) == before
    assert host.event("port-created") == []


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_beside_other_programs_what_they_and_the_admin_have_stays_in_force(host: Host, neighbour: str) -> None:
    for side in host.sides:
        side.restore([line.format(filtered=FILTERED[side.family]) for line in NEIGHBOURS[neighbour]])
    before = listings.foreign(host.world.machine)
    host.event("started")
    assert listings.foreign(host.world.machine) == before
    for side in host.sides:
        assert sum("nethook-0x10000000" in line and "-m mark" in line for line in side.forward()) == 1
        assert host.world.exchange(side.outside, side.routed)
        assert host.world.exchange(side.routed, side.outside)
        if any("{filtered}" in line for line in NEIGHBOURS[neighbour]):
            assert not host.world.reaches(side.outside, side.filtered)
    assert host.event("port-created") == []


def test_a_rule_that_an_admin_puts_in_front_of_the_gate_stays_there(host: Host) -> None:
    host.event("started")
    for side in host.sides:
        side.restore([f"-I FORWARD -d {FILTERED[side.family]} -j DROP"])
    before = [side.forward() for side in host.sides]
    assert host.event("port-created") == []
    assert [side.forward() for side in host.sides] == before
    for side in host.sides:
        assert not host.world.reaches(side.outside, side.filtered)
        assert host.world.exchange(side.outside, side.routed)


def test_a_gate_that_libvirt_has_sunk_comes_back_to_the_front(host: Host) -> None:
    host.event("started")
    for side in host.sides:
        jumps = [line[len("-A ") :] for line in side.forward() if "LIBVIRT_" in line]
        side.restore([*(f"-D {jump}" for jump in jumps), *(f"-I {jump}" for jump in reversed(jumps))])
        assert not host.world.reaches(side.outside, side.routed)
    host.event("port-created")
    for side in host.sides:
        assert host.world.exchange(side.outside, side.routed)


def test_both_variants_of_iptables_at_once(host: Host) -> None:
    other = "legacy" if host.variant == "nft" else "nft"
    for tool in ("iptables", "ip6tables"):
        host.world.machine.run(f"{tool}-{other}", "-P", "FORWARD", "DROP")
    host.event("started")
    gates = {line.partition(":")[0] for line in listings.gates(host.world.machine)}
    assert gates == {f"{tool}-{variant}" for tool in ("iptables", "ip6tables") for variant in ("nft", "legacy")}
    for side in host.sides:
        assert host.world.exchange(side.outside, side.routed)
