"""``python3 -m bench``: measures, and prints what was measured beside what is to be reached."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from bench import report
from bench.against import measure_against
from bench.announcing import measure_announcing
from bench.bench_host import BACKENDS, BenchHost, enter_namespaces, is_in_namespaces
from bench.connections import measure_deletions
from bench.forward_rates import measure_forward_rates
from bench.forward_times import measure_forwards
from bench.forwarding import RateSeries, connect, measure_rates
from bench.heals import measure_heals
from bench.hook_time import measure_hook, measure_ignored_event
from bench.host_heals import measure_host_heals
from bench.scale import measure_scale
from bench.storms import measure_storms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Target

FULL_HOOK = {1: 15, 10: 15, 100: 15, 300: 5, 1000: 9, 10_000: 5}
"""How many samples to take, by the number of addresses: few where one takes long."""
QUICK_HOOK = {1: 5, 100: 5, 1000: 3}

FULL_FORWARDS = {0: 15, 10: 15, 1000: 9, 10_000: 7}
QUICK_FORWARDS = {0: 3, 10: 3, 1000: 3, 10_000: 1}
"""The same by the number of forwards."""

FULL_RATES = RateSeries(addresses=(1, 100, 1000), samples=7, seconds=1.0)
QUICK_RATES = RateSeries(addresses=(1, 1000), samples=3, seconds=0.3)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description="How fast the hook is. Run as root.")
    parser.add_argument("--quick", action="store_true", help="fewer numbers and samples: a smoke test")
    parser.add_argument("--scale", action="store_true", help="only how the time grows, up to the most addresses")
    parser.add_argument("--forwards", action="store_true", help="only forwarded ports")
    parser.add_argument("--against", metavar="COMMIT", help="only events with nothing to do, beside those of a commit")
    parser.add_argument("--storms", action="store_true", help="only many events at once, on a booted host")
    parser.add_argument("--heals", action="store_true", help="only how long the service takes to heal")
    parser.add_argument("--heals-on-hosts", action="store_true", help="the same on booted hosts: longest times silent")
    parser.add_argument("--announcing", action="store_true", help="only how fast a router learns of moves among hosts")
    parser.add_argument(
        "--backend", choices=sorted(BACKENDS), default="nftables", help="whose rules of libvirt stand in the way"
    )
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("namespaces, routes and rules need root")
    if options.storms:
        print(*measure_storms(_progress), sep="\n")
        return
    if options.heals:
        print(*measure_heals(_progress), sep="\n")
        return
    if options.heals_on_hosts:
        for line in measure_host_heals(_progress):
            print(line, flush=True)
        return
    if options.announcing:
        for line in measure_announcing(_progress):
            print(line, flush=True)
        return
    if not is_in_namespaces():
        enter_namespaces()

    host = BenchHost(options.backend)
    print(report.machine(options.backend), flush=True)
    if options.scale:
        print(*measure_scale(host, _progress), sep="\n")
        return
    if options.against:
        print(*measure_against(host, options.against, _progress), sep="\n")
        return
    connect(host)
    found = [] if options.forwards else [*_measure_addresses(host, is_quick=options.quick)]
    found += _measure_forwards(host, is_quick=options.quick)
    print(report.targets(found))


def _measure_addresses(host: BenchHost, *, is_quick: bool) -> Iterator[Target]:
    """Print the tables of routed IPs, and yield the targets."""
    hook = measure_hook(host, QUICK_HOOK if is_quick else FULL_HOOK, _progress)
    print(report.hook_times(hook, measure_ignored_event(host, samples=15)), flush=True)
    rates = measure_rates(host, QUICK_RATES if is_quick else FULL_RATES, _progress)
    print(report.rates(rates), flush=True)
    yield from report.targets_of_addresses(hook, rates)


def _measure_forwards(host: BenchHost, *, is_quick: bool) -> Iterator[Target]:
    """Print the tables of forwards, and yield the targets."""
    times = measure_forwards(host, QUICK_FORWARDS if is_quick else FULL_FORWARDS, _progress)
    print(report.forward_times(times), flush=True)
    deleted = measure_deletions(_progress)
    print(report.deletions(deleted), flush=True)
    rates = measure_forward_rates(host, QUICK_RATES if is_quick else FULL_RATES, _progress)
    print(report.forward_rates(rates), flush=True)
    yield from report.targets_of_forwards(times, deleted, rates)


def _progress(what: str) -> None:
    """One line that the next one replaces; nothing where nobody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{what}")
        sys.stderr.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
