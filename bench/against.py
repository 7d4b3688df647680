"""What an event takes beside another commit: ``python3 -m bench --against COMMIT``, on a host without forwards."""

from __future__ import annotations

import io
import subprocess
import tarfile
from statistics import median
from typing import TYPE_CHECKING

from bench.bench_host import GUEST, HOOK, NETWORK, REPOSITORY, SCRATCH, install_hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench_host import BenchHost

WITHOUT_RESERVATIONS = NETWORK._replace(reserves=())
"""Not each commit records them, and an event that has to record more is not the same."""
ADDRESSES = {1: 60, 100: 60, 10_000: 9}
"""How many samples to take, by the number of addresses."""


def measure_against(host: BenchHost, commit: str, progress: Callable[[str], None]) -> list[str]:
    """Measure events with nothing to do of both, in turn, and return a table."""
    repository, other = SCRATCH / "other", f"{SCRATCH}/51-other"
    command = ["git", "-C", str(REPOSITORY), "archive", commit, "src/nethook"]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(repository)  # noqa: S202 - of our own repository
    install_hook(other, repository)
    table = [f"{'addresses':>9} {'this':>8} {commit[:8]:>8}   ratio    milliseconds of processors, nothing to do"]
    for count, rounds in ADDRESSES.items():
        progress(f"events with {count} addresses, of both …")
        host.configure(count)
        host.reset()
        pairs = []
        for number in range(rounds + 1):
            hooks = (HOOK, other) if number % 2 else (other, HOOK)
            of_hook = {hook: host.plug(GUEST, hook=hook, network=WITHOUT_RESERVATIONS) for hook in hooks}
            if number:  # the first one changes the kernel, and warms the caches
                pairs.append((of_hook[HOOK], of_hook[other]))
        host.require_success(count)
        mine, others = (median(times) * 1000 for times in zip(*pairs))
        ratio = median(here / there for here, there in pairs)
        table.append(f"{count:9,} {mine:8.2f} {others:8.2f} {ratio:7.3f}")
    progress("")
    return table
