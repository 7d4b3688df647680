"""routing-daemon: what is announced, and what cannot get into a configuration. The daemons' parsers: tests/kernel."""

from __future__ import annotations

import pytest

from nethook.cli import main
from nethook.commands import routing_daemon
from nethook.commands.parser import build_parser
from nethook.config import Configuration, Settings
from nethook.exit_status import OK, UNKNOWN
from nethook.libvirt import Network
from nethook.libvirt.live import LiveNetwork
from tests.unit.lines import routed

LINES = """
203.0.113.10 public
203.0.113.16/29 other guest=web1
2001:db8:7::/64 public via=fe80::1
198.51.100.99 public proxy=eth0
"""


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(monkeypatch, capsys)


class Printed:
    """What the verb prints for these lines and networks, by their bridges."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.bridges = {"public": "virbr1", "other": "virbr2"}
        self.status = OK
        self.err = ""

    def of(self, lines: str, *words: str) -> str:
        configuration = Configuration(Settings(route_protocol=77), routed(lines), [])
        live = {
            name: LiveNetwork(Network(name, bridge, "nat"), is_active=True) for name, bridge in self.bridges.items()
        }
        self._monkeypatch.setattr(routing_daemon, "load", lambda _: configuration)
        self._monkeypatch.setattr(routing_daemon, "live_networks", lambda: live)
        self.status = main(["routing-daemon", *words])
        out, self.err = self._capsys.readouterr()
        return out


def test_bird_gets_the_protocol_number_and_exactly_the_prefixes(printed: Printed) -> None:
    text = printed.of(LINES, "bird")
    assert "define NETHOOK4 = [\n  203.0.113.10/32,\n  203.0.113.16/29\n];" in text
    assert "define NETHOOK6 = [\n  2001:db8:7::/64\n];" in text
    assert "krt_source = 77 " in text
    assert "198.51.100.99" not in text
    assert "protocol bgp" not in text


def test_frr_gets_bridges_and_exactly_the_prefixes(printed: Printed) -> None:
    text = printed.of(LINES, "frr", "--asn", "65001", "--neighbor", "198.51.100.1", "--neighbor", "2001:db8::1=65000")
    lists = [
        line for line in text.splitlines() if "prefix-list NETHOOK" in line and "permit" in line and line[0] in "i"
    ]
    assert lists == [
        "ip prefix-list NETHOOK4 permit 203.0.113.10/32",
        "ip prefix-list NETHOOK4 permit 203.0.113.16/29",
        "ipv6 prefix-list NETHOOK6 permit 2001:db8:7::/64",
    ]
    assert [line for line in text.splitlines() if "interface" in line] == 2 * [
        " match interface virbr2",
        " match interface virbr1",
    ]
    assert " neighbor 198.51.100.1 remote-as external\n" in text
    assert " neighbor 2001:db8::1 remote-as 65000\n" in text


def test_a_family_without_lines_is_left_out(printed: Printed) -> None:
    text = printed.of("203.0.113.10 public", "bird", "--asn", "65001", "--neighbor", "2001:db8::1")
    assert "ipv6" not in text
    assert "nothing is announced to 2001:db8::1" in printed.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["bird", "--neighbor", "198.51.100.1"], "needs --asn"),
        (["bird", "--asn", "1", "--neighbor", "198.51.100.1; include"], "--neighbor"),
        (["bird", "--asn", "1", "--neighbor", "198.51.100.1=0"], "no AS number"),
        (["frr", "--asn", "1", "--neighbor", "198.51.100.1=1\n!"], "no AS number"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_printed(words: list[str], what: str, printed: Printed) -> None:
    assert printed.of(LINES, *words) == ""
    assert printed.status == UNKNOWN
    assert what in printed.err


@pytest.mark.parametrize("bridge", ["", "br\n!", "br;x", "!br", "br x"])
def test_a_bridge_that_is_no_word_gets_into_no_configuration(bridge: str, printed: Printed) -> None:
    printed.bridges["other"] = bridge
    assert printed.of(LINES, "frr") == ""
    assert printed.status == UNKNOWN
    assert "other" in printed.err


def test_nothing_to_announce(printed: Printed) -> None:
    assert printed.of("198.51.100.99 public proxy=eth0", "bird") == ""
    assert "no line" in printed.err


def test_the_greatest_as_number_is_understood() -> None:
    assert build_parser().parse_args(["routing-daemon", "bird", "--asn", "4294967294"]).asn == 4294967294
