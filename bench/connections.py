"""How long it takes to delete some connections of the many that the kernel tracks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from lab.world.tracking import track
from nethook.host import Host
from nethook.host.conntrack import PROTOCOLS, Entry
from nethook.prefix import BITS, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

TRACKED = 45_000
MANY = 15_000
FEW = 10
SECONDS = 60.0
ADDRESSES = {4: ("203.0.113.1", "198.18.0.0", "192.168.122.5"), 6: ("2001:db8:7::1", "2001:db8:f::", "fd00:122::5")}
"""Of forwarded ports, of the first of the clients, and of the guest."""
PORT, OTHER_PORT, RARE_PORT = 443, 80, 8443


class Deletions(NamedTuple):
    """Seconds for the connections of one family: none to be found, a few, and many."""

    family: int
    none: float
    few: float
    many: float


def measure_deletions(progress: Callable[[str], None]) -> list[Deletions]:
    """Measure with each family, beside as many connections of other ports as make TRACKED."""
    measured = []
    for family in BITS:
        progress(f"deletions from {TRACKED} connections of IPv{family} …")
        listening, client, guest = ADDRESSES[family]
        to, first, at = (parse_address(each)[1] for each in (listening, client, guest))
        track(
            Entry(family, (to, first + number, at, first + number), PROTOCOLS["tcp"], port)
            for number, port in enumerate([RARE_PORT] * FEW + [PORT] * MANY + [OTHER_PORT] * (TRACKED - FEW - MANY))
        )
        wanted = [f"to={listening} protocol=tcp ports={port} at={guest}" for port in (1, RARE_PORT, PORT)]
        found = [_seconds(line, number) for line, number in zip(wanted, (0, FEW, MANY))]
        measured.append(Deletions(family, *found))
        _seconds(f"to={listening}", TRACKED - FEW - MANY)
    progress("")
    return measured


def _seconds(line: str, expected: int) -> float:
    start = time.perf_counter()
    deleted = Host(SECONDS).delete_connections([line], SECONDS)
    taken = time.perf_counter() - start
    if deleted.counts[line] != expected or deleted.failure:
        raise SystemExit(f"bench: {line}: {deleted.counts[line]} deleted, {expected} expected {deleted.failure}")
    return taken
