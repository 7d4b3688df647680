"""Who reaches a forward, as whom, and who answers if it may not: row by row, with packets.

The rows share a host for each firewall, because they change nothing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.services import PING, TCP, UDP
from nethook.parts.forwards.ruleset import FAMILIES
from tests.kernel.forwarding import (
    ANY,
    ANY_OFF,
    BRIDGE,
    CLOSED,
    DNS,
    FOR_OTHERS,
    FREE,
    HIDDEN,
    ITSELF,
    OFF,
    OPEN,
    OTHERS,
    RANGE,
    RANGE_OFF,
    REFUSED,
    ROUTE,
    ROUTED,
    SOME,
    TARGET,
    WEB,
    WHOLE,
    WITHIN,
    Site,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.forwarding import Row

TABLE: list[Row] = [
    # the outside
    *(("outside", f"{where} {WEB}", "nat", ITSELF) for where in ("host", "listening")),
    ("outside", f"host {ROUTE}", "route", ITSELF),
    ("outside", f"host {OPEN}", "open", ITSELF),
    ("outside", f"host {CLOSED}", "isolated", ITSELF),
    ("outside", f"host {HIDDEN}", "isolated", BRIDGE),
    ("outside", f"host {SOME}", "nat", ITSELF),
    ("outside", f"host {OTHERS}", REFUSED, ""),
    ("outside", f"host {RANGE[0]}", "nat", ITSELF),
    ("outside", f"listening {RANGE[0] + 1}", "nat", ITSELF),
    ("outside", f"host {WITHIN}", REFUSED, ""),
    ("outside", f"host {FOR_OTHERS}", REFUSED, ""),
    *(("outside", f"{where} {RANGE_OFF[0]}", REFUSED, "") for where in ("host", "listening")),
    *(("outside", f"{where} {OFF}", REFUSED, "") for where in ("host", "listening")),
    ("outside", f"host {ANY}", "nat", ITSELF),
    ("outside", f"host {DNS}", "nat", ITSELF),
    ("outside", f"host {ANY_OFF}", REFUSED, ""),
    ("outside", f"listening {ANY}", REFUSED, ""),
    ("outside", f"listening {FREE}", REFUSED, ""),
    ("outside", f"host {FREE}", "host", ITSELF),
    ("outside", f"mail {WEB}", "mail", ITSELF),
    ("outside", f"mail {FREE}", "mail", ITSELF),
    ("outside", f"alone {WEB}", "alone", ITSELF),
    ("outside", f"off {WEB}", REFUSED, ""),
    ("outside", f"some {WEB}", "nat", ITSELF),
    ("outside", f"others {WEB}", REFUSED, ""),
    ("outside", f"nat {TARGET}", REFUSED, ""),
    ("outside", f"isolated {CLOSED}", REFUSED, ""),
    # guests of the target's network, and the target itself
    *(("neighbour", f"{where} {WEB}", "nat", BRIDGE) for where in ("host", "listening")),
    ("nat", f"host {WEB}", "nat", BRIDGE),
    ("neighbour", f"host {RANGE[0]}", "nat", BRIDGE),
    ("neighbour", f"host {ANY}", "nat", BRIDGE),
    ("neighbour", f"host {DNS}", "nat", BRIDGE),
    ("neighbour", f"host {OFF}", REFUSED, ""),
    ("neighbour", f"host {ANY_OFF}", REFUSED, ""),
    ("neighbour", f"host {FREE}", "host", ITSELF),
    ("neighbour", f"mail {WEB}", "mail", BRIDGE),
    ("neighbour", f"off {WEB}", REFUSED, ""),
    *(("neighbour", f"gateway {port}", "host", ITSELF) for port in (DNS, ANY, ANY_OFF, WEB)),
    ("route", f"host {ROUTE}", "route", BRIDGE),
    # guests of other networks
    ("other", f"host {WEB}", "nat", BRIDGE),
    ("other", f"listening {WEB}", "nat", BRIDGE),
    ("other", f"mail {WEB}", "mail", BRIDGE),
    ("other", f"host {CLOSED}", "isolated", BRIDGE),
    ("other", f"host {OFF}", REFUSED, ""),
    ("other", f"gateway {DNS}", "host", ITSELF),
    ("other", f"gateway of nat {DNS}", "host", ITSELF),
    ("other", f"nat {TARGET}", REFUSED, ""),
    ("route", f"host {WEB}", "nat", ITSELF),
    ("route", f"mail {WEB}", "mail", ITSELF),
    ("open", f"host {WEB}", "nat", ITSELF),
    ("open", f"host {CLOSED}", "isolated", ITSELF),
    # whole addresses: both ways, and to forwards
    ("mail", f"outside {FREE}", "outside", WHOLE),
    ("mail", f"host {FREE}", "host", ITSELF),
    ("mail", f"host {WEB}", "nat", WHOLE),
    ("mail", f"mail {WEB}", "mail", WHOLE),
    ("mail", f"host {ROUTE}", "route", WHOLE),
    ("alone", f"outside {FREE}", "outside", WHOLE),
    ("alone", f"host {WEB}", "nat", WHOLE),
    ("alone", f"alone {WEB}", "alone", WHOLE),
    ("alone", f"nat {TARGET}", REFUSED, ""),
    # routed IPs
    ("routed", f"host {WEB}", "nat", ITSELF),
    ("routed", f"mail {WEB}", "mail", ITSELF),
    ("routed", f"host {ROUTE}", "route", ITSELF),
    ("lone", f"host {WEB}", "nat", ITSELF),
    ("lone", f"host {CLOSED}", "isolated", ITSELF),
    # isolated stays isolated
    *(("isolated", f"{where} {WEB}", REFUSED, "") for where in ("host", "listening", "mail", "alone")),
    *(("isolated", f"host {port}", REFUSED, "") for port in (CLOSED, RANGE[0], ANY, DNS, OFF)),
    ("isolated", f"gateway {DNS}", "host", ITSELF),
    ("isolated", f"gateway of nat {DNS}", "host", ITSELF),
    ("isolated", f"host {FREE}", "host", ITSELF),
    ("isolated", f"outside {FREE}", REFUSED, ""),
    # and so does a network of which libvirt has not told
    *(("unknown", f"{where} {WEB}", REFUSED, "") for where in ("host", "listening", "mail", "alone")),
    *(("unknown", f"host {port}", REFUSED, "") for port in (CLOSED, RANGE[0], ANY, DNS, OFF)),
    ("unknown", f"gateway {DNS}", "host", ITSELF),
    ("unknown", f"host {FREE}", "host", ITSELF),
    # the host itself
    *(("the host", f"{where} {WEB}", "nat", ITSELF) for where in ("host", "listening")),
    ("the host", f"host {RANGE[0]}", "nat", ITSELF),
    ("the host", f"host {ANY}", "nat", ITSELF),
    ("the host", f"host {CLOSED}", "isolated", ITSELF),
    *(("the host", f"host {port}", REFUSED, "") for port in (OFF, OTHERS, ANY_OFF, WITHIN, RANGE_OFF[0])),
    ("the host", f"listening {FREE}", REFUSED, ""),
    ("the host", f"listening {ANY}", REFUSED, ""),
    ("the host", f"host {FREE}", "host", ITSELF),
    *(("the host", f"loopback {port}", "host", "") for port in (WEB, ANY, ANY_OFF, FREE)),
    *(("the host", f"gateway of nat {port}", "host", "") for port in (WEB, ANY, DNS)),
    ("the host", f"mail {WEB}", "mail", ITSELF),
    ("the host", f"off {WEB}", REFUSED, ""),
    ("the host", f"nat {TARGET}", "nat", ""),
]
PINGS: list[Row] = [
    ("outside", "host", "host", ITSELF),
    ("outside", "listening", REFUSED, ""),
    ("outside", "mail", "mail", ITSELF),
    ("outside", "alone", "alone", ITSELF),
    ("outside", "off", REFUSED, ""),
    ("outside", "others", REFUSED, ""),
    ("outside", "nat", REFUSED, ""),
    ("neighbour", "mail", "mail", BRIDGE),
    ("neighbour", "gateway", "host", ITSELF),
    ("other", "mail", "mail", BRIDGE),
    ("route", "alone", "alone", ITSELF),
    ("mail", "mail", "mail", WHOLE),
    ("mail", "outside", "outside", WHOLE),
    ("alone", "outside", "outside", WHOLE),
    ("routed", "mail", "mail", ITSELF),
    ("isolated", "mail", REFUSED, ""),
    ("isolated", "host", "host", ITSELF),
    ("isolated", "gateway", "host", ITSELF),
    ("the host", "mail", "mail", ITSELF),
    ("the host", "off", REFUSED, ""),
    ("the host", "listening", REFUSED, ""),
]
FORGED = [
    ("neighbour", "route"),
    ("neighbour", "outside"),
    ("open", "nat"),
    ("isolated", "nat"),
    ("isolated", "outside"),
    ("isolated", "mail"),
    ("unknown", "routed"),
    ("unknown", "nat"),
]
"""Who claims to be whom."""


@pytest.fixture(scope="module", params=FIREWALLS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A host for each firewall."""
    made = Site(request.param)
    yield made
    made.close()


