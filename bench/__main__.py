"""``python3 -m bench``: measures, and prints what was measured beside what is to be reached."""

from __future__ import annotations

import argparse
import os
import sys

from bench import report
from bench.bench_host import BACKENDS, BenchHost, enter_namespaces, is_in_namespaces
from bench.forwarding import RateSeries, measure_rates
from bench.hook_time import measure_hook, measure_ignored_event
from bench.scale import measure_scale
from bench.storms import measure_storms

FULL_HOOK = {1: 15, 10: 15, 100: 15, 300: 5, 1000: 9, 10_000: 5}
"""How many samples to take, by the number of addresses: few where one takes long."""
QUICK_HOOK = {1: 5, 100: 5, 1000: 3}

FULL_RATES = RateSeries(addresses=(1, 100, 1000), samples=7, seconds=1.0)
QUICK_RATES = RateSeries(addresses=(1, 1000), samples=3, seconds=0.3)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description="How fast the hook is. Run as root.")
    parser.add_argument("--quick", action="store_true", help="fewer numbers and samples: a smoke test")
    parser.add_argument("--scale", action="store_true", help="only how the time grows, up to the most addresses")
    parser.add_argument("--storms", action="store_true", help="only many events at once, on a booted host")
    parser.add_argument(
        "--backend", choices=sorted(BACKENDS), default="nftables", help="whose rules of libvirt stand in the way"
    )
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("namespaces, routes and rules need root")
    if options.storms:
        print(*measure_storms(_progress), sep="\n")
        return
    if not is_in_namespaces():
        enter_namespaces()

    host = BenchHost(options.backend)
    print(report.machine(options.backend), flush=True)
    if options.scale:
        print(*measure_scale(host, _progress), sep="\n")
        return
    hook = measure_hook(host, QUICK_HOOK if options.quick else FULL_HOOK, _progress)
    print(report.hook_times(hook, measure_ignored_event(host, samples=15)), flush=True)
    rates = measure_rates(host, QUICK_RATES if options.quick else FULL_RATES, _progress)
    print(report.rates(rates))
    print(report.targets(hook, rates))


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
