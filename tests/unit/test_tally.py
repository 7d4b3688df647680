"""The tally of runs: what is counted, by which cause, and what happens when it cannot be written."""

from __future__ import annotations

import syslog
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nethook.changes import ADD, Effect
from nethook.engine import cycle as cycling
from nethook.engine.run import APPLY, CLEAR, EVENT, TALLY, Outcome, count_run
from nethook.engine.tally import MOST_CAUSES, OTHER, Tally, read
from nethook.errors import NethookError, ReadError
from nethook.host.fake import FakeHost, Fault
from tests.unit.machine import World
from tests.unit.scenarios import PLAIN, PUBLIC, WEB

if TYPE_CHECKING:
    from collections.abc import Callable

HEAL = "route deleted"
ROUTE = Effect(ADD, "route", prefix="203.0.113.10", bridge="virbr1")


def numbers(host: FakeHost) -> dict[str, tuple[int, ...]]:
    """Runs that changed something, runs that failed, changes and failures, by cause, but for causes without any."""
    counts = {
        cause: (each.changed, each.failed, each.changes, each.failures) for cause, each in read(host).by_cause.items()
    }
    return {cause: found for cause, found in counts.items() if any(found)}


def test_before_the_first_run_the_usual_causes_have_none() -> None:
    tally = read(FakeHost())
    assert list(tally.by_cause) == [EVENT, APPLY, CLEAR]
    assert (tally.has_failed, tally.changed_at, tally.failed_at) == (False, 0, 0)


def test_runs_add_up() -> None:
    host = FakeHost()
    count_run(EVENT, [ROUTE, ROUTE], [], host)
    changed_at = read(host).changed_at
    count_run(HEAL, [ROUTE], [], host)
    count_run(EVENT, [ROUTE], ["no", "nor this"], host)
    assert numbers(host) == {EVENT: (1, 1, 3, 2), HEAL: (1, 0, 1, 0)}
    tally = read(host)
    assert tally.has_failed
    assert 0 < changed_at < tally.changed_at == tally.failed_at


def test_a_run_that_finds_nothing_to_do_writes_only_after_one_that_failed() -> None:
    host = FakeHost()
    count_run(EVENT, [], [], host)
    assert TALLY not in host.files.texts
    count_run(EVENT, [], ["no"], host)
    before = read(host)
    count_run(APPLY, [], [], host)
    after = read(host)
    assert (before.has_failed, after.has_failed) == (True, False)
    assert after.failed_at == before.failed_at
    assert numbers(host) == {EVENT: (0, 1, 0, 1)}
    text = host.files.texts[TALLY]
    count_run(APPLY, [], [], host)
    assert host.files.texts[TALLY] == text


def test_a_cause_is_one_line() -> None:
    host = FakeHost()
    count_run("two\n1 1 1 1 lines ", [ROUTE], [], host)
    assert numbers(host) == {"two 1 1 1 1 lines": (1, 0, 1, 0)}


def test_causes_are_few() -> None:
    host = FakeHost()
    for number in range(2 * MOST_CAUSES):
        count_run(f"cause {number}", [ROUTE], [], host)
    count_run("cause 1", [ROUTE], [], host)
    found = numbers(host)
    assert len(read(host).by_cause) == MOST_CAUSES + 1
    assert found["cause 1"] == (2, 0, 2, 0)
    assert sum(changes for _, _, changes, _ in found.values()) == 2 * MOST_CAUSES + 1
    assert found[OTHER][2] == MOST_CAUSES + len((EVENT, APPLY, CLEAR))


@pytest.mark.parametrize("text", ["", "\n", "ok\n", "failed 1 x\n", "lorem ipsum dolor\n1 2 3 4 event\n", "\0\udcff"])
def test_of_a_broken_file_nothing_is_left(text: str) -> None:
    host = FakeHost()
    host.files.texts[TALLY] = text
    assert numbers(host) == {}
    count_run(EVENT, [ROUTE], [], host)
    assert numbers(host) == {EVENT: (1, 0, 1, 0)}