@pytest.fixture(params=["routed", "br_netfilter"])
def netfilter(site: Site, request: pytest.FixtureRequest) -> Iterator[None]:
    """Without br_netfilter, and with it."""
    site.filter_bridges(on=request.param == "br_netfilter")
    yield
    site.filter_bridges(on=False)


families = pytest.mark.parametrize("family", FAMILIES, ids=["IPv4", "IPv6"])


@families
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} to {row[1]}: {row[2]}")
@pytest.mark.usefixtures("netfilter")
def test_row(site: Site, family: int, row: Row) -> None:
    for protocol in (TCP, UDP):
        site.check(row, family, protocol)


@families
@pytest.mark.parametrize("row", PINGS, ids=lambda row: f"{row[0]} to {row[1]}: {row[2]}")
@pytest.mark.usefixtures("netfilter")
def test_ping(site: Site, family: int, row: Row) -> None:
    site.check(row, family, PING)


@families
@pytest.mark.parametrize(("who", "as_whom"), FORGED)
@pytest.mark.usefixtures("netfilter")
def test_a_forged_source_reaches_nobody(site: Site, family: int, who: str, as_whom: str) -> None:
    guest = site.source(who, family)
    forging = guest.forging(site.address(as_whom, who, family))
    gateway = site.address("gateway", who, family)
    for what, port in (("host", WEB), ("listening", WEB), ("host", ANY), ("mail", WEB), ("host", RANGE[0])):
        asked = site.address(what, who, family)
        assert site.services.reached(forging, asked, port, (guest, gateway)) == [], f"{what} {port}"
    # What is no forward is as it was: only forged routed IPs are dropped.
    reached = site.services.reached(forging, site.address("host", who, family), FREE, (guest, gateway))
    assert reached == ([] if as_whom in ROUTED else ["host"])
