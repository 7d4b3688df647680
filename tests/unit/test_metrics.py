"""Metrics: the text that Prometheus reads, and what is in it when something cannot be read."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from nethook import __version__
from nethook.changes import ADD, Effect
from nethook.commands import metrics as metrics_verb
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.settings import Settings
from nethook.engine import situation
from nethook.engine.tally import Tally
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.host import files, links
from nethook.host.fake import FakeHost, Fault
from nethook.host.traffic import Traffic
from nethook.libvirt.live import LibvirtError, LiveNetwork
from nethook.placement.forwarded import Forwarding
from nethook.status import measured, metrics
from nethook.status.forward_states import ForwardState
from nethook.status.line_states import LineState
from nethook.status.metrics import METRICS, Measured, metrics_text
from nethook.status.overview import Overview
from tests.unit.lines import configuration, routed
from tests.unit.machine import World
from tests.unit.scenarios import FORWARDS, NAT, PLAIN, WEB

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LIBVIRT_IS_OFF = "libvirt does not list its networks: no socket"


def samples(text: str) -> dict[str, float]:
    """Name and labels of each sample, and its value. Headers come first, once, and all of a metric is together."""
    found: dict[str, float] = {}
    described: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            described.append(line.split()[2])
        elif line.startswith("# TYPE "):
            assert line.split()[2] == described[-1]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == described[-1]
            key = line[: match.start(3) - 1]
            assert key not in found
            found[key] = float(match[3])
    assert len(described) == len(set(described))
    assert text.endswith("\n")
    return found


def forwards(text: str) -> list[ForwardState]:
    lines, problems = parse_forwarded_ports([("forwarded-ports", text.encode())])
    assert problems == []
    return [ForwardState(Forwarding(line, "forwarded", target="10.0.0.2"), "forwarded", "") for line in lines]


def found() -> Measured:
    lines = routed("203.0.113.10 public\n2001:db8:7::/64 public guest=web1\n203.0.113.12 gone")
    states = [
        LineState(lines[0], "virbr1", "routed", ""),
        LineState(lines[1], "virbr1", "not applied", "run nethook apply"),
        LineState(lines[2], "", "waiting", "libvirt has no network gone"),
    ]
    states[0].received, states[0].sent = Traffic(7, 448), Traffic(12_345, 98_765_432_100)
    states[1].spoofed = 3
    ports = forwards(
        "198.51.100.2:80 default guest=web1\n198.51.100.2:80 default guest=web1 from=192.0.2.0/24\n203.0.113.60:22 -"
    )
    for number, port in enumerate(ports):
        port.connections, port.bytes = number, 1000 * number
    tally = Tally()
    tally.add("event", 4, 0, 1764432000.5)
    tally.add("route deleted", 1, 0, 1764432001.5)
    tally.add("apply", 0, 2, 1764432002.5)
    problems = configuration("203.0.113.300 public\n203.0.113.13").problems
    overview = Overview(
        states,
        problems,
        [("iptables-nft FORWARD", "open"), ("firewalld", "missing, run nethook install"), ("legacy", "not needed")],
        [Effect(ADD, "route", prefix="203.0.113.10", bridge="virbr1")],
        forwards=ports,
        closed={"firewalld"},
    )
    return Measured(overview, tally, 1_764_432_003_250_000_000, {})


def test_the_whole_text() -> None:
    assert samples(metrics_text(found())) == {
        f'nethook_build_info{{version="{__version__}"}}': 1,
        **{f'nethook_source_up{{source="{source}"}}': 1 for source in metrics.SOURCES},
        'nethook_lines{file="routed-ips",state="routed"}': 1,
        'nethook_lines{file="routed-ips",state="waiting"}': 1,
        'nethook_lines{file="routed-ips",state="blocked"}': 0,
        'nethook_lines{file="routed-ips",state="not applied"}': 1,
        'nethook_lines{file="routed-ips",state="unknown"}': 0,
        'nethook_lines{file="forwarded-ports",state="forwarded"}': 3,
        'nethook_lines{file="forwarded-ports",state="waiting"}': 0,
        'nethook_lines{file="forwarded-ports",state="blocked"}': 0,
        'nethook_lines{file="forwarded-ports",state="not applied"}': 0,
        'nethook_lines{file="forwarded-ports",state="unknown"}': 0,
        'nethook_line_state{file="routed-ips",line="203.0.113.10",network="public",state="routed"}': 1,
        'nethook_line_state{file="routed-ips",line="2001:db8:7::/64",network="public",state="not applied"}': 1,
        'nethook_line_state{file="routed-ips",line="203.0.113.12",network="gone",state="waiting"}': 1,
        'nethook_line_state{file="forwarded-ports",line="198.51.100.2:80/tcp",network="default",state="forwarded"}': 1,
        'nethook_line_state{file="forwarded-ports",line="198.51.100.2:80/tcp from 192.0.2.0/24",network="default",'
        'state="forwarded"}': 1,
        'nethook_line_state{file="forwarded-ports",line="203.0.113.60:22/tcp",network="",state="forwarded"}': 1,
        'nethook_problems{kind="files"}': 2,
        'nethook_problems{kind="host"}': 0,
        "nethook_pending_changes": 1,
        'nethook_gate_open{firewall="iptables-nft FORWARD"}': 1,
        'nethook_gate_open{firewall="firewalld"}': 0,
        'nethook_gate_open{firewall="legacy"}': 1,
        'nethook_address_received_packets_total{prefix="203.0.113.10",network="public"}': 7,
        'nethook_address_received_bytes_total{prefix="203.0.113.10",network="public"}': 448,
        'nethook_address_sent_packets_total{prefix="203.0.113.10",network="public"}': 12_345,
        'nethook_address_sent_bytes_total{prefix="203.0.113.10",network="public"}': 98_765_432_100,
        'nethook_spoofed_packets_total{prefix="2001:db8:7::/64",network="public"}': 3,
        'nethook_forward_connections_total{forward="198.51.100.2:80/tcp",network="default"}': 0,
        'nethook_forward_connections_total{forward="198.51.100.2:80/tcp from 192.0.2.0/24",network="default"}': 1,
        'nethook_forward_connections_total{forward="203.0.113.60:22/tcp",network=""}': 2,
        'nethook_forward_bytes_total{forward="198.51.100.2:80/tcp",network="default"}': 0,
        'nethook_forward_bytes_total{forward="198.51.100.2:80/tcp from 192.0.2.0/24",network="default"}': 1000,
        'nethook_forward_bytes_total{forward="203.0.113.60:22/tcp",network=""}': 2000,
        'nethook_runs_total{cause="event",result="changed"}': 1,
        'nethook_runs_total{cause="event",result="failed"}': 0,
        'nethook_runs_total{cause="apply",result="changed"}': 0,
        'nethook_runs_total{cause="apply",result="failed"}': 1,
        'nethook_runs_total{cause="clear",result="changed"}': 0,
        'nethook_runs_total{cause="clear",result="failed"}': 0,
        'nethook_runs_total{cause="route deleted",result="changed"}': 1,
        'nethook_runs_total{cause="route deleted",result="failed"}': 0,
        'nethook_changes_total{cause="event"}': 4,
        'nethook_changes_total{cause="apply"}': 0,
        'nethook_changes_total{cause="clear"}': 0,
        'nethook_changes_total{cause="route deleted"}': 1,
        'nethook_failures_total{cause="event"}': 0,
        'nethook_failures_total{cause="apply"}': 2,
        'nethook_failures_total{cause="clear"}': 0,
        'nethook_failures_total{cause="route deleted"}': 0,
        "nethook_last_run_success": 0,
        "nethook_last_run_timestamp_seconds": 1764432003.25,
        "nethook_last_change_timestamp_seconds": 1764432001.5,
        "nethook_last_failure_timestamp_seconds": 1764432002.5,
    }


def test_names_types_and_units_are_as_prometheus_wants_them() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert re.fullmatch(r"nethook(_[a-z]+)+", metric.name)
        assert metric.type in {"gauge", "counter"}
        assert metric.name.endswith("_total") == (metric.type == "counter")
        assert metric.help.endswith(".")
        assert "\n" not in metric.help
        assert "\\" not in metric.help
        assert all(re.fullmatch("[a-z]+", label) for label in metric.labels)


@pytest.mark.parametrize(
    ("network", "label"),
    [
        ('"my net"', "my net"),
        (r'"a\"b"', r"a\"b"),
        (r'"a\\b"', r"a\\b"),
        ("größe", "größe"),
        ('"}"', "}"),
        ("\udcff", "?"),
    ],
)
def test_any_network_name_is_a_label(network: str, label: str) -> None:
    (line,) = configuration("203.0.113.10 public").routed_ips
    line.network = network if network == "\udcff" else configuration(f"203.0.113.10 {network}").routed_ips[0].network
    state = LineState(line, "", "waiting", "")
    text = metrics_text(Measured(Overview([state], []), Tally(), 0, {}))
    key = f'nethook_line_state{{file="routed-ips",line="203.0.113.10",network="{label}",state="waiting"}}'
    assert samples(text)[key] == 1


def test_a_line_break_in_a_name_is_escaped() -> None:
    (line,) = routed("203.0.113.10 public")
    line.network = 'a\nb\\n"'
    text = metrics_text(Measured(Overview([LineState(line, "", "waiting", "")], []), Tally(), 0, {}))
    assert 'network="a\\nb\\\\n\\"",state="waiting"' in text
    samples(text)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A fake host with a network and a guest, on which every line is in force."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(links, "exists", lambda _: True)
    made = World()
    made.configure(*PLAIN, forwards=FORWARDS[:2])
    made.event(NAT, "start")
    made.bring_up(NAT)
    made.event(NAT, "started")
    made.announce(NAT, WEB)
    made.put_in(NAT, WEB)
    made.event(NAT, "port-created", WEB)
    assert made.apply() == []

    def networks(_: float) -> dict[str, LiveNetwork]:
        return {network.name: LiveNetwork(network, is_active=True) for network in made.networks()}

    monkeypatch.setattr(situation, "live_networks", networks)
    monkeypatch.setattr(metrics_verb, "limited_host", lambda: made.host)
    made.host.touched.clear()
    return made


def measured_of(world: World) -> dict[str, float]:
    world.host.touched.clear()
    return samples(metrics_text(measured.measure(world.host)))


def sources(values: dict[str, float]) -> set[str]:
    """The sources that failed."""
    return {name for name in metrics.SOURCES if not values[f'nethook_source_up{{source="{name}"}}']}


def test_a_whole_host(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    values = measured_of(world)
    assert sources(values) == set()
    assert values['nethook_lines{file="routed-ips",state="routed"}'] == len(PLAIN)
    assert values['nethook_lines{file="forwarded-ports",state="forwarded"}'] == 2
    assert values['nethook_address_sent_bytes_total{prefix="203.0.113.16/29",network="public"}'] == 0
    assert values["nethook_pending_changes"] == 0
    assert {value for key, value in values.items() if key.startswith("nethook_gate_open")} == {1}
    assert values["nethook_last_run_timestamp_seconds"] > 0
    assert metrics_verb.run(Namespace(write=False)) == 0
    assert samples(capsys.readouterr().out) == values


def test_a_closed_gate(world: World) -> None:
    for family in ("ip", "ip6"):
        chain = world.host.nftables.tables[family, "libvirt_network"].chains["forward"]
        chain.rules = [rule for rule in chain.rules if "nethook" not in rule.comment]
    values = measured_of(world)
    assert values['nethook_gate_open{firewall="ip libvirt_network forward"}'] == 0
    assert values['nethook_lines{file="routed-ips",state="blocked"}'] == len(PLAIN)
    assert values["nethook_pending_changes"] == 2
    assert metrics_verb.run(Namespace(write=False)) == 1


def test_without_libvirt(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: float) -> None:
        raise LibvirtError(LIBVIRT_IS_OFF)

    monkeypatch.setattr(situation, "live_networks", refuse)
    world.configure(*PLAIN, "203.0.113.99", forwards=FORWARDS[:2])
    values = measured_of(world)
    assert sources(values) == {"libvirt"}
    assert values['nethook_lines{file="routed-ips",state="unknown"}'] == len(PLAIN)
    assert values['nethook_lines{file="forwarded-ports",state="unknown"}'] == 2
    assert values['nethook_problems{kind="files"}'] == 1
    assert values['nethook_runs_total{cause="event",result="changed"}'] > 0
    assert not [key for key in values if key.startswith(("nethook_address", "nethook_forward", "nethook_pending"))]
    assert metrics_verb.run(Namespace(write=False)) == 2
    assert capsys.readouterr().err == f"nethook: {LIBVIRT_IS_OFF}\n"


def test_without_nft(world: World) -> None:
    world.host.programs.discard("iptables-nft")
    world.host.programs.discard("nft")
    world.host.faults = {}
    values = measured_of(world)
    assert sources(values) <= {"kernel"}


def test_whatever_of_the_kernel_cannot_be_read(world: World) -> None:
    measured_of(world)
    touched = [touch.what for touch in world.host.touched]
    failed = set()
    for number, what in enumerate(touched, 1):
        world.host.faults = {number: Fault.FAILS}
        values = measured_of(world)
        world.host.faults = {}
        failed |= sources(values)
        assert sources(values) or values["nethook_pending_changes"] == 0, what
        assert values[f'nethook_build_info{{version="{__version__}"}}'] == 1
        assert (values.get('nethook_lines{file="routed-ips",state="unknown"}') == len(PLAIN)) == (
            sources(values) == {"kernel"}
        ), what
    assert failed == {"files", "kernel", "runs"}


def test_wrong_settings(world: World) -> None:
    world.host.files.texts["/etc/nethook/nethook.conf"] = "mark-bit = 3\nmark-bit = 4\nfoo = 1\n"
    values = measured_of(world)
    assert sources(values) == {"files"}
    assert values['nethook_problems{kind="files"}'] == 3
    assert not [key for key in values if key.startswith("nethook_line")]


def test_without_root(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    values = measured_of(world)
    assert sources(values) == {"kernel"}
    assert values['nethook_lines{file="routed-ips",state="unknown"}'] == len(PLAIN)
    assert "nethook_pending_changes" not in values


def test_a_firewall_that_cannot_be_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "overview_of", lambda *_: Overview([], [], failures=["busctl hangs"]))
    assert sources(measured_of(world)) == {"firewalls"}
    assert metrics_verb.run(Namespace(write=False)) == 2


FILE = "/var/lib/prometheus/node-exporter/nethook.prom"


def test_the_file_is_written(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.host.files.texts["/etc/nethook/nethook.conf"] = f"metrics-file = {FILE}\n"
    assert metrics_verb.run(Namespace(write=True)) == 0
    assert capsys.readouterr().out == ""
    assert samples(world.host.files.texts[FILE]) == measured_of(world)


def test_the_file_is_written_when_nothing_can_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ReadError("cannot read nftables")

    monkeypatch.setattr(measured, "overview_of", refuse)
    world.host.files.texts["/etc/nethook/nethook.conf"] = f"metrics-file = {FILE}\n"
    assert metrics_verb.run(Namespace(write=True)) == 2
    assert sources(samples(world.host.files.texts[FILE])) == {"kernel"}


def test_the_file_is_written_when_another_setting_is_wrong(world: World) -> None:
    wrong = "/etc/nethook/nethook.conf"
    world.host.files.texts[wrong] = f"mark-bit = 3\nmetrics-file = {FILE}\n"
    assert metrics_verb.run(Namespace(write=True)) == 2
    values = samples(world.host.files.texts[FILE])
    assert (sources(values), values['nethook_problems{kind="files"}']) == ({"files"}, 1)
    for text in ("mark-bit = 3\n", "metrics-file = /etc/passwd\n"):
        world.host.files.texts[wrong] = text
        with pytest.raises(ConfigError, match=f"{wrong}:1"):
            metrics_verb.run(Namespace(write=True))


def test_no_mistakes_are_told_where_nobody_could_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ReadError("cannot read")

    monkeypatch.setattr(measured, "overview_of", refuse)
    assert [key for key in measured_of(world) if "problems" in key] == ['nethook_problems{kind="files"}']
    monkeypatch.setattr(measured, "load", refuse)
    assert [key for key in measured_of(world) if "problems" in key] == []


def test_a_file_that_is_not_named_or_cannot_be_written(world: World) -> None:
    with pytest.raises(NethookError, match="write metrics-file = PATH into"):
        metrics_verb.run(Namespace(write=True))
    world.host.touched.clear()
    measured.measure(world.host)
    world.host.faults = {len(world.host.touched) + 1: Fault.FAILS}
    world.host.touched.clear()
    with pytest.raises(NethookError, match=f"cannot write {FILE}: Input/output error"):
        measured.write_metrics(Settings(metrics_file=FILE), world.host)


def test_a_real_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    target, foreign = tmp_path / "nethook.prom", tmp_path / "foreign"
    foreign.write_text("foreign")
    foreign.chmod(0o600)
    target.symlink_to(foreign)
    files.publish(str(target), "größe 1\n")
    assert (target.read_text(encoding="utf-8"), target.is_symlink()) == ("größe 1\n", False)
    assert target.stat().st_mode & 0o777 == 0o644
    assert (foreign.read_text(), foreign.stat().st_mode & 0o777) == ("foreign", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "nethook.prom"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "nethook.prom"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        files.publish(str(target), "text")
    with pytest.raises(UnicodeEncodeError):
        files.publish(str(target), "\udcff")
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(FileNotFoundError):
        files.publish(str(tmp_path / "gone" / "nethook.prom"), "text")


def test_the_fake_host_publishes() -> None:
    host = FakeHost()
    host.publish(FILE, "text")
    assert host.files.texts == {FILE: "text"}
