"""How many packets a second reach one guest, by the number of addresses that are configured.

Sender and guest are network namespaces, each on a virtual cable: one to the host, one to the bridge. One CPU does all
the work for a packet, from the sender's system call to the guest. The guest counts what arrives, and drops it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from bench.bench_host import NETWORK, addresses
from nethook.config.settings import ROUTE_PROTOCOL
from nethook.parts.fallbacks import FALLBACK_RULES, rules_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench_host import BenchHost
    from lab.world.network import WorldNetwork

GUEST_ADDRESS = addresses(1)[0]
ROUTE_NETWORK = NETWORK._replace(mode="route")
OWN_ADDRESS = ROUTE_NETWORK.address(4, 2)
"""The guest's address in libvirt's own subnet, to which libvirt routes and for which it has rules."""
WAITING = "203.0.113.10"
OUTSIDE, GUEST = "outside", "guest"
PLAIN, BESIDE_PLAIN = "libvirt alone, mode route", "1 address, mode route"


@dataclass(frozen=True)
class RateSeries:
    """What to measure: with which numbers of addresses, how often, for how many seconds each."""

    addresses: tuple[int, ...]
    samples: int
    seconds: float


@dataclass(frozen=True)
class Rates:
    """Packets a second, as medians: without any rules, by the number of addresses, and with a predecessor's rules."""

    no_rules: float
    by_addresses: dict[int, float]
    waiting: float
    """With one address, and a line that waits for its network, so that there are routing rules."""
    predecessor: float
    """With the highest number of addresses, two rules of iptables for each."""
    plain: list[float]
    """Without us, to an address of the subnet of a libvirt network of mode route; each beside ``beside_plain``."""
    beside_plain: list[float]
    """To a routed IP of the same network."""


def measure_rates(host: BenchHost, series: RateSeries, progress: Callable[[str], None]) -> Rates:
    """Measure all in turn, so many times. Guest and outside are connected already."""
    most = max(series.addresses)
    setups: dict[str, Callable[[], None]] = {"no rules": partial(no_rules, host)}
    setups |= {f"{count} addresses": partial(route, host, count) for count in series.addresses}
    setups["a line that waits"] = partial(_waiting, host)
    setups["predecessor"] = partial(_predecessor, host, most)
    setups[PLAIN] = partial(host.reset, ROUTE_NETWORK)
    setups[BESIDE_PLAIN] = partial(route, host, 1, ROUTE_NETWORK)
    rates: dict[str, list[float]] = {name: [] for name in setups}
    for sample in range(series.samples):
        for name, set_up in setups.items():
            progress(f"forwarding, {name}, sample {sample + 1} of {series.samples} …")
            set_up()
            rates[name].append(rate(host, OWN_ADDRESS if name == PLAIN else GUEST_ADDRESS, series.seconds))
    progress("")
    medians = {name: median(values) for name, values in rates.items()}
    return Rates(
        medians["no rules"],
        {count: medians[f"{count} addresses"] for count in series.addresses},
        waiting=medians["a line that waits"],
        predecessor=medians["predecessor"],
        plain=rates[PLAIN],
        beside_plain=rates[BESIDE_PLAIN],
    )


def connect(host: BenchHost) -> None:
    """Cables from outside to the host and from the bridge to the guest, and the routes that use them."""
    for name in (OUTSIDE, GUEST):
        host.run("ip", "netns", "add", name)
        host.run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        host.run("ip", "link", "set", f"to-{name}", "up")
        host.run("ip", "-n", name, "link", "set", "eth0", "up")
    host.run("ip", "addr", "add", "198.51.100.1/30", "dev", f"to-{OUTSIDE}")
    host.run("ip", "-n", OUTSIDE, "addr", "add", "198.51.100.2/30", "dev", "eth0")
    host.run("ip", "-n", OUTSIDE, "route", "add", "default", "via", "198.51.100.1")
    host.run("ip", "link", "set", f"to-{GUEST}", "master", NETWORK.bridge)
    for address in (GUEST_ADDRESS, OWN_ADDRESS):
        host.run("ip", "-n", GUEST, "addr", "add", f"{address}/32", "dev", "eth0")
    host.run("ip", "-n", GUEST, "route", "add", "default", "via", NETWORK.address(4, 1), "dev", "eth0", "onlink")
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def no_rules(host: BenchHost) -> None:
    """A route to the guest, and no rules of anybody."""
    host.reset()
    host.run("nft", "flush", "ruleset")
    host.run("ip", "route", "add", GUEST_ADDRESS, "dev", NETWORK.bridge, "proto", "218")


def route(host: BenchHost, count: int, network: WorldNetwork = NETWORK) -> None:
    """Route so many addresses to the network, the first of them to the guest."""
    host.reset(network)
    host.configure(count)
    host.hook()
    host.require_success(count)


def _waiting(host: BenchHost) -> None:
    route(host, 1)
    for key in sorted(rules_for({WAITING}, ()), reverse=True):
        host.run("ip", *FALLBACK_RULES.add(key, ROUTE_PROTOCOL).split())


def _predecessor(host: BenchHost, count: int) -> None:
    no_rules(host)
    rules = [
        f"-I FORWARD -{side} {address} -{way} {NETWORK.bridge} -j ACCEPT"
        for address in addresses(count)
        for side, way in (("d", "o"), ("s", "i"))
    ]
    # The guest's address is the last one that is looked at: `-I` inserts in front, and it is the first in the file.
    host.run("iptables-restore", stdin="\n".join(["*filter", *rules, "COMMIT", ""]))


def rate(host: BenchHost, address: str, seconds: float) -> float:
    """Packets a second that reach the guest at this address."""
    send(host, address, "0.05")  # neighbours are found, caches warm
    before = received(host)
    elapsed = send(host, address, str(seconds))
    return (received(host) - before) / elapsed


def send(host: BenchHost, address: str, *options: str) -> float:
    """Send packets to this address, and say how many seconds that took."""
    return float(host.run("ip", "netns", "exec", OUTSIDE, sys.executable, "-m", "bench.sender", address, *options))


def received(host: BenchHost) -> int:
    """How many packets have come to the guest."""
    [link] = json.loads(host.run("ip", "-n", GUEST, "-json", "-statistics", "link", "show", "eth0"))
    return int(link["stats64"]["rx"]["packets"])
