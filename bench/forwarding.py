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

from bench.lab import addresses, run
from bench.libvirt_rules import BRIDGE
from nethook.config.settings import ROUTE_PROTOCOL
from nethook.parts.fallback_rules import FALLBACK_RULES, rules_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.lab import Lab

GUEST_ADDRESS = addresses(1)[0]
WAITING = "203.0.113.10"
OUTSIDE, GUEST = "outside", "guest"


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


def measure_rates(lab: Lab, series: RateSeries, progress: Callable[[str], None]) -> Rates:
    """Measure all in turn, so many times."""
    _connect()
    most = max(series.addresses)
    setups: dict[str, Callable[[], None]] = {"no rules": partial(_no_rules, lab)}
    setups |= {f"{count} addresses": partial(_routed, lab, count) for count in series.addresses}
    setups["a line that waits"] = partial(_waiting, lab)
    setups["predecessor"] = partial(_predecessor, lab, most)
    rates: dict[str, list[float]] = {name: [] for name in setups}
    for sample in range(series.samples):
        for name, set_up in setups.items():
            progress(f"forwarding, {name}, sample {sample + 1} of {series.samples} …")
            set_up()
            rates[name].append(_rate(series.seconds))
    progress("")
    medians = [median(values) for values in rates.values()]
    return Rates(medians[0], dict(zip(series.addresses, medians[1:])), waiting=medians[-2], predecessor=medians[-1])


def _connect() -> None:
    """Cables from outside to the host and from the bridge to the guest, and the routes that use them."""
    for name in (OUTSIDE, GUEST):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", f"to-{name}", "up")
        run("ip", "-n", name, "link", "set", "eth0", "up")
    run("ip", "addr", "add", "192.0.2.1/30", "dev", f"to-{OUTSIDE}")
    run("ip", "-n", OUTSIDE, "addr", "add", "192.0.2.2/30", "dev", "eth0")
    run("ip", "-n", OUTSIDE, "route", "add", "default", "via", "192.0.2.1")
    run("ip", "link", "set", f"to-{GUEST}", "master", BRIDGE)
    run("ip", "-n", GUEST, "addr", "add", f"{GUEST_ADDRESS}/32", "dev", "eth0")
    run("ip", "-n", GUEST, "route", "add", "default", "via", "192.168.77.1", "dev", "eth0", "onlink")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def _no_rules(lab: Lab) -> None:
    lab.reset()
    run("nft", "flush", "ruleset")
    run("ip", "route", "add", GUEST_ADDRESS, "dev", BRIDGE, "proto", "218")


def _routed(lab: Lab, count: int) -> None:
    lab.reset()
    lab.configure(count)
    lab.hook()
    lab.require_success(count)


def _waiting(lab: Lab) -> None:
    _routed(lab, 1)
    for key in sorted(rules_for({WAITING}, ()), reverse=True):
        run("ip", *FALLBACK_RULES.add(key, ROUTE_PROTOCOL).split())


def _predecessor(lab: Lab, count: int) -> None:
    _no_rules(lab)
    rules = [
        f"-I FORWARD -{side} {address} -{way} {BRIDGE} -j ACCEPT"
        for address in addresses(count)
        for side, way in (("d", "o"), ("s", "i"))
    ]
    # The guest's address is the last one that is looked at: `-I` inserts in front, and it is the first in the file.
    run("iptables-restore", stdin="\n".join(["*filter", *rules, "COMMIT", ""]))


def _rate(seconds: float) -> float:
    """Packets a second that reach the guest."""
    _send(0.05)  # neighbours are found, caches warm
    before = _received()
    elapsed = _send(seconds)
    return (_received() - before) / elapsed


def _send(seconds: float) -> float:
    sender = (sys.executable, "-m", "bench.sender", GUEST_ADDRESS, str(seconds))
    return float(run("ip", "netns", "exec", OUTSIDE, *sender))


def _received() -> int:
    [link] = json.loads(run("ip", "-n", GUEST, "-json", "-statistics", "link", "show", "eth0"))
    return int(link["stats64"]["rx"]["packets"])
