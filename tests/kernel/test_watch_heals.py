"""What other programs do to ours in the kernel, the service puts right, and then it rests."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from lab.world.damages import DAMAGES, TABLE
from tests.kernel.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

LACKING = (
    "libvirt's own rules are gone, so there is neither NAT nor isolation on plain, public; run: "
    "systemctl restart libvirtd.service"
)


@pytest.fixture
def watched(service_host: Watched) -> Iterator[Watched]:
    """A service of its own for each damage: one that sees all of them, one after the other, takes them for a fight."""
    service_host.start()
    yield service_host
    assert service_host.watching.stop() == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_healed_at_once(watched: Watched, damage: str) -> None:
    said = watched.heals(DAMAGES[damage])
    assert all("[watch: " in line for line in said), said
    assert watched.silent() == []


def test_a_gate_behind_a_reject(watched: Watched) -> None:
    before = len(watched.watching.said)
    watched.sh("nft insert rule ip libvirt_network forward reject")
    watched.watching.wait(lambda: len(watched.watching.said) > before, "a gate in front of the reject")
    assert watched.silent() == []
    rules = watched.sh("nft -a list chain ip libvirt_network forward")
    assert rules.index("nethook-") < rules.index("\t\treject # handle")
    handle = rules.partition("\t\treject # handle ")[2].split()[0]
    watched.sh(f"nft delete rule ip libvirt_network forward handle {handle}")


def test_everything_flushed_with_libvirts_rules(watched: Watched) -> None:
    """Ours are back at once; the gates when libvirt has written its rules anew, without an event.

    What only libvirt's daemon can restore is said, with the command.
    """
    watched.sh("nft flush ruleset")
    watched.watching.wait(lambda: "table inet nethook" in watched.sh("nft list tables"), "our table")
    watched.watching.wait(lambda: LACKING in watched.watching.said, "it says what libvirt lacks")
    watched.world.firewall.start(watched.machine, watched.network)
    watched.watching.wait(watched.is_whole, "the gates")
    assert watched.silent() == []


def test_its_own_changes_do_not_wake_it(watched: Watched) -> None:
    before = watched.watching.settle()
    watched.heals(f"nft delete table {TABLE}")
    assert watched.watching.settle() <= before + 2, "one heal, and one look at what it has changed"


FOREIGN = """
nft add table inet crowdsec
nft add set inet crowdsec blocked '{ type ipv4_addr; }'
"""


def test_elements_of_others_do_not_wake_it(watched: Watched) -> None:
    """Neither 10,000 in one transaction, nor many of one each."""
    watched.sh(FOREIGN)
    before, used = watched.watching.settle(), watched.watching.processor_seconds()
    many = ", ".join(f"10.0.{number >> 8}.{number & 255}" for number in range(10_000))
    watched.machine.nft(f"add element inet crowdsec blocked {{ {many} }}")
    watched.machine.nft("flush set inet crowdsec blocked")
    watched.sh("for n in $(seq 1 100); do nft add element inet crowdsec blocked { 10.1.1.$n }; done")
    watched.sh("nft delete table inet crowdsec")
    assert watched.watching.settle() == before
    used = watched.watching.processor_seconds() - used
    assert used < 0.3, f"{used} s of a processor for 20,000 changes"


def test_others_on_other_devices_do_not_wake_it(watched: Watched) -> None:
    """A routing daemon, containers, neighbours, addresses."""
    before = watched.watching.settle()
    watched.sh(
        "for n in $(seq 1 250); do echo route add 10.9.$n.0/24 via 198.51.100.1 proto bgp; done | ip -batch -\n"
        "ip route add 10.8.0.0/16 via 198.51.100.1 proto static; ip route delete 10.8.0.0/16\n"
        "ip link add veth1 type veth peer name veth2; ip link set veth1 up; ip link delete veth1\n"
        "ip address add 10.7.7.7/32 dev uplink; ip address delete 10.7.7.7/32 dev uplink\n"
        "ip neighbour replace 198.51.100.9 lladdr 52:54:00:00:00:09 dev uplink\n"
        "ip neighbour delete 198.51.100.9 dev uplink\n"
        "nft add table inet mine; nft add chain inet mine input; nft delete table inet mine\n"
        "ip -4 route flush proto bgp"
    )
    assert watched.watching.settle() == before


def test_a_storm_leads_to_a_handful_of_looks(watched: Watched) -> None:
    """As when 200 guests start at once, and a routing daemon takes our bridge for its own."""
    before, memory = watched.watching.settle(), watched.watching.kibibytes()
    watched.sh(
        "for n in $(seq 1 200); do echo link add t$n type veth peer name p$n; echo link set t$n master virbr1 up; done"
        "| ip -batch -\n"
        "for n in $(seq 1 200); do echo route add 10.9.$n.0/24 dev virbr1 proto static; done | ip -batch -\n"
        "for n in $(seq 1 200); do echo link delete t$n; done | ip -batch -\n"
        "ip -4 route flush proto static dev virbr1"
    )
    assert watched.watching.settle() <= before + 40
    assert watched.watching.kibibytes() < memory + 2000


def test_a_fight_ends_in_longer_pauses(watched: Watched) -> None:
    watching = watched.watching
    first = len(watching.said)
    ends = Event()

    def fight() -> None:
        while not ends.is_set():
            watched.sh("while ip route delete 203.0.113.10 2>/dev/null; do :; done")
            time.sleep(0.01)

    fighter = Thread(target=fight)
    fighter.start()
    try:
        watching.wait(lambda: any("keeps undoing" in line for line in watching.said[first:]), "a fight is noticed")
        noticed = watching.looks
        watching.wait(lambda: watching.looks > noticed, "it goes on")
    finally:
        ends.set()
        fighter.join()
    watching.wait(watched.is_whole, "healed in the end")
    said = [line for line in watching.said[first:] if "203.0.113.10" in line]
    assert len(said) == 4, said
    assert watched.silent() == []


IPTABLES = {
    "gate deleted": "iptables-nft-save | grep -v nethook- | iptables-nft-restore",
    "a rule in front": "iptables-nft -I FORWARD -j DROP",
    "everything flushed": "iptables-nft -P FORWARD DROP; iptables-nft -F FORWARD",
}


def test_gates_of_iptables() -> None:
    """Those of iptables-nft. Legacy iptables tells nobody of its changes."""
    watched = Watched("iptables-nft")
    watching = watched.start()
    for damage in IPTABLES.values():
        before = len(watching.said)
        watched.sh(damage)
        watching.wait(lambda: len(watching.said) > before, f"healed after {damage}")  # noqa: B023 - called here
        assert watched.silent() == []
    watched.close()
