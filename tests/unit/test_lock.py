"""The lock: when it was taken before, and what happens when its folder is removed by who holds it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from nethook.errors import NethookError
from nethook.host import lock
from nethook.host.lock import Locked, last_run, take_missed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "nethook"
    monkeypatch.setattr(lock, "FOLDER", str(made))
    monkeypatch.setattr(lock, "MISSED", str(made / "missed"))
    return made


def test_who_asked_first_sees_whether_another_run_came_between(folder: Path) -> None:
    del folder
    assert last_run() == 0
    with Locked(as_of=0) as first:
        assert first.is_current
    before = last_run()
    with Locked(as_of=before) as undisturbed:
        assert undisturbed.is_current
    before = last_run()
    with Locked():
        pass
    with Locked(as_of=before) as disturbed:
        assert not disturbed.is_current


def test_who_has_to_ask_again_disturbs_nobody(folder: Path) -> None:
    del folder
    with Locked():
        pass
    asked = last_run()
    with Locked(as_of=asked + 1) as outdated:
        assert not outdated.is_current
    with Locked(as_of=asked) as current:
        assert current.is_current


def test_a_folder_that_is_removed_is_made_anew_by_who_waits(folder: Path) -> None:
    entered = threading.Event()

    def wait() -> None:
        with Locked():
            entered.set()

    waiting = threading.Thread(target=wait)
    with Locked():
        waiting.start()
        assert not entered.wait(0.1)
        folder.rmdir()
    waiting.join()
    assert entered.is_set()
    assert folder.is_dir()


def test_who_gives_up_waiting_leaves_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as an event while `nethook apply` puts 100,000 addresses in force, which then asks libvirt again."""
    del folder
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.05)
    assert not take_missed()
    with Locked():
        with pytest.raises(NethookError, match="nothing was changed"), Locked():
            pass
        assert take_missed()
    assert not take_missed()
