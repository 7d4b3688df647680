"""How many new connections, and packets of one connection, reach a guest a second through a forwarded port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.bench_host import FIRST_PORT, GUEST, PUBLIC, forward
from bench.forwarding import GUEST_ADDRESS, OWN_ADDRESS, no_rules, rate, received, route, send
from bench.sender import PORT
from lab.world.tracking import forget

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench_host import BenchHost
    from bench.forwarding import RateSeries

CONNECTIONS = 40_000
FEW, MANY = 1, 10_000
RULES = 1000


@dataclass(frozen=True)
class ForwardRates:
    """A second; what stands at the same place was measured in one round. By the number of forwards."""

    new: dict[int, list[float]]
    """Connections."""
    new_by_rules: list[float]
    """The same with rules of iptables instead of us, of which the last one matches, and none of libvirt."""
    packets: dict[int, list[float]]
    """Packets of one connection."""
    routed: list[float]
    """Packets of one connection to a routed IP."""


def measure_forward_rates(host: BenchHost, series: RateSeries, progress: Callable[[str], None]) -> ForwardRates:
    """Measure all in turn, so many times. Guest and outside are connected already."""
    rates = ForwardRates({FEW: [], MANY: []}, [], {FEW: [], MANY: []}, [])
    for sample in range(series.samples):
        progress(f"forwarding of ports, sample {sample + 1} of {series.samples} …")
        route(host, 1)
        rates.routed.append(rate(host, GUEST_ADDRESS, series.seconds))
        for count in (FEW, MANY):
            _forward(host, count)
            rates.packets[count].append(rate(host, PUBLIC, series.seconds))
            rates.new[count].append(_new_connections(host))
        _rules(host)
        rates.new_by_rules.append(_new_connections(host))
    progress("")
    return rates


def _forward(host: BenchHost, count: int) -> None:
    """Forward so many ports; the one to which is sent is the last line."""
    ports = [*range(FIRST_PORT, FIRST_PORT + count - 1), PORT]
    host.configure(forwards=[forward(f"{port}/udp") for port in ports])
    host.reset()
    forget()  # or the hook would look in all of them for flows to end
    host.plug(GUEST)


def _rules(host: BenchHost) -> None:
    """The same by rules of iptables."""
    no_rules(host)
    to = f"-d {PUBLIC} -p udp --dport"
    ports = [*range(FIRST_PORT, FIRST_PORT + RULES - 1), PORT]
    rules = [f"-A PREROUTING {to} {port} -j DNAT --to-destination {OWN_ADDRESS}:{port}" for port in ports]
    host.run("iptables-restore", stdin="\n".join(["*nat", *rules, "COMMIT", ""]))


def _new_connections(host: BenchHost) -> float:
    send(host, PUBLIC, "0.05")  # neighbours are found, caches warm
    forget()
    before = received(host)
    elapsed = send(host, PUBLIC, "--new", str(CONNECTIONS))
    arrived = received(host) - before
    if arrived < CONNECTIONS:
        raise SystemExit(f"bench: of {CONNECTIONS} new connections, {arrived} reached the guest")
    return arrived / elapsed
