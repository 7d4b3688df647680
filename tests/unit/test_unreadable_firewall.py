"""A firewall that cannot be read: no verb may say that all is well, or that there is nothing to do."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from nethook.cli import main
from nethook.commands import clear, plan, status
from nethook.config import Configuration, Settings
from nethook.status.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Callable

WHY = "firewalld does not answer"


@pytest.fixture(autouse=True)
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(effects=[], steps=[], failures=[WHY], refused=[], warnings=[])
    now = SimpleNamespace(question=lambda _: None, mistakes=lambda _: [], say_what_is_odd=lambda: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    for module in (plan, clear):
        monkeypatch.setattr(module, "require_root", lambda _: None)
        monkeypatch.setattr(module, "decide", lambda _: found)
    monkeypatch.setattr(plan, "load", lambda _: Configuration(Settings(), [], []))
    monkeypatch.setattr(plan, "situation", lambda *_: now)
    monkeypatch.setattr(clear, "load_settings", lambda _: Settings())
    monkeypatch.setattr(clear, "cleared", lambda *_: None)
    monkeypatch.setattr(status, "overview", lambda: Overview([], [], failures=[WHY]))


@pytest.mark.parametrize("verb", [["plan"], ["clear", "--dry-run"], ["status"], ["status", "--no-pager"]])
def test_it_is_said(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(verb) == 2
    err = capsys.readouterr().err
    assert f"nethook: {WHY}\n" in err
    assert "nothing" not in err


@pytest.mark.parametrize(
    ("verb", "others"),
    [("plan", lambda found: found["changes"] == []), ("status", lambda found: found["is_well"] is False)],
)
def test_programs_are_told(
    verb: str, others: Callable[[dict[str, object]], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["failures"] == [WHY]
    assert others(found)
