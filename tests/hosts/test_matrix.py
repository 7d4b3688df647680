"""The matrix: hosts and their firewall backends, network modes, kinds of routed IPs, disturbances.

A host is booted once, has everything of tests.hosts.site on it, and goes through the disturbances one after the other.
After each, every cell (mode and kind) has to answer from outside and to reach the outside with its own address, no
unconfigured address may answer, a flow through a guest that is not concerned must not have lost a packet, and
`nethook doctor` must find nothing wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.hosts.lab import Lab
from tests.hosts.disturbances import DISTURBANCES, Disturbance
from tests.hosts.matrix_report import CELL, Row
from tests.hosts.site import MODES, Mode, Site

HOSTS = {
    "libvirt 9.0 iptables": ("bookworm", None),
    "libvirt 11.3 iptables": ("trixie", "iptables"),
    "libvirt 11.3 nftables": ("trixie", "nftables"),
    "libvirt 12.8 nftables": ("forky", "nftables"),
}

# What libvirt starts again when its daemon restarts comes a moment after the daemon answers. And where
# firewalld empties iptables, all answer until libvirt has written its rules again, and the gate comes behind that.
SETTLED_SECONDS = 30
LATE_SECONDS = 10
"""Whatever takes longer is told in the table, although all is well then."""
LONG_SECONDS = 25
"""A row that takes longer tells where the time went."""

pytestmark = pytest.mark.hosts


@pytest.fixture(scope="module", params=HOSTS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        site = Site(host, lab.wan)
        routed = [kind.address for mode in MODES for kind in mode.kinds]
        assert lab.wan.answering(routed) == [], "reachable although nothing is installed"
        host.install()
        host.run(["systemctl", "stop", "nethook"])  # it would do what the hook has to
        yield site


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda each: each.name)
def test_routed_ips_stay_as_they_are(site: Site, disturbance: Disturbance, request: pytest.FixtureRequest) -> None:
    host_name = request.node.callspec.params["site"]
    started = time.monotonic()
    with site.flow_through_bystander() as flow, disturbance.happen(site), ThreadPoolExecutor(len(MODES)) as pool:
        happened = time.monotonic()
        looks = pool.map(lambda mode: _look(site, mode), MODES)
        diagnosed, late = _settled(site.diagnosed)
        found = dict(zip(MODES, looks))
        looked = time.monotonic()
    seconds = time.monotonic() - started
    if seconds > LONG_SECONDS:
        late.append(f"{happened - started:.0f} s until it had happened, {looked - happened:.0f} s of looking")
    wrong = []
    for mode, (cells, cells_late) in found.items():
        for kind, sentences in cells.items():
            at_last = "; ".join([*cells_late, *late])
            row = Row(host_name, disturbance.name, mode.name, kind, not sentences, seconds, at_last)
            request.node.user_properties.append((CELL, list(row)))
            wrong += [f"{mode.name}, {kind}: {sentence}" for sentence in sentences]
    wrong += diagnosed
    if disturbance.spares_bystander and flow.lost:
        wrong.append(f"the flow through the bystander lost {flow.lost} of {flow.sent} packets")
    assert wrong == []


def _look(site: Site, mode: Mode) -> tuple[dict[str, list[str]], list[str]]:
    """What is wrong in each cell of this mode, once things have settled, and what was wrong late."""
    cells: dict[str, list[str]] = {}

    def failures() -> list[str]:
        cells.update(site.failures(mode))
        return [f"{mode.name}, {kind}: {each}" for kind, sentences in cells.items() for each in sentences]

    _, late = _settled(failures)
    doors = site.open_doors(mode)
    return {name: sentences or doors for name, sentences in cells.items()}, late


def _settled(look: Callable[[], list[str]]) -> tuple[list[str], list[str]]:
    """What ``look`` finds wrong, once things have settled, and what it found at last before that if it took long."""
    started = time.monotonic()
    late: list[str] = []
    while found := look():
        seconds = time.monotonic() - started
        if seconds > SETTLED_SECONDS:
            return found, []
        late = found if seconds > LATE_SECONDS else []
        time.sleep(0.1)
    return [], late
