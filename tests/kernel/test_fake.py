"""The fake host beside the real tools: the same scripts, the same answers, the same state as the program reads it.

Each life of ``tests/unit/scenarios.py`` is recorded on the fake host, with all that libvirt and the program did, and
played on the kernel. Others are about what goes wrong.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from lab.world.machine import Machine
from nethook.host.fake import FakeHost
from nethook.host.fake.kernel import Kernel
from tests.kernel.playing import OnFake, in_namespace
from tests.unit.machine import World
from tests.unit.scenarios import SCENARIOS, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nethook.host.fake.answer import Answer
    from nethook.host.links import Link
    from nethook.host.process import Call
    from tests.kernel.playing import Step


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


class Recorded(Kernel):
    """A kernel that writes down what is done to it, but not by tools."""

    def __init__(self, script: list[Step]) -> None:
        self.script: list[Step] = []  # lo
        super().__init__()
        self.script = script

    def add_link(self, name: str, kind: str = "", mac: str = "52:54:00:ff:ff:ff", master: str = "") -> Link:
        self.script.append(["link", name, kind, mac, master])
        return super().add_link(name, kind, mac, master)

    def delete_link(self, name: str) -> None:
        self.script.append(["unlink", name])
        super().delete_link(name)

    def add_address(self, text: str, device: str, *, metric: int = 0, flags: int = 0) -> None:
        if not metric:
            self.script.append(["address", text, device])
        super().add_address(text, device, metric=metric, flags=flags)

    def write_setting(self, path: str, text: str) -> None:
        self.script.append(["setting", path, text])
        super().write_setting(path, text)


class Recorder(FakeHost):
    """A host that writes down what is asked of it, as a script."""

    def __init__(self) -> None:
        super().__init__()
        self.script: list[Step] = []
        self.kernel = Recorded(self.script)

    def _tool(self, call: Call) -> Answer:
        answer = super()._tool(call)
        self.script.append(["call", list(call.argv), call.stdin, answer.out])
        return answer

    def _change_elements(
        self, family: str, new: Mapping[str, Sequence[bytes]], gone: Mapping[str, Sequence[bytes]]
    ) -> None:
        def names(keys: Mapping[str, Sequence[bytes]]) -> dict[str, list[str]]:
            return {name: [each.rstrip(b"\0").decode() for each in devices] for name, devices in keys.items()}

        self.script.append(["elements", family, names(new), names(gone)])
        super()._change_elements(family, new, gone)


def compare(machine: Machine, script: list[Step]) -> None:
    """Play the script on both, and compare step by step."""
    machine.write("/mnt/script", json.dumps(script))
    machine.run("ip", "link", "set", "lo", "up")
    real = json.loads(machine.run("sh", "-c", f"{shlex.join(in_namespace())} </mnt/script"))
    fake = json.loads(json.dumps(OnFake(FakeHost()).play(script)))
    found = [
        f"{step}\n  fake:   {differing(on_fake, on_kernel)}\n  kernel: {differing(on_kernel, on_fake)}"
        for step, on_kernel, on_fake in zip(script, real, fake)
        if on_kernel != on_fake
    ]
    assert not found, "\n".join(found)


def differing(found: Any, wanted: Any) -> Any:
    """Return what is not the same, of what was found."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {key: differing(found[key], wanted[key]) for key in found if found[key] != wanted.get(key)}
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_life(machine: Machine, name: str) -> None:
    host = Recorder()
    scenario = SCENARIOS[name]
    world = World(scenario.firewall, host)
    world.configure(*scenario.lines, settings=scenario.settings)
    for step in steps_of(scenario):
        step.before(world)
        assert step.act(world) == []
        host.script.append(["state"])
    compare(machine, host.script)


def nft(*commands: str) -> Step:
    """One transaction."""
    return ["call", ["nft", "-f", "-"], "\n".join(commands), ""]


def ip(*lines: str, options: Sequence[str] = ()) -> Step:
    """One batch."""
    return ["call", ["ip", *options, "-force", "-batch", "-"], "\n".join(lines), ""]


def restore(*commands: str, tool: str = "iptables-nft") -> Step:
    """One change of the table filter."""
    text = "\n".join(("*filter", *commands, "COMMIT", ""))
    return ["call", [f"{tool}-restore", "-w", "3", "--noflush"], text, ""]


def run(*argv: str) -> Step:
    """One call."""
    return ["call", list(argv), "", ""]


