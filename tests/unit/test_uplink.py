"""Which devices cannot be the uplink on which the host answers for a guest."""

from __future__ import annotations

import pytest

from nethook.doctor.host_problems import what_is_wrong_with_uplink, which_uplink
from nethook.libvirt import Network
from nethook.libvirt.live import LiveNetwork

UPLINK = "lo"  # a device that exists everywhere


@pytest.mark.parametrize(
    ("uplink", "bridge", "forward_mode", "what"),
    [
        (UPLINK, "virbr1", "nat", ""),
        (UPLINK, UPLINK, "bridge", ""),
        (UPLINK, UPLINK, "nat", f"{UPLINK} is the bridge of network public, with guests behind it"),
        ("no-such-uplink", "virbr1", "nat", "there is no device no-such-uplink"),
    ],
)
def test_the_uplink_is_there_and_leads_outside(uplink: str, bridge: str, forward_mode: str, what: str) -> None:
    live = {"public": LiveNetwork(Network("public", bridge, forward_mode), is_active=True)}
    assert what_is_wrong_with_uplink(uplink, live) == what


def test_the_advice_names_what_default_routes_use() -> None:
    assert which_uplink(["eth0", "eth1"]).endswith("default routes use: eth0, eth1")
    assert which_uplink([]).endswith("as ip link shows it")
