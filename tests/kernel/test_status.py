"""``nethook status`` on a real kernel: what it calls routed answers to packets, and what it calls blocked does not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.world.network import WorldPort
from lab.world.servers import Servers, ask
from lab.world.verbs import nethook, tell_libvirt, verb
from tests.kernel.forwarded_guests import FORWARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.world import World

PORT = 80
BOUND, FREE, BLOCK, SIX = "203.0.113.10", "203.0.113.11", "203.0.113.16/29", "2001:db8:7::10"
IN_BLOCK = "203.0.113.17"
ASKED = {BOUND: BOUND, FREE: FREE, BLOCK: IN_BLOCK, SIX: SIX}
"""An address of each line."""
LINES = (f"{BOUND} public guest=web1", f"{FREE} public", f"{BLOCK} public", f"{SIX} public")
LENGTH = {4: 29, 6: 64}
"""Of the subnets of a network."""
ADMINS = "add table inet fw; add chain inet fw f { type filter hook forward priority 0; policy %s; }"


class Host:
    """A host with a network and two guests, of which the first has all addresses, and serves at each."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.network("public", 1)
        self.web, self.other = world.guest(self.network, *ASKED.values()), world.guest(self.network)
        self.ports = [WorldPort("web1", self.web.mac), WorldPort("web2", self.other.mac)]
        self.tell()
        world.configure(*LINES)
        nethook(world, "apply")
        self._servers = Servers(self.web.namespace, "web1", (PORT,))

    def close(self) -> None:
        self._servers.close()

    def tell(self, *ports: WorldPort) -> None:
        """Have libvirt know these ports, by default those of both guests."""
        tell_libvirt(self.world, self.network, *(ports or self.ports))

    def sh(self, script: str) -> None:
        self.world.machine.run("sh", "-ec", script)

    def answers(self, line: str) -> bool:
        address = ASKED[line]
        asked = ask(self.world.outside(6 if ":" in address else 4).namespace, address, PORT)
        return asked.startswith("web1 sees")

    def answering(self) -> list[str]:
        """The lines that answer, asked side by side."""
        with ThreadPoolExecutor() as pool:
            return [line for line, answers in zip(ASKED, pool.map(self.answers, ASKED)) if answers]

    def states(self, *arguments: str) -> dict[str, tuple[str, str]]:
        """State and reason by line."""
        found = json.loads(verb(self.world, "status", "--json", *arguments).stdout)
        return {line["prefix"]: (line["state"], line["reason"] or "") for line in found["lines"]}

    def forwards(self) -> dict[str, tuple[str, str]]:
        """State and reason by forward."""
        found = json.loads(verb(self.world, "status", "--json").stdout)
        return {line["listen"]: (line["state"], line["reason"] or "") for line in found["forwards"]}

    def check(self, expected: dict[str, str]) -> dict[str, str]:
        """Each line is in the expected state, by default routed; those that are routed answer, and no other does."""
        states = self.states()
        assert {line: state for line, (state, _) in states.items()} == {**dict.fromkeys(ASKED, "routed"), **expected}
        assert self.answering() == [line for line, (state, _) in states.items() if state == "routed"]
        return {line: reason for line, (_, reason) in states.items()}


def with_port(address: str) -> str:
    return f"[{address}]:8080" if ":" in address else f"{address}:8080"


@pytest.fixture
def here(world: World) -> Iterator[Host]:
    made = Host(world)
    yield made
    made.close()


@pytest.fixture
def plain(nftables_world: World) -> Iterator[Host]:
    made = Host(nftables_world)
    yield made
    made.close()


def test_what_is_in_force_is_routed_and_answers(here: Host) -> None:
    here.check({})


V4 = (BOUND, FREE, BLOCK)


def test_a_host_that_does_not_forward(here: Host) -> None:
    here.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")
    reasons = here.check(dict.fromkeys(V4, "blocked"))
    assert "the host does not forward IPv4" in reasons[BOUND]
    assert "nethook install --enable-forwarding" in reasons[BOUND]
    here.sh("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")
    reasons = here.check({SIX: "blocked"})
    assert "the host does not forward IPv6" in reasons[SIX]


def test_a_bridge_that_does_not_forward(plain: Host) -> None:
    plain.sh("echo 0 > /proc/sys/net/ipv4/conf/virbr1/forwarding")
    reasons = plain.check(dict.fromkeys(V4, "blocked"))
    assert "sysctl -w net.ipv4.conf.virbr1.forwarding=1" in reasons[FREE]


def test_a_chain_of_an_admin_that_drops(here: Host) -> None:
    here.sh(f"nft '{ADMINS % 'drop'}'")
    reasons = here.check(dict.fromkeys(ASKED, "blocked"))
    assert "chain inet fw f drops packets to the guest" in reasons[FREE]
    here.sh(
        "nft add rule inet fw f ip daddr 203.0.113.0/24 accept; nft add rule inet fw f ip saddr 203.0.113.0/24 accept"
    )
    here.check({SIX: "blocked"})


