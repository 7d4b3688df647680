"""Unit tests are about logic: a process started by one of them is a mistake."""

from __future__ import annotations

import os
import subprocess

import pytest


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every way to start a process fail."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a unit test started a process")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
