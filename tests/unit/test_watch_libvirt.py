"""The thread that listens to libvirt, with an invented libvirt and pauses that take no time."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from nethook.libvirt.live import BindingMissingError
from nethook.watch import libvirt_events
from nethook.watch.libvirt_events import LONGEST_PAUSE, Libvirt


class AwayError(Exception):
    """libvirt does not answer."""


class Thread:
    """A thread that does not start."""

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        """Do nothing."""


class Heard:
    """What the thread does: each time, ``binding`` or ``open`` takes the next of the ``events``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        self.events: list[Exception | None] = []
        self.bindings: list[Exception | None] = []
        self._libvirt = SimpleNamespace(
            libvirtError=AwayError, openReadOnly=self._open, virEventRegisterDefaultImpl=lambda: None
        )
        monkeypatch.setattr(libvirt_events, "Thread", Thread)
        monkeypatch.setattr(libvirt_events, "binding", self._binding)
        monkeypatch.setattr(libvirt_events, "time", SimpleNamespace(sleep=self._sleep))
        monkeypatch.setattr(signal, "pthread_sigmask", lambda *_: None)
        monkeypatch.setattr(libvirt_events, "numbers", list)
        self.source = Libvirt()

    def listen(self) -> list[float]:
        """Listen until nothing is left that happens; return the pauses."""
        self.source._listen()
        return self.pauses

    def _binding(self) -> Any:
        self._raise(self.bindings)
        return self._libvirt

    def _open(self, _: str) -> None:
        self._raise(self.events)
        raise AwayError

    def _raise(self, events: list[Exception | None]) -> None:
        error = events.pop(0) if events else None
        if error:
            raise error

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.events and not self.bindings:
            self.source.close()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return Heard(monkeypatch)


def test_a_defect_is_said_once_and_ends_nothing(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    heard.source.is_away = True
    heard.events = [AwayError(), ValueError("a defect"), ValueError("a defect"), None]
    assert heard.listen() == [1, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    said = [line.partition(" (")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["nethook: changes of libvirt cannot be heard: ValueError: a defect"]
    assert not heard.source.is_away, "it is for the cycle to find out"


def test_a_missing_binding_is_looked_for_again(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    heard.bindings = [BindingMissingError("no binding", ""), BindingMissingError("no binding", "")]
    heard.events = [AwayError()]
    assert heard.listen() == [LONGEST_PAUSE] * 3
    assert capsys.readouterr().err == "", "a cycle says it"
