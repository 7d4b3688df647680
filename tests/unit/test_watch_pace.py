"""When the service looks: bursts, what costs nothing, fights, failures. The time is told, in seconds."""

from __future__ import annotations

from nethook.watch.pace import (
    CALM,
    CREDIT,
    LONGEST,
    LONGEST_FIGHT,
    LONGEST_RETRY,
    QUIET,
    SHARE,
    TOLERATED,
    Fights,
    Pace,
)

PIECE = "+ route 203.0.113.10 → virbr1"


def looked(pace: Pace, now: float, *pieces: str, seconds: float = 0.1, has_failed: bool = False) -> None:
    """One look at this time."""
    pace.begin(now)
    pace.end(now, seconds, pieces, has_failed=has_failed)


def test_nothing_is_due_before_anything_is_heard() -> None:
    assert Pace().due is None


def test_a_look_waits_until_it_is_quiet() -> None:
    pace = Pace()
    pace.hear(10.0)
    assert pace.due == 10.0 + QUIET
    pace.hear(10.03)
    assert pace.due == 10.03 + QUIET


def test_a_long_burst_is_not_waited_for() -> None:
    pace = Pace()
    for number in range(100):
        pace.hear(10.0 + number / 100)
    assert pace.due == 10.0 + LONGEST


def test_what_is_heard_during_a_look_is_looked_at_after_it() -> None:
    pace = Pace()
    pace.hear(10.0)
    pace.begin(10.1)
    pace.hear(10.15)
    pace.end(10.2, 0.1, [PIECE], has_failed=False)
    assert pace.due == max(10.2, 10.15 + QUIET)


def test_a_look_that_finds_something_is_followed_by_another_at_once() -> None:
    pace = Pace()
    for number in range(100):
        pace.hear(10.0 + number)
        looked(pace, 10.0 + number, f"+ piece {number}", seconds=1.0)
    pace.hear(110.0)
    assert pace.due == 110.0 + QUIET


def test_looks_that_find_nothing_take_only_a_share_of_a_processor() -> None:
    """Something is heard all the time. In an hour, the looks take their share, and not much less."""
    pace, now, used = Pace(), 0.0, 0.0
    pace.hear(now)
    while now < 3600:
        now = pace.due or 0.0
        looked(pace, now)
        used += 0.1
        pace.hear(now)
    assert 3600 * SHARE <= used <= 3600 * SHARE + CREDIT + 0.2


def test_a_few_looks_that_find_nothing_are_free() -> None:
    pace = Pace()
    for number in range(5):
        looked(pace, 10.0 + number)
    pace.hear(20.0)
    assert pace.due == 20.0 + QUIET


def test_a_fight_has_growing_pauses_and_one_name() -> None:
    fights, now, pauses = Fights(), 100.0, []
    for _ in range(TOLERATED + 8):
        pauses.append(fights.take(now, [PIECE]))
        now += pauses[-1] + 0.1
    assert pauses == [0, 0, 0, 1, 2, 4, 8, 16, 32, LONGEST_FIGHT, LONGEST_FIGHT]
    assert fights.fought == PIECE
    assert fights.is_fought(PIECE)
    assert not fights.is_calm(now)


def test_a_fight_does_not_delay_others() -> None:
    """A look that puts something else right is followed by the next one at once; the pauses grow meanwhile."""
    fights = Fights()
    for number in range(TOLERATED + 3):
        assert fights.take(100.0, [PIECE, f"+ something else {number}"]) == 0
    assert fights.fought == PIECE
    assert fights.take(100.0, [PIECE]) == 8


def test_the_pause_is_that_of_the_piece_that_was_undone_least() -> None:
    fights = Fights()
    for _ in range(TOLERATED + 3):
        fights.take(100.0, [PIECE])
    for _ in range(TOLERATED):
        assert fights.take(100.0, ["+ another", PIECE]) == 0
    assert fights.take(100.0, ["+ another", PIECE]) == 1
    assert fights.fought == PIECE


def test_a_fight_ends_when_it_has_been_quiet() -> None:
    fights = Fights()
    for _ in range(TOLERATED + 1):
        fights.take(100.0, [PIECE])
    assert not fights.is_calm(100.0 + CALM)
    assert fights.is_calm(103.0 + CALM)
    assert not fights.is_calm(104.0 + CALM), "told once"
    assert fights.take(104.0 + CALM, [PIECE]) == 0


def test_what_is_broken_now_and_then_is_no_fight() -> None:
    fights = Fights()
    assert {fights.take(100.0 + number * 2 * CALM, [PIECE]) for number in range(50)} == {0.0}


def test_others_are_no_part_of_a_fight() -> None:
    fights = Fights()
    for number in range(50):
        assert fights.take(100.0 + number, [f"+ piece {number}"]) == 0


def test_what_cannot_be_done_is_tried_again_with_growing_pauses() -> None:
    pace, now, pauses = Pace(), 100.0, []
    for _ in range(12):
        looked(pace, now, seconds=0.0, has_failed=True)
        pauses.append((pace.due or 0.0) - now)
        now = pace.due or 0.0
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    looked(pace, now)
    assert pace.due is None


def test_what_is_heard_does_not_wait_for_what_cannot_be_done() -> None:
    pace = Pace()
    for _ in range(5):
        looked(pace, 100.0, seconds=0.0, has_failed=True)
    pace.hear(101.0)
    assert pace.due == 101.0 + QUIET


def test_who_asks_for_a_look_gets_it_during_a_fight() -> None:
    pace = Pace()
    for _ in range(TOLERATED + 7):
        looked(pace, 100.0, PIECE)
    pace.hear(101.0)
    assert (pace.due or 0.0) > 130.0
    pace.hear(102.0, is_urgent=True)
    assert (pace.due or 0.0) <= 102.0 + QUIET


def test_pauses_stay_the_longest_however_long_it_lasts() -> None:
    pace = Pace()
    for number in range(1100):
        looked(pace, 100.0, PIECE, has_failed=True)
        assert (pace.due or 0.0) <= 100.0 + LONGEST_RETRY, number
    assert pace.due == 100.0 + LONGEST_RETRY
    assert not pace.fights.is_calm(100.0)
