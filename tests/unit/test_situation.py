"""What a run says of lines that it cannot put in force."""

from __future__ import annotations

import pytest

from nethook.engine.situation import Situation
from nethook.libvirt import Network
from nethook.libvirt import names as names_of_libvirt
from nethook.libvirt.live import LiveGuest, LiveNetwork
from tests.unit.lines import configuration

LIVE = {
    "public": LiveNetwork(Network("public", "lo", "nat"), is_active=True),
    "macvtap": LiveNetwork(Network("macvtap", "", "passthrough"), is_active=True),
}


@pytest.mark.parametrize(("names", "said"), [([], ["blocked: "]), (["public"], []), (["macvtap"], ["blocked: "])])
def test_only_of_the_networks_that_it_is_about(
    names: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = configuration("203.0.113.10 public\n203.0.113.11 nowhere\n203.0.113.12 macvtap")
    lines.settings.routed_ips = "routed-ips"
    now = Situation(lines, LIVE, names)
    now.say_what_is_odd()
    mistakes = [problem.what for problem in now.mistakes()]
    assert mistakes == ([] if names else ["libvirt has no network nowhere"])
    printed = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("nethook: ")[: len(said[0])] for line in printed] == said if said else printed == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            [],
            [
                "nethook: waiting: routed-ips:1:21: guest web1 has no NIC on network public; it has NICs on: lan",
                "nethook: waiting: routed-ips:2:32: guest web2 has no NIC 52:54:00:00:00:09 on network public; "
                "write mac=52:54:00:00:00:02",
            ],
        ),
        (["macvtap"], []),
    ],
)
def test_a_guest_whose_nics_a_line_does_not_fit(
    names: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guests = {
        "web1": LiveGuest([("lan", "52:54:00:00:00:01")], is_running=True),
        "web2": LiveGuest([("public", "52:54:00:00:00:02")], is_running=False),
        "web3": LiveGuest([("public", "52:54:00:00:00:03")], is_running=False),
    }
    monkeypatch.setattr(names_of_libvirt, "live_guests", lambda: guests)
    lines = configuration(
        "203.0.113.10 public guest=web1\n"
        "203.0.113.11 public guest=web2 mac=52:54:00:00:00:09\n"
        "203.0.113.12 public guest=web3"
    )
    lines.settings.routed_ips = "routed-ips"
    now = Situation(lines, LIVE, names)
    now.say_what_is_odd()
    assert capsys.readouterr().err.splitlines() == said
    assert now.mistakes() == []
