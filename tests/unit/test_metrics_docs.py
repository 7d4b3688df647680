"""docs/metrics.md and the dashboard have the metrics that the program prints, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nethook.config.settings import USUAL_METRICS_FILE
from nethook.engine.run import APPLY, CLEAR, EVENT
from nethook.engine.tally import OTHER
from nethook.status.forward_states import STATES as STATES_OF_FORWARDS
from nethook.status.line_states import STATES as STATES_OF_LINES
from nethook.status.metrics import METRICS, SOURCES

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "metrics.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
OF_OTHERS = {"node_textfile_mtime_seconds"}
NAME = re.compile(r"\b(?:nethook|node)_[a-z_]+")
LABELS = {metric.name: {*metric.labels, "instance"} for metric in METRICS}


def check(query: str) -> None:
    """A query has only metrics that are printed, each with labels that it has; those of node_exporter are its own."""
    names = set(NAME.findall(query)) - OF_OTHERS
    assert names <= LABELS.keys(), query
    assert names or OF_OTHERS & set(NAME.findall(query)), query
    for name, matchers in re.findall(r"(nethook_[a-z_]+)\{([^}]*)\}", query):
        assert set(re.findall(r"([a-z]+) *(?:=~|!~|!=|=)", matchers)) <= LABELS[name], query
    for labels in re.findall(r"by \(([^)]*)\)", query):
        assert set(re.split(", *", labels)) <= set().union(*(LABELS[name] for name in names)), query
    for states in re.findall(r'state[=!]~"([^"]*)"', query):
        assert set(states.split("|")) <= {*STATES_OF_LINES, *STATES_OF_FORWARDS}, query


def test_every_metric_has_its_row() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if "| `nethook_" in line
    ]
    documented = [(name.strip("`"), kind, tuple(re.findall(r"`([a-z]+)`", labels))) for name, kind, labels, _ in rows]
    assert documented == [(metric.name, metric.type, metric.labels) for metric in METRICS]


def test_values_of_labels_are_explained() -> None:
    for value in (*SOURCES, EVENT, APPLY, CLEAR, OTHER, "changed", "failed"):
        assert f"`{value}`" in TEXT
    assert f"metrics-file = {USUAL_METRICS_FILE}" in TEXT


def test_alerts_ask_for_what_is_printed() -> None:
    queries = re.findall(r"^ +expr: (.*)$", TEXT, flags=re.MULTILINE)
    assert len(queries) == TEXT.count("- alert:")
    for query in queries:
        check(query)


def panels() -> list[dict[str, Any]]:
    return list(DASHBOARD["panels"])


def test_the_dashboard_asks_for_what_is_printed() -> None:
    queries = [target["expr"] for panel in panels() for target in panel["targets"]]
    for query in queries:
        check(query)
        assert 'instance=~"$instance"' in query
    (hosts,) = (each for each in DASHBOARD["templating"]["list"] if each["type"] == "query")
    check(hosts["query"]["query"].replace("label_values(", "").partition(",")[0])
    told = set().union(*map(NAME.findall, queries))
    assert told >= {
        metric.name for metric in METRICS if metric.type == "counter" and metric.name != "nethook_runs_total"
    }
    assert told >= {"nethook_lines", "nethook_line_state", "nethook_gate_open", "nethook_last_run_success"}


def test_the_dashboard_fits_every_grafana() -> None:
    """Nothing in it is of one installation: no ids of data sources, nor of the dashboard. No panel covers another."""
    text = json.dumps(DASHBOARD)
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"${datasource}"}
    assert not {"id", "uid", "__inputs"} & DASHBOARD.keys()
    assert [panel["id"] for panel in panels()] == list(range(1, len(panels()) + 1))
    covered: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & covered
        assert max(x for x, _ in cells) < 24
        covered |= cells
