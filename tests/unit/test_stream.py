"""``nethook status --watch --json``: a line each time, until nobody reads it any more."""

from __future__ import annotations

import os
import sys
from threading import Thread

import pytest

from nethook.status import watch

LONG = 600


def test_it_ends_when_its_reader_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    looks: list[str] = []
    ended: list[int] = []

    def look() -> str:
        looks.append(f"look {len(looks)}")
        if len(looks) == 3:
            monkeypatch.setattr(watch, "SECONDS", LONG)
        return looks[-1]

    with os.fdopen(ours) as reader, os.fdopen(theirs, "w") as writer:
        monkeypatch.setattr(sys, "stdout", writer)
        monkeypatch.setattr(watch, "SECONDS", 0.01)
        streaming = Thread(target=lambda: ended.append(watch.stream(look)), daemon=True)
        streaming.start()
        assert [reader.readline() for _ in range(3)] == ["look 0\n", "look 1\n", "look 2\n"]
        reader.close()
        streaming.join(LONG / 2)
    assert ended == [0]