def test_a_rule_of_iptables_in_front_of_the_gate(here: Host) -> None:
    """It stops what it names, whoever sends it; one about some senders or one port does not block a line."""
    here.sh("iptables -I FORWARD -s 8.0.0.0/8 -j DROP; iptables -I FORWARD -p tcp --dport 25 -j DROP")
    here.check({})
    here.sh(f"iptables -I FORWARD -d {FREE} -j DROP; ip6tables -I FORWARD -s {SIX} -j REJECT")
    reasons = here.check({FREE: "blocked", SIX: "blocked"})
    assert f"stops packets to the guest: -d {FREE}/32 -j DROP; run nethook doctor" in reasons[FREE]
    assert f"stops answers of the guest: -s {SIX}/128 -j REJECT" in reasons[SIX]


def test_each_of_several_forwards_of_a_port_that_is_dropped(plain: Host) -> None:
    """They are for other clients, and so for other guests."""
    web, other = plain.web.private(4).address, plain.other.private(4).address
    lines = (f"198.51.100.2:8080 public to={web} from=198.51.100.0/25", f"198.51.100.2:8080 public to={other}")
    plain.world.machine.write(FORWARDS, "\n".join(lines))
    nethook(plain.world, "apply")
    found = json.loads(verb(plain.world, "status", "--json").stdout)["forwards"]
    assert [each["state"] for each in found] == ["forwarded", "forwarded"]
    for address in (web, other):
        plain.sh(f"iptables -F FORWARD; iptables -I FORWARD -d {address} -j DROP")
        found = json.loads(verb(plain.world, "status", "--json").stdout)["forwards"]
        blocked = [each["target"].partition(":")[0] for each in found if each["state"] == "blocked"]
        assert blocked == [address]


def test_a_chain_that_may_drop_blocks_nothing(plain: Host) -> None:
    plain.sh(f"nft '{ADMINS % 'accept'}'")
    plain.sh(
        "nft add set inet fw bad '{ type ipv4_addr; flags interval; }';nft add element inet fw bad '{ 203.0.113.0/24 }'"
    )
    plain.sh("nft add rule inet fw f tcp dport 25 drop; nft add rule inet fw f ip saddr @bad tcp dport 25 drop")
    plain.check({})


def test_what_is_for_some_is_not_for_all(plain: Host) -> None:
    """A rule about one address outside, one of a prefix, or one port, does not block a line."""
    plain.sh(f"nft '{ADMINS % 'accept'}'")
    for rule in ("ip saddr 8.0.0.0/8 drop", "ip daddr { 203.0.113.16-203.0.113.22 } ip daddr != 203.0.113.17 drop"):
        plain.sh(f"nft add rule inet fw f '{rule}'")
    plain.check({})
    plain.sh("nft flush chain inet fw f; nft add rule inet fw f ip saddr 198.51.100.0/24 accept")
    plain.sh("nft add rule inet fw f ct state established accept")
    plain.sh("nft add rule inet fw f ip6 saddr 2001:db8::/32 accept")
    plain.sh("nft 'chain inet fw f { policy drop; }'")  # only the client's network may come in
    plain.check({})


def test_an_address_of_a_device_that_is_down(plain: Host) -> None:
    """The kernel takes it for its own all the same."""
    plain.sh(f"ip link add idle type veth peer name end; ip address add {FREE}/32 dev idle")
    plain.check({FREE: "blocked"})
    plain.sh("ip link set idle up; ip link set idle down")
    plain.check({FREE: "blocked"})


def test_a_tap_off_its_bridge(here: Host) -> None:
    here.sh(f"ip link set {here.web.tap} nomaster")
    states = here.states()
    assert here.answering() == []
    assert states[BOUND][0] == "blocked"
    assert f"tap {here.web.tap} of guest web1 is not in bridge virbr1: nethook doctor says how" in states[BOUND][1]
    # any guest of the bridge may answer for an unbound line, so it is not certain that none does
    assert states[FREE][0] == "routed"
    shown = verb(here.world, "status")
    assert f"tap {here.web.tap} of guest web1 is not in bridge virbr1" in shown.stdout
    here.sh(f"ip link set {here.other.tap} nomaster")
    reasons = here.check(dict.fromkeys(ASKED, "blocked"))
    assert "is not in bridge virbr1" in reasons[FREE]
    here.sh(f"ip link set {here.other.tap} master virbr1; ip link set {here.web.tap} master virbr1")
    here.check({})


