"""The report of doctor: what to do first, the way with its break, whose problem it is, and what nobody has tried."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from nethook.commands import doctor
from nethook.doctor import report
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding, merged
from nethook.doctor.report import doctor_text
from nethook.doctor.walk import Diagnosis
from nethook.doctor.ways import PLACES, STATIONS, Way

if TYPE_CHECKING:
    from typing import TextIO

A, B, SIX = "203.0.113.10", "203.0.113.11", "2001:db8:7::10"
ANSWERS = Finding(OK, "guest", "52:54:00:00:00:01 answers ARP", addresses=[A, B], is_answer=True)
WAY = Way("uplink0", "virbr1", "web1")
CHAIN = "chain inet fw in drops packets to the guest: its policy"
RULE = "nft 'add rule inet fw in meta mark & 0x10000000 == 0x10000000 accept'"


def diagnosis(*findings: Finding) -> Diagnosis:
    found = Diagnosis()
    found.addresses = [A, B]
    found.findings = merged(findings)
    found.ways = {A: WAY, B: WAY._replace(guest="web2")}
    return found


def text(found: Diagnosis, stream: TextIO | None = None, *, verbose: bool = False) -> list[str]:
    return doctor_text(found, stream or io.StringIO(), verbose=verbose).splitlines()


def terminal(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def test_failures_come_first_and_the_same_of_several_addresses_once() -> None:
    found = diagnosis(
        ANSWERS,
        Finding(OK, "tools", "nft"),
        Finding(WARNING, "boot", "not at boot", command="enable it"),
        *(Finding(FAILURE, "route", "gone", command="c", addresses=[address]) for address in (A, "x")),
    )
    assert text(found, terminal("utf-8")) == [
        "Do this first:",
        "    # c",
        "",
        f"failure: {A}, x: route: gone",
        "    outside → uplink0 → route ✗ → forwarding → firewall → virbr1 → web1",
        "warning: boot: not at boot",
        "    # enable it",
        "",
        "1 of 2 addresses healthy; 1 failure, 1 warning",
    ]
    assert "ok: tools: nft" in text(found, verbose=True)


def test_the_way_is_in_the_letters_of_the_terminal() -> None:
    found = diagnosis(Finding(FAILURE, "admin's nftables", CHAIN, command=RULE, advice="and so on", addresses=[A, B]))
    way = "outside → uplink0 → forwarding → firewall ✗ admin's nftables → virbr1 → guest"
    assert f"    {way}" in text(found, terminal("utf-8"))
    for stream in (terminal("ascii"), terminal("latin-1")):
        assert f"    {way.replace('→', '->').replace('✗', 'X')}" in text(found, stream)


def test_what_is_not_on_the_way_has_none() -> None:
    found = diagnosis(Finding(FAILURE, "hook", "gone", command="nethook install"))
    assert text(found)[3:] == ["failure: hook: gone", "", "0 of 2 addresses healthy; 1 failure, 0 warnings"]


def test_each_place_of_a_station_is_on_the_way() -> None:
    assert set(STATIONS.values()) <= set(PLACES)


def test_a_repair_that_is_no_command_is_said_at_once() -> None:
    found = diagnosis(Finding(FAILURE, "guest", "silent", advice="run in the guest: ip address add", addresses=[A]))
    assert text(found)[:3] == ["Do this first: run in the guest: ip address add", "", f"failure: {A}: guest: silent"]
    assert len([line for line in text(found) if "ip address add" in line]) == 1


def test_the_usual_single_cause_is_read_without_scrolling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "width_of", lambda _: 80)
    found = diagnosis(
        ANSWERS, Finding(FAILURE, "admin's nftables", CHAIN, command=RULE, advice="x " * 60, addresses=[A])
    )
    lines = text(found)
    assert len(lines) < 24
    assert all(len(line) <= 80 or line.startswith("    # ") for line in lines)  # a command is there to be copied
    assert f"    # {RULE}" in lines


def test_a_failure_of_the_host_leaves_nothing_healthy() -> None:
    assert text(diagnosis(ANSWERS))[-1] == "2 addresses healthy; 0 warnings"
    found = diagnosis(ANSWERS, Finding(FAILURE, "hook", "missing"))
    assert text(found)[-1] == "0 of 2 addresses healthy; 1 failure, 0 warnings"
    stopped = diagnosis(ANSWERS)
    stopped.stopped_by = "nft does not answer"
    assert stopped.healthy == []


def test_a_failure_counts_for_its_addresses_alone() -> None:
    found = diagnosis(ANSWERS, Finding(FAILURE, "gate", "missing", addresses=[B]))
    assert (found.healthy, found.not_tried) == ([A], [])


def test_what_nobody_has_asked_is_not_healthy() -> None:
    found = diagnosis(
        Finding(OK, "guest", "guest web1 is plugged in", addresses=[B]),
        Finding(OK, "guest", "answers ARP", addresses=[A], is_answer=True),
    )
    assert (found.healthy, found.not_tried) == ([A], [B])
    assert text(found) == [
        f"not tried: {B} (of a large prefix, name an address that a guest has)",
        "1 of 2 addresses healthy, 1 not tried; 0 failures, 0 warnings",
    ]


def test_a_line_that_names_no_address_makes_none_ill() -> None:
    wrong = Finding(FAILURE, "configuration", "routed-ips:2:1: 203.0.113.300 is not an IPv4 address")
    found = diagnosis(ANSWERS, wrong)
    assert found.healthy == found.addresses
    assert text(found)[-1] == "2 of 2 addresses healthy; 1 failure, 0 warnings"


def test_programs_are_told_the_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = diagnosis(Finding(FAILURE, "forwarding", "off", addresses=[A]), Finding(FAILURE, "hook", "gone"))
    monkeypatch.setattr(doctor, "require_root", lambda _: None)
    monkeypatch.setattr(doctor, "diagnose", lambda *_: found)
    assert doctor.run(Namespace(addresses=[], json=True, probe=False, verbose=False)) == 1
    said = json.loads(capsys.readouterr().out)
    on_the_way, other = said["findings"]
    assert on_the_way["way"][on_the_way["way_at"]] == "forwarding"
    assert on_the_way["way"][1] == "uplink0"
    assert (other["way"], other["way_at"]) == (None, None)
    assert (said["healthy"], said["not_tried"]) == ([], [])  # what the hook lacks is about all