TABLE = [
    "add table inet nethook",
    "add set inet nethook bridges { type ifname; }",
    "add set inet nethook routed4 { type ipv4_addr; counter; }",
    "add set inet nethook routed4_prefixes { type ipv4_addr; flags interval; counter; }",
    "add set inet nethook to6_prefixes { type ifname . ipv6_addr; flags interval; counter; }",
    "add chain inet nethook allow",
    "add chain inet nethook forward { type filter hook forward priority filter - 10; policy accept; }",
    'add rule inet nethook forward goto allow comment "first"',
    'add rule inet nethook allow ip daddr @routed4 accept comment "second"',
]
GATE = "-m mark --mark 0x10/0x10 -m comment --comment nethook-0x10 -j ACCEPT"
BRIDGES: list[Step] = [
    ["link", "uplink", "", "52:54:00:ff:ff:ff", ""],
    ["address", "198.51.100.2/24", "uplink"],
    ["address", "2001:db8:ffff::2/64", "uplink"],
    ["link", "virbr1", "bridge", "52:54:00:be:81:01", ""],
    ["address", "192.0.2.9/29", "virbr1"],
    ["address", "2001:db8:101::1/64", "virbr1"],
    ["link", "virbr2", "bridge", "52:54:00:be:81:02", ""],
]
NFT = [
    nft("add rule inet nethook forward accept"),
    nft("add element inet nethook routed4 { 203.0.113.1 }"),
    nft("delete table inet nethook"),
    nft("add table inet nethook", "delete table inet nethook"),
    run("nft", "--handle", "list", "chain", "inet", "nethook", "forward"),
    nft(*TABLE),
    nft(*TABLE[:-2]),
    run("nft", "--handle", "list", "chain", "inet", "nethook", "forward"),
    run("nft", "--handle", "list", "chain", "inet", "nethook", "nowhere"),
    nft("flush chain inet nethook nowhere"),
    nft("add rule inet nethook forward jump nowhere"),
    nft("add rule inet nethook forward ip saddr @nothing accept"),
    nft("insert rule inet nethook forward handle 999 drop"),
    nft("delete rule inet nethook forward handle 999"),
    nft("add set inet nethook routed4 { type ipv6_addr; }"),
    nft("add chain inet nethook forward { type filter hook forward priority 10; policy accept; }"),
    nft("add element inet nethook nothing { 203.0.113.1 }"),
    nft("add element inet nethook routed4 { 203.0.113.1 }", "delete element inet nethook routed4 { 203.0.113.2 }"),
    nft("add element inet nethook routed4 { 203.0.113.1, 203.0.113.2 }"),
    nft("add element inet nethook routed4 { 203.0.113.1 }", "delete element inet nethook routed4 { 203.0.113.2 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.0/29, 203.0.113.8/29, 203.0.113.32/27 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.0/29 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.0/28 }"),
    nft("add element inet nethook routed4_prefixes { 203.0.113.4/30 }"),
    nft("delete element inet nethook routed4_prefixes { 203.0.113.4/30 }"),
    nft("delete element inet nethook routed4_prefixes { 203.0.113.64/27 }"),
    nft(
        "delete element inet nethook routed4_prefixes { 203.0.113.0/29, 203.0.113.8/29 }",
        "add element inet nethook routed4_prefixes { 203.0.113.0/28 }",
    ),
    nft(
        "delete element inet nethook routed4_prefixes { 203.0.113.32/27 }",
        "add element inet nethook routed4_prefixes { 203.0.113.32/28, 203.0.113.48/28 }",
    ),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/64, "virbr2" . 2001:db8::/64 }'),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/64 }'),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/60 }'),
    nft('add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/80 }'),
    nft('delete element inet nethook to6_prefixes { "virbr1" . 2001:db8::/80 }'),
    nft('delete element inet nethook to6_prefixes { "virbr3" . 2001:db8::/64 }'),
    nft(
        'delete element inet nethook to6_prefixes { "virbr1" . 2001:db8::/64 }',
        'add element inet nethook to6_prefixes { "virbr1" . 2001:db8::/80 }',
    ),
    nft('add element inet nethook bridges { "virbr1", "a,b", "star\\*" }'),
    ["elements", "inet", {"bridges": ["virbr1", "virbr2"]}, {}],
    ["elements", "inet", {}, {"bridges": ["virbr2"]}],
    ["elements", "inet", {"bridges": ["virbr3"]}, {"bridges": ["virbr9"]}],
    ["elements", "inet", {"nothing": ["virbr3"]}, {}],
    ["elements", "bridge", {"bridges": ["virbr3"]}, {}],
    nft("flush chain inet nethook allow", "add rule inet nethook allow drop", "add rule inet nethook nowhere accept"),
    nft("delete table inet nethook", *TABLE),
    nft("delete table arp nethook"),
]
IP = [
    ip(
        "route add 203.0.113.10 dev virbr1 proto 218",
        "route add 203.0.113.10 dev virbr1 proto 218",
        "route add 203.0.113.10 dev uplink proto static",
        "route add 203.0.113.10 dev uplink proto static metric 5",
        "route add 203.0.113.11 dev nowhere proto 218",
        "route del 203.0.113.12 dev virbr1 proto 218",
        "route del 203.0.113.10 dev nowhere proto 218",
        "route del 203.0.113.10 dev virbr1 proto 217",
        "route del 203.0.113.10 dev virbr2 proto 218",
        "route replace 203.0.113.10 dev virbr2 proto 218",
        "route add 192.0.2.8/29 dev virbr1 proto 218",
    ),
    ip(
        "route add 2001:db8:7::10 dev virbr1 proto 218",
        "route add 2001:db8:7::10 dev virbr1 proto 218",
        "route add 2001:db8:7::10 dev uplink proto static",
        "route add 2001:db8:7::10 dev uplink proto static metric 5",
        "route del 2001:db8:7::11 dev virbr1 proto 218",
        "route del 2001:db8:7::10 dev virbr1 proto 217",
        "route add 2001:db8:101::/64 dev virbr1 proto 218",
    ),
    ip(
        "route add 203.0.113.16/29 via 192.0.2.10 dev virbr1 onlink proto 218",
        "route add 203.0.113.24/29 via 203.0.113.200 dev virbr1 onlink proto 218",
        "route add 203.0.113.32/29 via 203.0.113.200 dev virbr1 proto 218",
        "route add 203.0.113.16/29 dev virbr1 proto 218",
        "route add 2001:db8:7:8::/64 via fe80::5 dev virbr1 onlink proto 218",
    ),
    run("ip", "-4", "route", "show", "exact", "203.0.113.10"),
    run("ip", "-6", "route", "show", "exact", "2001:db8:7::10"),
    run("ip", "-4", "route", "show", "exact", "203.0.113.99"),
    ["call", ["ip", "-4", "-json", "-batch", "-"], "route show dev virbr1\nroute show dev uplink\n", ""],
    ["call", ["ip", "-6", "-json", "-batch", "-"], "route show dev virbr1\nroute show dev nowhere\n", ""],
    ip(
        "route add unreachable 203.0.113.10 table 218000 proto 218",
        "route add unreachable 203.0.113.10 table 218000 proto 218",
        "route add unreachable 2001:db8:7::10 table 218000 proto 218",
        "route add unreachable 2001:db8:7::10 table 218000 proto 218",
        "route del unreachable 203.0.113.99 table 218000 proto 218",
        "route del unreachable 203.0.113.99 table 218032 proto 218",
        "route del unreachable 2001:db8:7::99 table 218000 proto 218",
        "route del unreachable 2001:db8:7::99 table 218128 proto 218",
        "route add unreachable 203.0.113.12 proto 218 metric 4294967295",
        "route add unreachable 2001:db8:7::12 proto 218 metric 4294967295",
        "route del unreachable 203.0.113.12 proto 218 metric 4294967295",
    ),
    ip(
        "rule add from 0.0.0.0/0 pref 32765 lookup main suppress_prefixlength 3 protocol 218",
        "rule add from 0.0.0.0/0 pref 32765 lookup 218000 protocol 218",
        "rule add from 0.0.0.0/0 pref 32765 lookup 218000 protocol 218",
        "rule del from 0.0.0.0/0 pref 32765 lookup 218001 protocol 218",
        options=["-4"],
    ),
    ip(
        "rule add from ::/0 pref 32765 lookup main suppress_prefixlength 3 protocol 218",
        "rule add from ::/0 pref 32765 lookup main suppress_prefixlength 3 protocol 218",
        "rule add from ::/0 pref 32765 lookup 218064 protocol 218",
        "rule del from ::/0 pref 32765 lookup 218000 protocol 218",
        options=["-6"],
    ),
    ip("route del unreachable 2001:db8:7::/64 table 218064 proto 218"),
    ip(
        "address add 169.254.0.1/32 dev virbr1 metric 218",
        "address add 169.254.0.1/32 dev virbr1 metric 218",
        "address add 169.254.0.1/32 dev virbr2 metric 218",
        "address add fe80::1/64 dev virbr1 metric 218 nodad noprefixroute",
        "address add fe80::1/64 dev virbr1 metric 218 nodad noprefixroute",
        "address add fe80::1/64 dev virbr2 metric 218 nodad",
        "address add 169.254.0.1/32 dev nowhere metric 218",
        "address delete 169.254.0.2/32 dev virbr1",
        "address delete fe80::2/64 dev virbr1",
        "address delete 169.254.0.1/32 dev nowhere",
    ),
    ip("route add 203.0.113.77 dev virbr2 proto 218"),
    ip("address delete 169.254.0.1/32 dev virbr2", "address delete fe80::1/64 dev virbr2"),
    ip(
        "neighbour replace 203.0.113.10 lladdr 52:54:00:00:00:01 dev virbr1 nud permanent protocol 218",
        "neighbour replace 203.0.113.10 lladdr 52:54:00:00:00:02 dev virbr1 nud permanent protocol 218",
        "neighbour replace 2001:db8:7::10 lladdr 52:54:00:00:00:02 dev virbr1 nud permanent protocol 218",
        "neighbour replace 203.0.113.10 lladdr 52:54:00:00:00:01 dev nowhere nud permanent protocol 218",
        "neighbour delete 203.0.113.10 dev nowhere",
        "neighbour add proxy 203.0.113.10 dev uplink protocol 218",
        "neighbour add proxy 203.0.113.10 dev uplink protocol 218",
        "neighbour add proxy 2001:db8:7::10 dev uplink protocol 218",
        "neighbour add proxy 203.0.113.10 dev nowhere protocol 218",
        "neighbour delete proxy 203.0.113.10 dev nowhere",
        "neighbour delete 203.0.113.10 dev virbr1",
    ),
    # ip ends at the first refusal, and what comes behind it is not done
    ip("neighbour delete 203.0.113.10 dev virbr1", "neighbour delete 2001:db8:7::10 dev virbr1"),
    ip("neighbour delete proxy 203.0.113.99 dev uplink", "neighbour delete proxy 203.0.113.10 dev uplink"),
    run("ip", "link", "set", "dev", "virbr1", "type", "bridge", "no_linklocal_learn", "1"),
    run("ip", "link", "set", "dev", "nowhere", "type", "bridge", "no_linklocal_learn", "1"),
    ["setting", "/proc/sys/net/ipv6/conf/virbr1/addr_gen_mode", "1"],
    ["setting", "/proc/sys/net/ipv6/conf/virbr1/disable_ipv6", "1"],
    ip("route add 2001:db8:7::20 dev virbr1 proto 218", "address add fe80::1/64 dev virbr1 metric 218 nodad"),
    ["setting", "/proc/sys/net/ipv6/conf/virbr1/disable_ipv6", "0"],
    ["setting", "/proc/sys/net/ipv6/conf/nowhere/disable_ipv6", "0"],
    ["link", "vnet1", "tun", "fe:54:00:00:00:01", "virbr1"],
    ["unlink", "vnet1"],
    ["unlink", "virbr1"],
    run("conntrack", "-D", "-f", "ipv4", "--orig-src", "203.0.113.10"),
    run("conntrack", "-D", "-f", "ipv6", "--orig-dst", "2001:db8:7::10"),
]
IPTABLES = [
    step
    for tool in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
    for step in (
        run(tool, "-w", "3", "-S", "FORWARD"),
        restore(f"-I FORWARD 1 {GATE}", "-D FORWARD -m mark --mark 0x20/0x20 -j ACCEPT", tool=tool),
        restore(f"-I FORWARD 3 {GATE}", tool=tool),
        restore("-I NOWHERE 1 -j ACCEPT", tool=tool),
        restore(":MINE -", "-A MINE -j DROP", f"-I FORWARD 1 {GATE}", "-A FORWARD -j MINE", tool=tool),
        restore(f"-I FORWARD 2 {GATE}", f"-D FORWARD {GATE}", tool=tool),
        run(tool, "-w", "3", "-S", "FORWARD"),
        run(tool, "-w", "-S"),
    )
]


@pytest.mark.parametrize("steps", [NFT, [*BRIDGES, *IP], IPTABLES], ids=["nft", "ip", "iptables"])
def test_what_goes_wrong(machine: Machine, steps: list[Step]) -> None:
    compare(machine, [each for step in steps for each in (step, ["state"])])