GUEST = """<domain><devices><interface type='network'><mac address='{mac}'/>
<source network='public' bridge='virbr1'/><target dev='{tap}'/></interface></devices></domain>"""


def test_a_network_restarted_under_running_guests(plain: Host) -> None:
    """libvirt has no port of them any more."""
    for name, guest in (("web1", plain.web), ("web2", plain.other)):
        plain.sh(f"ip link set {guest.tap} nomaster")
        plain.world.machine.write(f"/run/fake-libvirt/guests/{name}.xml", GUEST.format(mac=guest.mac, tap=guest.tap))
    tell_libvirt(plain.world, plain.network)
    nethook(plain.world, "apply")
    reasons = plain.check(dict.fromkeys(ASKED, "blocked"))
    assert f"tap {plain.web.tap} of guest web1 is not in bridge virbr1: restart libvirt's daemon" in reasons[BOUND]
    assert "is not in bridge virbr1: restart libvirt's daemon" in reasons[FREE]


def test_an_address_for_which_nobody_has_answered(plain: Host) -> None:
    plain.web.namespace.ip(f"address delete {FREE}/32 dev eth0")
    plain.world.configure(*LINES, "2001:db8:7:1::/64 public via=2001:db8:101::77")
    nethook(plain.world, "apply")
    assert not plain.answers(FREE)
    plain.sh("ping -c 1 -W 4 2001:db8:7:1::1 || true")
    states = plain.states()
    assert states[FREE] == (
        "routed",
        f"nobody on virbr1 has answered for {FREE} within the last 60 s: run nethook doctor",
    )
    assert "for 2001:db8:101::77 within" in states["2001:db8:7:1::/64"][1]
    assert states[BOUND] == ("routed", "")


def test_a_host_without_a_way_out_for_a_family(here: Host) -> None:
    """Those who have a route of their own, as the neighbours here, may still be answered."""
    here.sh("ip -6 route delete default")
    reasons = here.check({})
    assert reasons[SIX] == "no IPv6 route leads from virbr1 to the Internet: run nethook doctor"
    assert reasons[FREE] == ""
    here.sh("ip route delete default; ip route add unreachable default")
    assert here.check({})[FREE] == "no IPv4 route leads from virbr1 to the Internet: run nethook doctor"


def test_an_address_of_the_subnet_of_the_uplink(plain: Host) -> None:
    of_uplink = "198.51.100.77"
    plain.world.configure(*LINES, f"{of_uplink} public", "198.51.100.78 public proxy=uplink")
    nethook(plain.world, "apply")
    plain.web.add(of_uplink, "198.51.100.78")
    outside = plain.world.outside(4).namespace
    assert not ask(outside, of_uplink, PORT).startswith("web1")
    assert ask(outside, "198.51.100.78", PORT).startswith("web1")
    states = plain.states()
    assert states["198.51.100.78"] == ("routed", "")
    assert states[of_uplink][0] == "routed"  # a provider may route it here all the same
    assert "in the subnet of uplink, where the host answers for it only with proxy=uplink" in states[of_uplink][1]
    said = json.loads(verb(plain.world, "doctor", "--json").stdout)
    (found,) = (each for each in said["findings"] if "in the subnet of uplink" in each["text"])
    assert (found["verdict"], found["addresses"]) == ("warning", [of_uplink])
    assert of_uplink not in said["healthy"] + said["not_tried"]
    assert "198.51.100.78" in said["healthy"]
    plain.sh("echo 1 > /proc/sys/net/ipv4/conf/uplink/proxy_arp")
    assert plain.states()[of_uplink] == ("routed", "")


def test_a_paused_guest(plain: Host) -> None:
    plain.world.machine.write("/run/fake-libvirt/paused", "web1\n")
    assert plain.states()[BOUND] == ("waiting", "guest web1 is paused: virsh resume web1")
    assert plain.states()[FREE] == ("routed", "")


def test_nobody_is_plugged_in(here: Host) -> None:
    for guest in (here.web, here.other):
        here.sh(f"ip link delete {guest.tap}")
    tell_libvirt(here.world, here.network)
    reasons = here.check(dict.fromkeys(ASKED, "waiting"))
    assert reasons[FREE] == "no guest is plugged into network public"
    assert reasons[BOUND].endswith("it stays as it was; no guest is plugged into network public")


def test_a_port_that_libvirt_does_not_know_may_be_a_guest(plain: Host) -> None:
    """Such as one of a guest that names the bridge itself, or a container."""
    tell_libvirt(plain.world, plain.network)
    states = plain.states()
    assert states[FREE] == ("routed", "")
    assert plain.answers(FREE)


def test_an_address_of_the_host_itself(here: Host) -> None:
    here.sh(f"ip address add {FREE}/32 dev uplink")
    reasons = here.check({FREE: "blocked"})
    assert reasons[FREE] == f"{FREE} is an address of this host, on uplink: packets to it never reach a guest"


