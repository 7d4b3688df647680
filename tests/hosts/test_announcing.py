"""Addresses that follow their guest from host to host, announced by real daemons to a real router.

Each of BIRD and FRR, with eBGP, iBGP and OSPF, goes through the same life of two hosts. How long a client that pings
every 10 ms heard nothing is printed (pytest -s) and written to test-logs/announcing.txt, in milliseconds. It is no
condition, because machines differ: conditions are who has the route at the end, and that the guest answers there.

A line without guest= is in force on both hosts, so its address does not follow its guest: mostly, it stays with the
host that has announced it first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.hosts.lab import Lab
from lab.hosts.provider import EBGP, IBGP, OSPF, routes
from lab.waiting import wait_for
from tests.hosts.routed_site import BOUND, FILE, MODES, NOT_ASSIGNED, SERVICES, RoutedSite, network_xml

if TYPE_CHECKING:
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

LOGS = Path(__file__).parents[2] / "test-logs"
NEW = "203.0.113.200"
PROGRAMS = {"bird": "bird", "frr": "bgpd"}


@pytest.fixture(scope="module")
def booted() -> Iterator[RoutedSite]:
    with Lab() as lab:
        site = RoutedSite(lab)
        try:
            yield site
        finally:
            if site.provider:
                site.provider.close()
        LOGS.mkdir(exist_ok=True)
        (LOGS / "announcing.txt").write_text("".join(f"{row}\n" for row in site.rows))


@pytest.fixture(scope="module", params=MODES, ids=str)
def site(booted: RoutedSite, request: pytest.FixtureRequest) -> RoutedSite:
    """The guest is on alpha, with all that is announced."""
    booted.use(request.param)
    return booted


def test_status_knows_what_is_announced(site: RoutedSite) -> None:
    found = said(site.alpha)
    assert {prefix: found[prefix] for prefix in site.mode.prefixes} == dict.fromkeys(site.mode.prefixes, "yes")


@pytest.mark.parametrize("site", MODES[:2], indirect=True, ids=str)
def test_a_new_line_is_announced_after_the_doctors_command(site: RoutedSite) -> None:
    """It is in no filter until the configuration is printed anew. One mode of each daemon is enough."""
    alpha = site.alpha
    alpha.run(["sh", "-c", f"echo '{NEW} public' >> {FILE}"])
    alpha.nethook("apply")
    assert said(alpha)[NEW] == "no"
    (failure,) = wait_for(lambda: found_by_doctor(alpha, NEW, "failure"), "the doctor finds it")
    assert "does not announce it" in failure["text"]
    alpha.run(["sh", "-c", failure["command"]])
    wait_for(lambda: said(alpha)[NEW] == "yes", "the new line is announced")
    assert found_by_doctor(alpha, NEW, "failure") == []


def test_status_knows_of_another_host(site: RoutedSite) -> None:
    """As far as the routers tell: a provider with eBGP tells its customers nothing of each other."""
    if site.mode.kind == IBGP:
        wait_for(lambda: all(_is_of_another(site.beta, prefix) for prefix in site.mode.unbound), "beta hears of alpha")


def test_an_address_follows_its_guest(site: RoutedSite) -> None:
    site.begin(site.alpha)
    site.migrate(site.alpha, site.beta)
    delivered = site.delivered()
    assert {delivered.get(prefix) for prefix in site.mode.unbound} <= {site.alpha.name}


def test_when_the_network_stops_the_other_host_takes_over(site: RoutedSite) -> None:
    site.begin(site.beta)
    with site.asking("network of alpha stopped", BOUND) as tell:
        site.alpha.virsh("net-destroy", "public")
        tell(site.taken_over(site.mode.unbound, site.beta))
    site.alpha.virsh("net-start", "public")
    site.wait_until(site.mode.prefixes, site.beta)


def test_back_and_cleared(site: RoutedSite) -> None:
    site.begin(site.beta)
    site.migrate(site.beta, site.alpha)
    with site.asking("nethook cleared on beta", BOUND) as tell:
        site.beta.nethook("clear", "--yes")
        tell(site.taken_over(site.mode.unbound, site.alpha))


def test_the_daemon_is_killed(site: RoutedSite) -> None:
    """The other host has no route, so that nobody takes over."""
    site.begin(site.alpha)
    site.beta.nethook("clear", "--yes")
    site.wait_until(site.mode.prefixes, site.alpha)
    program = PROGRAMS[site.mode.daemon]
    with site.asking(f"{program} of alpha killed", site.mode.prefixes):
        site.alpha.run(["pkill", "-KILL", "-x", program])
        wait_for(lambda: "203.0.113.11" not in routes(site.lab.wan), "the routes are withdrawn")
    site.wait_until(site.mode.prefixes, site.alpha)
    site.beta.nethook("apply")
    site.wait_until(site.mode.prefixes, site.alpha)


def test_a_host_loses_its_power(site: RoutedSite) -> None:
    site.begin(site.alpha)
    with site.asking("alpha powered off, guest started on beta", site.mode.prefixes) as tell:
        site.lab.wan.unplug(1)
        site.guest.crash()
        tell(site.start_on(site.beta))
        site.wait_until(site.mode.prefixes, site.beta)
    site.lab.wan.plug(1)
    site.alpha.run(["systemctl", "restart", SERVICES[site.mode.daemon]])  # as if it had booted
    assert site.provider
    site.provider.wait_for_hosts()
    site.wait_until(BOUND, site.beta)  # of what is not bound, alpha may have taken something when it came back


def test_a_guest_is_stopped_and_started_elsewhere(site: RoutedSite) -> None:
    site.begin(site.beta)
    with site.asking("stopped, and started on alpha", BOUND) as tell:
        site.guest.stop()
        tell(site.start_on(site.alpha))
    site.wait_until(BOUND, site.alpha)


def test_the_guest_runs_on_both_by_mistake(site: RoutedSite) -> None:
    """The first one keeps it. With OSPF, either may, after a moment in which they have lost each other."""
    site.begin(site.alpha)
    address, by_alpha = "203.0.113.11", f"by {site.alpha.place.ipv4}"
    if site.mode.kind != EBGP:  # before beta knows that alpha has it, both would announce it
        wait_for(lambda: said(site.beta)[address] == by_alpha, "beta hears of alpha")
    try:
        with site.asking("the guest started on beta as well", BOUND):
            site.beta.virsh("start", site.guest.name)
            wait_for(lambda: has_route(site, address), "beta has the routes, too")
            if site.mode.kind != OSPF:
                site.wait_until(BOUND, site.alpha)
        if site.mode.kind != EBGP:
            words = wait_for(lambda: _first_and_second(site, address), "one host announces it, and the other knows")
            assert site.mode.kind == OSPF or words == ["yes", by_alpha]
            second = next(host for host, word in zip(site.hosts, words) if "by " in word)
            (warning,) = wait_for(lambda: found_by_doctor(second, address, "warning"), "the doctor finds it")
            assert "which is routed here, too" in warning["text"]
    finally:
        site.beta.virsh("destroy", site.guest.name)


def test_what_has_no_guest_is_not_announced(site: RoutedSite) -> None:
    """Nor is what the provider has not assigned, while its host has it."""
    site.begin(site.alpha)
    site.guest.stop()
    wait_for(lambda: not BOUND.keys() & routes(site.lab.wan).keys(), "what is bound is withdrawn")
    everything = "".join(site.lab.wan.namespace.run(["ip", family, "route"]).stdout for family in ("-4", "-6"))
    for prefix in NOT_ASSIGNED:
        assert has_route(site, prefix)
        assert prefix not in everything
    site.guest.start()
    site.beta.nethook("clear", "--yes")
    site.wait_until(site.mode.prefixes, site.alpha)
    site.beta.nethook("apply")


def _first_and_second(site: RoutedSite, address: str) -> list[str]:
    """What both hosts say of an address, once one of them announces it, and one knows that the other does."""
    words = [said(host)[address] for host in site.hosts]
    return words if any("yes" in word for word in words) and any("by " in word for word in words) else []


def _is_of_another(host: SystemdHost, prefix: str) -> bool:
    return said(host)[prefix].startswith("by ")


def said(host: SystemdHost) -> dict[str, str]:
    """What status says of each line's announcement; '' while no daemon knows of us.

    A daemon on a busy machine may not answer in time: it is asked again.
    """

    def words() -> dict[str, str]:
        lines = json.loads(host.nethook("status", "--json").stdout)["lines"]
        found = {line["prefix"]: line["announced"] or "" for line in lines}
        return {} if "unknown" in found.values() else found

    return wait_for(words, "the daemon answers")


def found_by_doctor(host: SystemdHost, address: str, verdict: str) -> list[dict[str, str]]:
    """What the doctor finds at the station of routing daemons, of this verdict."""
    findings = json.loads(host.nethook("doctor", "--json", address).stdout)["findings"]
    return [each for each in findings if (each["station"], each["verdict"]) == ("announcement", verdict)]


def has_route(site: RoutedSite, prefix: str) -> bool:
    """Whether beta has a route of ours to it."""
    family = "-6" if ":" in prefix else "-4"
    return bool(site.beta.run(["ip", family, "route", "show", "proto", "218", "exact", prefix]).stdout)


def test_a_bridge_of_another_mac(booted: RoutedSite) -> None:
    """The guest sends to the gateway that it knows, until its kernel asks again: no daemon can help that.

    For IPv6, that is soon. For IPv4 it took 48 s, so it is not waited for.
    """
    booted.begin(booted.alpha)
    of_ipv6 = {prefix: address for prefix, address in BOUND.items() if ":" in prefix}
    booted.beta.virsh("net-destroy", "public")
    booted.beta.virsh("net-undefine", "public")
    booted.beta.network("public", network_xml("52:54:00:00:00:02"))
    booted.migrate(booted.alpha, booted.beta, ", whose bridge has another MAC", of_ipv6)