def test_of_broken_lines_the_others_are_left() -> None:
    host = FakeHost()
    host.files.texts[TALLY] = "ok 1.5 0\n1 2 3\n1 2 3 x event\n\n1 2 3 4 apply\n1 2 3 4\n"
    assert numbers(host) == {APPLY: (1, 2, 3, 4)}
    assert read(host).changed_at == 1.5


def test_what_is_written_is_what_is_read() -> None:
    host, tally = FakeHost(), Tally()
    tally.add(HEAL, 3, 0, 1764432000.25)
    tally.add(EVENT, 0, 1, 1764432001.5)
    host.files.texts[TALLY] = tally.text
    found = read(host)
    assert (found.text, found.changed_at, found.failed_at) == (tally.text, 1764432000.25, 1764432001.5)


@pytest.mark.parametrize(("done", "touch"), [([], 1), ([ROUTE], 1), ([ROUTE], 2), ([ROUTE], 3)])
def test_a_run_that_cannot_be_counted_goes_on(done: list[Effect], touch: int) -> None:
    """What changed something is not looked at first: lock, read, write."""
    host = FakeHost()
    host.faults = {touch: Fault.FAILS}
    count_run(EVENT, done, [], host)
    assert host.logged == [(syslog.LOG_ERR, f"cannot count this run in {TALLY}: Input/output error")]
    assert TALLY not in host.files.texts


def test_events_and_clear_are_counted() -> None:
    world = World()
    world.configure(*PLAIN)
    world.event(PUBLIC, "start")
    world.bring_up(PUBLIC)
    world.event(PUBLIC, "started")
    changed, failed, changes, failures = numbers(world.host)[EVENT]
    assert (failed, failures) == (0, 0)
    assert changed
    assert changes >= len(PLAIN)
    assert world.clear() == []
    found = numbers(world.host)
    assert found[EVENT] == (changed, 0, changes, 0)
    assert found[CLEAR][0] == 1


def test_an_event_that_fails_is_counted() -> None:
    world = World()
    world.configure(*PLAIN)
    world.bring_up(PUBLIC)
    world.host.files.texts["/etc/nethook/nethook.conf"] = "mark-bit = 3\n"
    world.event(PUBLIC, "started")
    assert numbers(world.host) == {EVENT: (0, 1, 0, 1)}
    assert read(world.host).has_failed
    world.configure()
    world.event(PUBLIC, "port-created", WEB)
    assert not read(world.host).has_failed


DONE, FAILED, UNREAD, NO = "done", "failed", "unread", "no"


@pytest.fixture
def cycled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeHost]:
    """Run a cycle whose attempts end so; returns the host that it was on."""

    def run(*happens: str, cause: str = APPLY) -> FakeHost:
        host, attempts, now = FakeHost(), iter(happens), [""]
        monkeypatch.setattr(cycling, "limited_host", lambda: host)

        def ask() -> Any:
            now[0] = next(attempts)
            question = SimpleNamespace(record=lambda *_: True, question=lambda _: None, not_recorded=[])
            return None if now[0] == NO else question

        def reconcile(_: object) -> Outcome:
            if now[0] == UNREAD:
                raise ReadError(UNREAD)
            outcome = Outcome()
            outcome.done = [ROUTE]
            outcome.failures = [FAILED] if now[0] == FAILED else []
            return outcome

        monkeypatch.setattr(cycling, "reconcile", reconcile)
        try:
            cycling.cycle(ask, lambda _: None, cause)
        except NethookError:
            assert happens[-1] == UNREAD
        return host

    return run


def test_a_cycle_is_one_run_however_often_it_tries(cycled: Callable[..., FakeHost]) -> None:
    assert numbers(cycled(DONE)) == {APPLY: (1, 0, 1, 0)}
    assert numbers(cycled(DONE, cause=HEAL)) == {HEAL: (1, 0, 1, 0)}
    assert numbers(cycled(FAILED, DONE)) == {APPLY: (1, 0, 2, 0)}
    assert numbers(cycled(FAILED, FAILED)) == {APPLY: (0, 1, 2, 1)}
    assert numbers(cycled(UNREAD, UNREAD)) == {APPLY: (0, 1, 0, 1)}
    assert numbers(cycled(NO)) == {}
