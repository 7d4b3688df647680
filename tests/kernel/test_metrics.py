"""Metrics on a real kernel, read by a real node_exporter and a real Prometheus: they say what nft has counted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.frames import IPV4, frame, udp
from lab.monitoring import Monitoring, programs
from lab.processes import run
from lab.world.network import WorldPort
from lab.world.servers import Client
from lab.world.tap import arrives
from lab.world.verbs import tell_libvirt, verb
from lab.world.world import SETTINGS, SOURCE
from nethook.status.metrics import METRICS
from tests.kernel.forwarded_guests import DB, WEB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.processes import Completed
    from tests.kernel.forwarded_guests import Forwarding

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ADDRESS, ADDRESS6, BLOCK = "203.0.113.10", "2001:db8:7::10", "203.0.113.16/29"
HTTP, SSH = "198.51.100.2:80/tcp", "198.51.100.2:2201/tcp"
NETWORK = "default"
GATES = 'nethook_gate_open{firewall=~".*libvirt_network.*"}'


def live(here: Forwarding, *arguments: str) -> Completed:
    """Run a verb while both guests run."""
    ports = [WorldPort(WEB, here.web.mac), WorldPort(DB, here.db.mac)]
    tell_libvirt(here.world, here.network, *ports)
    return verb(here.world, *arguments)


def check(text: str) -> None:
    """Have promtool check the text: it knows the format, and the rules for names."""
    result = run([programs().promtool, "check", "metrics"], stdin=text, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def elements(here: Forwarding, family: str, *sets: str) -> dict[tuple[str, ...], tuple[int, int]]:
    """Packets and bytes of each element of these sets of our table, as nft lists them."""
    found = {}
    for name in sets:
        kind = "map" if name == "ports" else "set"
        listed = json.loads(here.world.machine.run("nft", "-j", "list", kind, family, "nethook", name))
        content = next(each[kind] for each in listed["nftables"] if kind in each)
        for each in content["elem"]:
            element = (each[0] if kind == "map" else each)["elem"]
            key = (name, *map(_text, element["val"]["concat"]))
            found[key] = element["counter"]["packets"], element["counter"]["bytes"]
    return found


def _text(value: object) -> str:
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return str(value)


@pytest.fixture
def busy(plain: Forwarding) -> Forwarding:
    """A host with routed addresses and forwarded ports, all of which packets went through, also forged ones."""
    plain.world.configure(
        f"{ADDRESS} {NETWORK} guest={WEB}", f"{ADDRESS6} {NETWORK}", f"{BLOCK} {NETWORK}", "203.0.113.99 gone"
    )
    plain.start(f"198.51.100.2:80 {NETWORK} guest={WEB}", f"198.51.100.2:2201 {NETWORK} guest={DB} to=22")
    plain.web.add(ADDRESS, ADDRESS6)
    plain.db.add("203.0.113.17")
    outside = plain.world.outside
    for _ in range(5):
        assert plain.world.exchange(outside(4), plain.web.at(ADDRESS))
    for _ in range(3):
        assert plain.world.exchange(outside(6), plain.web.at(ADDRESS6))
    assert plain.world.exchange(plain.db.at("203.0.113.17"), outside(4))
    for _ in range(4):
        forged = frame(plain.db.mac, IPV4, udp(ADDRESS, "192.0.2.14"))
        assert not arrives(plain.db.namespace, (plain.web.namespace, "eth0"), forged, plain.db.mac)
    for _ in range(6):
        client = Client(outside(4).namespace, "198.51.100.2", 80)
        assert client.ask() == f"{WEB} sees 198.51.100.1"
        client.close()
    assert plain.from_outside("198.51.100.2", 2201) == f"{DB} sees 198.51.100.1"
    return plain


@pytest.fixture
def monitoring(busy: Forwarding, tmp_path: Path) -> Iterator[Monitoring]:
    """Prometheus and node_exporter on this host, which read the file that its settings name."""
    made = Monitoring(busy.world.host, tmp_path)
    busy.world.machine.write(SETTINGS, f"metrics-file = {made.textfiles / 'nethook.prom'}\n")
    yield made
    made.close()


def test_prometheus_says_what_nft_has_counted(busy: Forwarding, monitoring: Monitoring) -> None:
    file = monitoring.textfiles / "nethook.prom"
    written = live(busy, "metrics", "--write")
    assert (written.returncode, written.stdout, written.stderr) == (1, "", "")  # a line names no network
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(monitoring.textfiles.iterdir()) == [file]
    bridge = busy.network.bridge
    routed = elements(
        busy, "inet", *(f"{start}{kind}" for start in ("to", "from") for kind in ("4", "6", "4_prefixes"))
    )
    for direction, start in (("received", "to"), ("sent", "from")):
        counted = {
            (NETWORK, prefix): routed[f"{start}{kind}", bridge, prefix]
            for kind, prefix in (("4", ADDRESS), ("6", ADDRESS6), ("4_prefixes", BLOCK))
        }
        assert all(packets for packets, _ in counted.values())
        for number, unit in enumerate(("packets", "bytes")):
            wanted = {labels: float(values[number]) for labels, values in counted.items()}
            monitoring.wait_for(f"nethook_address_{direction}_{unit}_total", wanted)
    assert routed["to4", bridge, ADDRESS][0] == 5
    monitoring.wait_for("nethook_spoofed_packets_total", {(NETWORK, ADDRESS): 4.0})
    led, taken = elements(busy, "ip", "ports"), elements(busy, "ip", "taken")
    keys = {HTTP: ("198.51.100.2", "tcp", "80"), SSH: ("198.51.100.2", "tcp", "2201")}
    connections = {(text, NETWORK): float(led[("ports", *key)][0]) for text, key in keys.items()}
    assert connections == {(HTTP, NETWORK): 6.0, (SSH, NETWORK): 1.0}
    monitoring.wait_for("nethook_forward_connections_total", connections)
    octets = {(text, NETWORK): float(taken[("taken", *key)][1]) for text, key in keys.items()}
    assert all(octets.values())
    monitoring.wait_for("nethook_forward_bytes_total", octets)
    monitoring.wait_for("sum(nethook_lines) by (state) > 0", {("forwarded",): 2.0, ("routed",): 3.0, ("waiting",): 1.0})
    assert "node_textfile_scrape_error 0" in monitoring.scraped()


def test_alerts_find_a_closed_gate(busy: Forwarding, monitoring: Monitoring) -> None:
    live(busy, "metrics", "--write")
    gates = {("ip libvirt_network forward",): 1.0, ("ip6 libvirt_network forward",): 1.0}
    monitoring.wait_for(GATES, gates)
    (rule,) = re.findall(r"# handle (\d+)", _rule_of_gate(busy))
    busy.world.machine.nft(f"delete rule ip libvirt_network forward handle {rule}")
    live(busy, "metrics", "--write")
    monitoring.wait_for(alert("NethookGateClosed"), {("ip libvirt_network forward",): 0.0})
    blocked = {
        ("routed-ips", ADDRESS, NETWORK, "blocked"): 1.0,
        ("routed-ips", BLOCK, NETWORK, "blocked"): 1.0,
        ("forwarded-ports", HTTP, NETWORK, "blocked"): 1.0,
        ("forwarded-ports", SSH, NETWORK, "blocked"): 1.0,
    }
    monitoring.wait_for(alert("NethookLineNotInForce"), blocked)
    assert monitoring.query(alert("NethookRunFailed")) == {}
    before = monitoring.query('nethook_changes_total{cause="event"}')
    assert [text for text in busy.event("updated") if "+ gate" in text]
    live(busy, "metrics", "--write")
    monitoring.wait_for(GATES, gates)
    monitoring.wait_for('nethook_changes_total{cause="event"}', {labels: value + 1 for labels, value in before.items()})


def alert(name: str) -> str:
    """The expression of an alert of the document."""
    (expression,) = re.findall(rf"- alert: {name}\n +expr: (.*)\n", DOCUMENT.read_text(encoding="utf-8"))
    return str(expression)


def _rule_of_gate(here: Forwarding) -> str:
    listed = here.world.machine.run("nft", "-a", "list", "chain", "ip", "libvirt_network", "forward")
    return "\n".join(line for line in listed.splitlines() if "nethook-0x" in line)


def test_promtool_has_nothing_to_say(busy: Forwarding) -> None:
    text = live(busy, "metrics").stdout
    assert {metric.name for metric in METRICS} == set(re.findall(r"^# TYPE (\S+)", text, flags=re.MULTILINE))
    check(text)


def test_promtool_understands_any_name_of_a_network(plain: Forwarding) -> None:
    names = ['"a b"', r'"a\"b"', r'"a\\b"', r'"a\\n\"b"', '"größe {x=1} #"', "-"]
    plain.world.configure(*(f"203.0.113.{number} {name}" for number, name in enumerate(names, 1)))
    text = live(plain, "metrics").stdout
    assert text.count("nethook_line_state{") == len(names)
    check(text)


def test_without_libvirt_the_others_are_told(plain: Forwarding) -> None:
    plain.world.configure(f"{ADDRESS} {NETWORK}")
    plain.start()
    result = verb(plain.world, "metrics")
    assert result.returncode == 2
    assert "nethook: libvirt" in result.stderr
    assert 'nethook_source_up{source="libvirt"} 0' in result.stdout
    assert 'nethook_source_up{source="kernel"} 1' in result.stdout
    assert 'nethook_lines{file="routed-ips",state="unknown"} 1' in result.stdout
    assert re.search(r'nethook_changes_total\{cause="event"\} [1-9]', result.stdout)
    check(result.stdout)


def test_prometheus_understands_the_dashboard(busy: Forwarding, monitoring: Monitoring) -> None:
    live(busy, "metrics", "--write")
    monitoring.wait_for("nethook_last_run_success", {(): 1.0})
    panels = json.loads(DOCUMENT.with_name("grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    shown = {
        query: monitoring.query(query.replace("$instance", ".*").replace("$__rate_interval", "1m")) for query in queries
    }
    assert {(): 5.0} in shown.values()  # lines in force
    assert [query for query, found in shown.items() if ("routed-ips", "203.0.113.99", "gone", "waiting") in found]


def test_the_rules_in_the_document_are_right(tmp_path: Path) -> None:
    """promtool has to understand them, and to find no two alike."""
    (rules,) = re.findall(r"^```yaml\n(groups:.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), flags=re.S | re.M)
    file = tmp_path / "rules.yml"
    file.write_text(rules, encoding="utf-8")
    result = run([programs().promtool, "check", "rules", file], check=False)
    assert result.returncode == 0, result.stderr
    assert f"SUCCESS: {rules.count('alert:')} rules found" in result.stdout


COUNT = """
import sys
sys.path.insert(0, sys.argv[1])
from nethook.engine.run import count_run
from nethook.host import Host
for _ in range(200):
    count_run("event", ["a change"], [], Host(0))
"""


def test_no_run_is_lost_when_many_end_at_once(plain: Forwarding) -> None:
    words = '/usr/bin/python3 -I -c "$0" "$1"'
    plain.world.machine.run("sh", "-ec", f"for n in 1 2 3 4; do {words} & done; wait", COUNT, str(SOURCE))
    assert plain.world.machine.syslog.new() == []
    assert 'nethook_changes_total{cause="event"} 800\n' in live(plain, "metrics").stdout
