"""The loop of the service with invented sources and looks: a fault of one of them ends nothing."""

from __future__ import annotations

import os
import signal
import time
from selectors import DefaultSelector
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from nethook.config import Settings
from nethook.errors import NethookError
from nethook.host import service_manager
from nethook.watch import healing, service, sources
from nethook.watch.journal import Journal
from nethook.watch.source import Interests, Source

if TYPE_CHECKING:
    from collections.abc import Iterable


class Broken(Source):
    """A source that can be opened at the third attempt, and whose first reading fails."""

    name = "what breaks"
    attempts = 0
    fails = True

    def __init__(self) -> None:
        Broken.attempts += 1
        if Broken.attempts < 3:
            raise OSError(f"attempt {Broken.attempts}")
        self._readable, self._writable = os.pipe()
        os.write(self._writable, b"!")

    def fileno(self) -> int:
        return self._readable

    def read(self) -> Iterable[str]:
        os.read(self._readable, 1)
        if Broken.fails:
            Broken.fails = False
            raise ValueError("it is broken")
        return ["something was changed"]

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


class End(BaseException):
    """The test has seen enough."""


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The causes of the looks of a service with this source; it ends with the one that the source has told."""
    found: list[str] = []

    def look(made: service.Service, _: str, causes: list[str]) -> None:
        found.extend(causes)
        now = time.monotonic()
        made._source, made._causes, made._timer_at = "", [], now + service.TIMER
        made._pace.begin(now)
        made._pace.end(now, 0.0, [], has_failed=False)
        if "something was changed" in causes:
            raise End

    monkeypatch.setattr(sources, "SOURCES", (Broken,))
    monkeypatch.setattr(sources, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(service.Service, "look", look)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "set_wakeup_fd", lambda *_, **__: None)
    return found


def test_a_source_that_fails_is_opened_again(looks: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    made = service.Service()
    with pytest.raises(End):
        made.run()
    assert looks == ["the service has started", "what breaks can be heard again", "something was changed"]
    said = capsys.readouterr().err
    assert "changes of what breaks cannot be heard: OSError: attempt 1" in said
    assert "ValueError: it is broken" in said
    assert Broken.attempts == 4
    made.end()


class Deaf(Source):
    """A source that can be opened, but cannot follow until it is told so."""

    name = "what is deaf"
    can_follow = False
    now = 0.0
    opened: ClassVar[list[float]] = []

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        Deaf.opened.append(Deaf.now)

    def fileno(self) -> int:
        return self._readable

    def follow(self, interests: Interests) -> bool:
        del interests
        if not Deaf.can_follow:
            raise OSError("no space left")
        return False

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


def test_a_source_that_cannot_follow_is_opened_again_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "SOURCES", (Deaf,))
    monkeypatch.setattr(sources, "time", SimpleNamespace(monotonic=lambda: Deaf.now))
    heard: list[str] = []
    made = sources.Sources(DefaultSelector(), lambda _, causes: heard.extend(causes), healing.Healing(Journal(0)).say)
    for second in range(200):
        Deaf.now = float(second)
        made.open()
    assert Deaf.opened == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert (heard, len(capsys.readouterr().err.splitlines())) == ([], 1)
    Deaf.can_follow, Deaf.now = True, 243.0
    made.open()
    assert heard == ["what is deaf can be heard again"]
    made.close()


class Failing(Source):
    """A source that can be opened, but never read."""

    name = "what fails"
    opened: ClassVar[list[float]] = []

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        Failing.opened.append(Deaf.now)

    def fileno(self) -> int:
        return self._readable

    def read(self) -> Iterable[str]:
        raise ValueError("it is broken")

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


def test_a_source_that_cannot_be_read_is_opened_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it has lasted for a minute."""
    monkeypatch.setattr(sources, "SOURCES", (Failing,))
    monkeypatch.setattr(sources, "time", SimpleNamespace(monotonic=lambda: Deaf.now))
    said: list[str] = []
    made = sources.Sources(DefaultSelector(), lambda *_: None, lambda _, lines: said.extend(lines))
    for second in range(64):
        Deaf.now = float(second)
        made.open()
        if second in Failing.opened:
            made.read(Failing)
    Deaf.now = 130.0
    made.open()
    Deaf.now = 200.0
    made.read(Failing)
    Deaf.now = 201.0
    made.open()
    assert Failing.opened == [0, 1, 3, 7, 15, 31, 63, 130, 201]
    assert "ValueError: it is broken" in said[0]
    made.close()


class Looked:
    """Looks whose cycles do what they are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.healing = healing.Healing(Journal(0))
        self._happens: Any = None
        monkeypatch.setattr(healing, "cycle", self._cycle)

    def look(self, happens: Any) -> list[str]:
        """One look; returns what failed."""
        self._happens = happens
        self.healing.look("routes")
        self.healing.say("failures", self.healing.failures)
        return self.healing.failures

    def _cycle(self, ask: object, tell: Any, cause: str) -> None:
        del ask, tell, cause
        if isinstance(self._happens, BaseException):
            raise self._happens


def test_a_failure_is_said_once_until_it_has_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = Looked(monkeypatch)
    for happens in (NethookError("no"), NethookError("no"), None, NethookError("no"), ValueError("a defect")):
        looked.look(happens)
    said = [line.partition(" (")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["nethook: no", "nethook: no", "nethook: defect in nethook: ValueError: a defect"]


@pytest.mark.parametrize("what", ["failures", "mistakes"])
def test_a_single_look_tells_by_its_status_what_is_wrong(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(service.Service, "look", lambda made, *_: setattr(made.healing, what, ["wrong"]))
    assert service.watch(is_once=True) == 1
    monkeypatch.setattr(service.Service, "look", lambda *_: None)
    assert service.watch(is_once=True) == 0


def test_a_signal_during_a_look_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(End):
        Looked(monkeypatch).look(End())


def test_a_defect_after_the_cycle_does_not_end_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a defect")

    made = healing.Healing(Journal(0))
    monkeypatch.setattr(healing, "cycle", lambda *_: (None, None))
    monkeypatch.setattr(made, "_take", fail)
    made.look("routes")
    assert [failure.partition(" (")[0] for failure in made.failures] == ["defect in nethook: ValueError: a defect"]


def test_a_defect_in_writing_the_metrics_does_not_end_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a defect")

    made = service.Service()
    monkeypatch.setattr(made.healing, "settings", Settings(metrics_file="/run/metrics/nethook.prom"))
    monkeypatch.setattr(service, "write_metrics", fail)
    for _ in range(2):
        made._write_metrics()
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" (")[0] for line in said] == ["nethook: defect in metrics: ValueError: a defect"]
    made.end()


def test_the_status_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in it, systemd must not take the rest for a line of its own, such as MAINPID=1."""
    told: list[str] = []
    made = service.Service()
    monkeypatch.setattr(made.healing, "look", lambda _: None)
    monkeypatch.setattr(made, "_last_change", "changed by evil\nMAINPID=1")
    monkeypatch.setattr(service_manager, "tell", lambda *lines: told.extend(lines))
    made.look("routes", ["a route was deleted"])
    assert told == ["STATUS=nothing was applied yet; changed by evil\\nMAINPID=1"]
    made.end()


def test_interests_begin_with_the_usual_files() -> None:
    assert Interests().files[0] == "/etc/nethook/nethook.conf"
