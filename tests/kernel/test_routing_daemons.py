"""The daemons' own parsers, of both suites, take what `nethook routing-daemon` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.hosts.layered import WORK, inside
from lab.hosts.roots import ROUTING, layered_root
from lab.processes import run
from nethook.prefix import parse_prefix
from nethook.routing_daemons import DAEMONS, Neighbor, Wanted, daemon_named

if TYPE_CHECKING:
    from pathlib import Path

OURS = ["203.0.113.10", "203.0.113.16/29", "2001:db8:7::10", "2001:db8:7:1::/64"]
EXTERNAL = [Neighbor("198.51.100.1", 0), Neighbor("2001:db8:100::1", 65000)]
INTERNAL = [Neighbor("198.51.100.2", 65001), Neighbor("2001:db8:100::2", 65001)]
SET_UPS = {
    "no sessions": (OURS, 0, [], False),
    "eBGP with BFD": (OURS, 65001, EXTERNAL, True),
    "iBGP": (OURS, 65001, INTERNAL, False),
    "both with BFD": (OURS, 4200000001, [*EXTERNAL, *INTERNAL], True),
    "IPv4 alone": (OURS[:2], 65001, EXTERNAL, False),
    "IPv6 alone": (OURS[2:], 65001, EXTERNAL[1:], True),
}
PARSERS = {
    "bird": [["bird", "-p", "-c", f"{WORK}/configuration"]],
    "frr": [
        ["vtysh", "-C", "-f", f"{WORK}/configuration"],
        ["/usr/lib/frr/bgpd", "-C", "-f", f"{WORK}/configuration"],
    ],
}
AROUND = {"bird": "router id 198.51.100.11;\nprotocol device {}\n", "frr": ""}


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("daemon", DAEMONS)
def test_the_parser_takes_it(daemon: str, suite: str, tmp_path: Path) -> None:
    file = tmp_path / "configuration"
    with inside(layered_root(suite, ROUTING), tmp_path) as there:
        for prefixes, asn, neighbors, has_bfd in SET_UPS.values():
            wanted = Wanted(
                prefixes=[parse_prefix(text) for text in prefixes],
                bridges=["virbr1", "br-public"],
                protocol=218,
                asn=asn,
                neighbors=neighbors,
                has_bfd=has_bfd,
                command="nethook routing-daemon",
            )
            text = AROUND[daemon] + daemon_named(daemon).configuration(wanted)
            file.write_text(text)
            for argv in PARSERS[daemon]:
                run([*there, *argv])
            file.write_text(f"{text}\nnonsense\n")
            assert run([*there, *PARSERS[daemon][0]], check=False).returncode != 0
