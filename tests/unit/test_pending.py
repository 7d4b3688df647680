"""What a plan would still change about a line, as status and doctor both say it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import nethook.host.host as edge
from nethook.doctor import host_problems, ours
from nethook.doctor.host import Host, Target
from nethook.engine.pending import Pending
from nethook.libvirt.live import LiveNetwork
from nethook.libvirt.network import Network
from nethook.parts.tables.binding import TABLE as BINDING
from nethook.parts.tables.classifying import TABLE
from nethook.steps.effect import ADD, REMOVE, REPLACE, Effect
from tests.unit.cases import case
from tests.unit.lines import configuration, routed

LINE, OTHER, BOUND = routed("2001:db8::1 public proxy=lo\n203.0.113.17 public\n203.0.113.18 public guest=web1")


@pytest.mark.parametrize(
    ("sign", "uplink", "is_deaf"),
    [(ADD, "lo", True), (REMOVE, "lo", False), (ADD, "eth9", False), (REMOVE, "eth9", False)],
)
def test_proxy_ndp_is_off_only_where_it_is_to_be_turned_on(sign: str, uplink: str, is_deaf: bool) -> None:
    effects = [Effect(sign, "proxy_ndp", to=uplink)]
    assert Pending(effects).has_deaf_uplink(LINE) == is_deaf
    host: Any = Host(
        configuration(""), {"public": LiveNetwork(Network("public", "virbr1", "nat"), is_active=True)}, edge.Host(1)
    )
    host.__dict__["plan"] = SimpleNamespace(effects=effects, case=case("", []))
    target = Target(LINE, "2001:db8::1", is_exact=True)
    target.bridge = "virbr1"
    said = [finding.text for finding in ours.reached(host, target)]
    assert said == ["the kernel does not look at our proxy entries on lo: proxy_ndp is off"] * is_deaf


def test_what_concerns_a_line_and_what_does_not() -> None:
    pending = Pending(
        [
            Effect(ADD, "table", to=BINDING),
            Effect(REMOVE, "table", to=TABLE),
            Effect(ADD, "accept", prefix="203.0.113.16/29", bridge="virbr1"),
            Effect(REMOVE, "accept", prefix="2001:db8::1", bridge="virbr1"),
            Effect(ADD, "guard", prefix="203.0.113.16/29"),
            Effect(REPLACE, "route", prefix="203.0.113.17", bridge="virbr1"),
            Effect(ADD, "bound", prefix="203.0.113.18", to="52:54:00:00:00:01", line=BOUND),
            Effect(ADD, "proxy", prefix="2001:db8::1", to="lo", line=LINE),
            Effect(ADD, "gateway", prefix="fe80::1", bridge="virbr1"),
        ]
    )
    assert [pending.lacks_table_of(line) for line in (LINE, OTHER, BOUND)] == [False, False, True]
    assert [pending.unaccepted(line, "virbr1") for line in (LINE, OTHER)] == ["", "203.0.113.16/29"]
    assert pending.unaccepted(OTHER, "virbr2") == ""
    assert [pending.unguarded(line) for line in (LINE, OTHER)] == ["", "203.0.113.16/29"]
    assert [pending.is_unrouted(OTHER, bridge) for bridge in ("virbr1", "virbr2")] == [True, False]
    assert [pending.is_unbound(line) for line in (OTHER, BOUND)] == [False, True]
    assert [pending.unanswered(line) for line in (LINE, OTHER)] == [["2001:db8::1"], []]
    assert [pending.gateway("virbr1", family) for family in (4, 6)] == ["", "fe80::1"]


def test_what_is_said_of_many_lines_is_said_once() -> None:
    lines = routed("203.0.113.10 pubilc\n203.0.113.11 pubilc\n203.0.113.12 other\n203.0.113.13 pubilc")
    live = {"public": LiveNetwork(Network("public", "virbr1", "nat"), is_active=True)}
    found = host_problems.merged(host_problems.no_such_network(line, live) for line in lines)
    assert [str(problem) for problem in found] == [
        "routed-ips:1:14: libvirt has no network pubilc (here and in 2 more lines); did you mean public?",
        "routed-ips:3:14: libvirt has no network other; write one of: public",
    ]


def test_lines_of_ipv6_where_the_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_problems, "available", lambda: (4,))
    live = {"public": LiveNetwork(Network("public", "virbr1", "nat"), is_active=True)}
    problems = [str(problem) for line in (LINE, OTHER) for problem in host_problems._problems(line, live, [])]
    assert problems == [
        "routed-ips:1:1: this kernel has no IPv6; remove ipv6.disable=1 from the kernel's command line and boot anew, "
        "or remove the lines with IPv6"
    ]


def test_lines_of_a_network_that_can_never_be_routed_to() -> None:
    live = {"public": LiveNetwork(Network("public", "", "bridge"), is_active=True)}
    problems = [str(problem) for problem in host_problems._problems(OTHER, live, [])]
    assert problems == [
        "routed-ips:2:14: network public has no bridge (forward mode bridge); "
        "route it to a network with a bridge of the kernel"
    ]