def test_an_address_of_the_host_in_a_prefix_is_only_said(plain: Host) -> None:
    plain.sh("ip address add 203.0.113.20/32 dev uplink")
    plain.check({})


def test_a_bridge_that_is_down(plain: Host) -> None:
    plain.sh("ip link set virbr1 down")
    reasons = plain.check(dict.fromkeys(ASKED, "blocked"))
    assert reasons[FREE] == "bridge virbr1 is down: ip link set virbr1 up, and then nethook apply"


def test_a_tap_that_is_down(plain: Host) -> None:
    plain.sh(f"ip link set {plain.web.tap} down")
    states = plain.states()
    assert states[BOUND] == ("blocked", f"tap {plain.web.tap} of guest web1 is down: ip link set {plain.web.tap} up")
    assert not plain.answers(BOUND)


@pytest.mark.parametrize("family", [4, 6])
def test_a_bridge_that_has_lost_the_gateway_of_its_guests(plain: Host, family: int) -> None:
    """Guests with routed addresses may have another one. To private addresses, the host has no route any more."""
    target = plain.web.private(family).address
    listening = {4: "198.51.100.2:8080", 6: "[2001:db8:ffff::2]:8080"}[family]
    plain.world.machine.write(FORWARDS, f"{listening} public guest=web1 to={with_port(target)}\n")
    nethook(plain.world, "apply")
    assert [*plain.forwards().values()] == [("forwarded", "")]
    address = f"{plain.network.address(family, 1)}/{LENGTH[family]}"
    plain.sh(f"ip address delete {address} dev virbr1")
    reason = f"virbr1 has lost {address}, which libvirt gave it: ip address add {address} dev virbr1"
    assert [*plain.forwards().values()] == [("blocked", reason)]
    states = plain.states()
    concerned = {line for line in ASKED if (":" in line) == (family == 6)}
    assert {line for line, state in states.items() if state == ("routed", reason)} == concerned
    said = json.loads(verb(plain.world, "doctor", "--json").stdout)
    lost = [each for each in said["findings"] if f"has lost {address}" in each["text"]]
    assert [(each["verdict"], each["command"]) for each in lost] == [
        ("warning", f"ip address add {address} dev virbr1"),
        ("failure", f"ip address add {address} dev virbr1"),
    ]
    assert {*lost[0]["addresses"]} == concerned
    assert not concerned & {*said["healthy"]}
    plain.sh(lost[0]["command"])
    assert [*plain.forwards().values()] == [("forwarded", "")]
    assert plain.states() == dict.fromkeys(ASKED, ("routed", ""))
    assert plain.answers(BOUND)
    plain.world.configure()  # so the bridge has no gateway of ours
    nethook(plain.world, "apply")
    plain.sh(f"ip address delete {address} dev virbr1")
    assert [*plain.forwards().values()] == [("blocked", reason)]


@pytest.mark.parametrize("family", [4, 6])
def test_a_forwarded_address_of_the_subnet_of_the_uplink(plain: Host, family: int) -> None:
    """Nobody answers ARP or NDP for it: an address of the host, or one that another line answers for, needs nothing."""
    alone, proxied, own = (
        with_port(f"{({4: '198.51.100.', 6: '2001:db8:ffff::'})[family]}{number}") for number in (77, 78, 79)
    )
    target = with_port(plain.web.private(family).address)
    lines = [f"{alone}", f"{proxied} proxy=uplink", f"{proxied[:-4]}8081", own]
    lines = [f"{line.split()[0]} public to={target} {' '.join(line.split()[1:])}" for line in lines]
    plain.world.machine.write(FORWARDS, "\n".join(lines) + "\n")
    plain.sh(f"ip address add {own[:-5].strip('[]')}/{32 if family == 4 else 128} dev lo")
    nethook(plain.world, "apply")
    states = plain.forwards()
    assert {state for state, _ in states.values()} == {"forwarded"}
    ((doubted, reason),) = ((line, reason) for line, (_, reason) in states.items() if reason)
    assert doubted == f"{alone}/tcp"
    assert "in the subnet of uplink, where the host answers for it only with proxy=uplink" in reason
    said = json.loads(verb(plain.world, "doctor", "--json").stdout)
    (found,) = (each for each in said["findings"] if "in the subnet of uplink" in each["text"])
    assert (found["verdict"], found["addresses"]) == ("warning", [doubted])
    assert doubted not in said["healthy"] + said["not_tried"]
    # Without a route of ours to it, the kernel would send the packets back to the uplink, and answers nobody.
    plain.sh("echo 1 > /proc/sys/net/ipv4/conf/uplink/proxy_arp")
    assert plain.forwards()[doubted][1] == reason
