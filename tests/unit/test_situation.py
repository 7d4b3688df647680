"""What a run says of lines that it cannot put in force."""

from __future__ import annotations

import pytest

from nethook.engine.situation import Situation
from nethook.libvirt import Network
from nethook.libvirt.live import LiveNetwork
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
