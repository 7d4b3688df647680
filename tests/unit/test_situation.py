"""What a run says of lines that it cannot put in force."""

from __future__ import annotations

from errno import ENOSPC

import pytest

from nethook.config import load
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.engine.applied import NOT_NOTED
from nethook.engine.cycle import cycle
from nethook.engine.run import APPLIED
from nethook.engine.situation import Situation, asked_about, situation
from nethook.errors import NethookError
from nethook.host.fake import FakeHost
from nethook.libvirt import Network, record
from nethook.libvirt import names as names_of_libvirt
from nethook.libvirt.live import LiveGuest, LiveNetwork
from tests.unit.lines import configuration
from tests.unit.scenarios import LONELY
from tests.unit.stage import Stage

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


def test_a_line_that_leaves_ports_with_the_host_names_no_network() -> None:
    content = b"203.0.113.1:22 -\n203.0.113.1:23 nowhere guest=web1"
    lines, problems = parse_forwarded_ports([("forwarded-ports", content)])
    assert problems == []
    found, _ = names_of_libvirt.unresolved(lines, LIVE)
    assert [problem.what for _, problem in found if problem] == ["libvirt has no network nowhere"]


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


@pytest.mark.parametrize(
    ("word", "prefix"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("203.0.113.1:80", "203.0.113.1"),
        ("203.0.113.1:80,443", "203.0.113.1"),
        ("203.0.113.1:8000-8010/tcp,udp", "203.0.113.1"),
        ("[2001:db8:7::1]:443", "2001:db8:7::1"),
        ("2001:db8:7::1", "2001:db8:7::1"),
        ("2001:db8:7::/48", "2001:db8:7::/48"),
    ],
)
def test_what_somebody_asks_about_may_be_the_beginning_of_a_line(word: str, prefix: str) -> None:
    assert [each.prefix.text for each in asked_about([word])] == [prefix]


@pytest.mark.parametrize("word", ["203.0.113.1:80", "203.0.113.1:8000-8010/tcp,udp", "[2001:db8:7::1]:443/udp"])
def test_what_somebody_asks_about_is_named_as_it_is_written(word: str) -> None:
    assert [each.text for each in asked_about([word])] == [word]


@pytest.mark.parametrize(
    "word",
    ["203.0.113.1:80/sctp", "web1", "203.0.113.1:", "203.0.113.1:http", "203.0.113.300:80", "203.0.113.1/40", ":80"],
)
def test_what_somebody_asks_about_names_an_address(word: str) -> None:
    with pytest.raises(NethookError):
        asked_about([word])


def test_a_note_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.has("203.0.113.10 public\n")
    now = situation(load(stage.host))
    recorded = FakeHost.record

    def write(host: FakeHost, path: str, text: str) -> None:
        recorded(host, path, text)
        if path == APPLIED:
            raise OSError(ENOSPC, "No space left on device", path)

    monkeypatch.setattr(FakeHost, "record", write)
    with stage.host.version(record.FILE) as asked:
        assert now.record(asked, stage.host)
    assert now.not_recorded == [NOT_NOTED]


def test_an_event_while_libvirt_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files get their times by a clock of the kernel, which does not move between two ticks."""
    stage = Stage(monkeypatch)
    world = stage.world
    asked: list[Situation] = []

    def ask() -> Situation:
        now = situation(load(stage.host))
        if not asked:
            stamp = world.host.files.stamp
            world.event(LONELY, "start")
            world.host.files.stamp = stamp
            world.bring_up(LONELY)
        asked.append(now)
        return now

    assert cycle(ask, lambda _: None) is not None
    assert len(asked) == 2
    assert list(record.read(world.host).up) == ["public", LONELY.name]


@pytest.mark.parametrize(
    ("word", "has_it"),
    [
        ("203.0.113.1", True),
        ("203.0.113.0/24", True),
        ("203.0.113.1:80", True),
        ("203.0.113.1:80/tcp", True),
        ("203.0.113.1:80/udp,tcp", True),
        ("203.0.113.1:8005", True),
        ("203.0.113.1:81", False),
        ("203.0.113.1:80/udp", False),
    ],
)
def test_a_port_that_no_line_has_is_not_there(word: str, has_it: bool) -> None:
    """Else a script that waits for it takes another port for success."""
    lines, _ = parse_forwarded_ports([("forwarded-ports", b"203.0.113.1:80,8000-8010 public guest=web1")])
    (asked,) = asked_about([word])
    assert asked.has(lines[0]) == has_it
    whole, _ = parse_forwarded_ports([("forwarded-ports", b"203.0.113.1 public guest=web1")])
    assert asked.has(whole[0])
