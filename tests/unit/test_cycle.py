"""Ask libvirt, lock, run, once more: runs do and fail as told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nethook.changes import ADD, Effect
from nethook.engine import cycle
from nethook.engine.run import Outcome
from nethook.errors import NethookError, ReadError
from nethook.host.fake import FakeHost

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER, DONE, FAILED, UNREAD = "another run comes between", "done", "failed", "cannot read"


class Runs:
    """What happens at each attempt; ``told`` is what people hear of it."""

    def __init__(self, happens: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._happens = iter(happens)
        self._now = ""
        self.told: list[tuple[list[str], list[str]]] = []
        monkeypatch.setattr(cycle, "reconcile", self._reconcile)

    def ask(self) -> Any:
        self._now = next(self._happens)
        return SimpleNamespace(record=lambda *_: self._now != OTHER, question=lambda _: None, not_recorded=[])

    def tell(self, outcome: Outcome) -> None:
        self.told.append(([str(effect) for effect in outcome.done], list(outcome.failures)))

    def _reconcile(self, *_: object, **__: object) -> Outcome:
        if self._now == UNREAD:
            raise ReadError(UNREAD)
        outcome = Outcome()
        outcome.done = [Effect(ADD, "route", prefix="203.0.113.10", bridge="virbr1")]
        outcome.failures = [FAILED] if self._now == FAILED else []
        return outcome


ROUTE = ["+ route 203.0.113.10 → virbr1"]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeHost()
    monkeypatch.setattr(cycle, "limited_host", lambda: made)


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        ([DONE], [(ROUTE, [])]),
        ([OTHER, OTHER, DONE], [(ROUTE, [])]),
        ([FAILED, DONE], [(ROUTE, []), (ROUTE, [])]),
        ([FAILED, FAILED], [(ROUTE, []), (ROUTE, [FAILED])]),
        ([UNREAD, DONE], [(ROUTE, [])]),
        ([UNREAD, FAILED], [(ROUTE, [FAILED])]),
    ],
)
def test_what_is_told(
    happens: list[str], told: list[tuple[list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(happens, monkeypatch)
    assert cycle.cycle(runs.ask, runs.tell) is not None
    assert runs.told == told


@pytest.mark.parametrize(
    ("happens", "told", "error"),
    [
        ([OTHER] * cycle.ATTEMPTS, [], "other runs keep coming between; nothing was changed; try again"),
        (
            [*[OTHER] * (cycle.ATTEMPTS - 1), FAILED],
            [(ROUTE, []), ([], [FAILED])],
            "other runs keep coming between; try again",
        ),
        (
            [FAILED, *[OTHER] * (cycle.ATTEMPTS - 1)],
            [(ROUTE, []), ([], [FAILED])],
            "other runs keep coming between; try again",
        ),
        ([UNREAD, UNREAD], [], UNREAD),
    ],
)
def test_a_failure_is_never_dropped(
    happens: list[str], told: list[tuple[list[str], list[str]]], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(happens, monkeypatch)
    with pytest.raises(NethookError) as raised:
        cycle.cycle(runs.ask, runs.tell)
    assert str(raised.value) == error
    assert runs.told == told


def test_nothing_is_done_without_an_answer() -> None:
    assert cycle.cycle(lambda: None, lambda _: pytest.fail("told")) is None
