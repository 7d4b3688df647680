"""nethook edit on the fake host, with people who edit in no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.cli import main
from nethook.errors import NethookError
from tests.unit.stage import FORWARDED, OLD, ROUTED, Stage, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def editing(stage: Stage, *made: str | Callable[[bytes], bytes], answers: Sequence[str] = ()) -> None:
    def editor(result: str | Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        return (lambda _: result.encode()) if isinstance(result, str) else result

    stage.host.editors = [editor(each) for each in made]
    stage.answers = list(answers)


RIGHT, WRONG = "203.0.113.11 public\n", "203.0.113.1O public\n"


@pytest.mark.parametrize(
    ("made", "answers", "status", "text"),
    [
        ([RIGHT], "a", 0, RIGHT),
        ([RIGHT], "k", 0, RIGHT),
        ([RIGHT], "d", 1, OLD),
        ([RIGHT, ""], "ea", 0, ""),
        ([OLD], "", 0, OLD),
        ([WRONG], "d", 1, OLD),
        ([WRONG], "k", 0, WRONG),
        ([WRONG, RIGHT], "ea", 0, RIGHT),
        (["203.0.113.11 nowhere\n", RIGHT], "ea", 0, RIGHT),
        ([WRONG, OLD], "e", 0, OLD),
    ],
)
def test_a_file_is_edited(made: list[str], answers: str, status: int, text: str, stage: Stage) -> None:
    stage.has(OLD)
    editing(stage, *made, answers=answers)
    assert main(["edit"]) == status
    assert (stage.says(), stage.routes) == (text, {"203.0.113.11"} if "a" in answers and text else set())
    assert (stage.answers, stage.host.editors) == ([], [])


def test_each_edit_goes_on_where_the_last_one_ended(stage: Stage) -> None:
    stage.has(OLD)
    editing(stage, lambda data: data + b"wrong\n", lambda data: data + b"more\n", answers="ed")
    assert main(["edit"]) == 1
    editing(stage, lambda data: data + b"wrong\n", lambda data: data[: -len(b"wrong\n")] + RIGHT.encode(), answers="ea")
    assert main(["edit"]) == 0
    assert stage.says() == OLD + RIGHT


def test_edit_without_questions(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    editing(stage, RIGHT)
    assert main(["edit", "--yes", "routed-ips"]) == 0
    assert stage.routes == {"203.0.113.11"}
    editing(stage, "203.0.113.1:80 public to=192.0.2.9\n")
    assert main(["edit", "--no-apply", "forwarded-ports"]) == 0
    assert stage.says(FORWARDED) == "203.0.113.1:80 public to=192.0.2.9\n"
    assert "to put it in force, run `nethook apply`" in capsys.readouterr().err


def test_the_mistakes_of_an_edited_file_have_carets(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    editing(stage, "203.0.113.11 public gest=a\n", answers="d")
    assert main(["edit"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"{ROUTED}:1:21: there is no option gest=\n    203.0.113.11 public gest=a\n")
    assert stage.says() is None


@pytest.mark.parametrize(("answers", "text"), [("ak", RIGHT), ("ad", OLD + RIGHT), ("aea", WRONG)])
def test_others_change_the_file_while_it_is_edited(
    answers: str, text: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.has(OLD)

    def slowly(_: bytes) -> bytes:
        stage.has(OLD + RIGHT)
        return RIGHT.encode()

    editing(stage, slowly, WRONG, answers=answers.replace("aea", "aek"))
    assert main(["edit"]) == (0 if answers[-1] != "d" else 1)
    assert stage.says() == text
    err = capsys.readouterr().err
    assert f"nethook: {ROUTED} was changed meanwhile by somebody else:\n" in err
    assert "    +203.0.113.11 public\n" in err


def test_what_was_edited_is_not_lost_when_something_fails(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has_libvirt = False
    editing(stage, RIGHT, RIGHT, answers="ek")
    assert main(["edit"]) == 0
    assert stage.says() == RIGHT
    assert "libvirt does not answer; nothing was written" in capsys.readouterr().err


def test_the_editor_fails(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: bytes) -> bytes:
        raise NethookError("the editor vi ended with status 1, so nothing was changed")

    stage.has(OLD)
    editing(stage, fail)
    assert main(["edit"]) == 2
    assert stage.says() == OLD
    assert capsys.readouterr().err == "nethook: the editor vi ended with status 1, so nothing was changed\n"


@pytest.mark.parametrize("error", [NethookError("the editor vi fails"), OSError(28, "No space left", "the editor vi")])
@pytest.mark.parametrize(("answers", "status", "text"), [("ek", 0, WRONG), ("ed", 1, OLD), ("eek", 0, WRONG + RIGHT)])
def test_an_editor_that_fails_later_loses_nothing(
    answers: str, status: int, text: str, error: Exception, stage: Stage
) -> None:
    """As after `:cq` when the person has edited again."""

    def fail(_: bytes) -> bytes:
        raise error

    stage.has(OLD)
    editing(stage, WRONG, fail, lambda data: data + RIGHT.encode(), answers=answers)
    assert main(["edit"]) == status
    assert stage.says() == text


def test_whatever_fails_an_edited_file_is_whole(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    before = stage.world.copy()
    editing(stage, RIGHT, answers="k")
    assert main(["edit"]) == 0
    for number, touch in enumerate(list(stage.host.touched), 1):
        for fault in touch.faults:
            stage.world = before.copy()
            editing(stage, RIGHT, RIGHT, answers=["k", *["d"] * 5])
            stage.host.faults = {number: fault}
            attempt(["edit"])
            assert stage.says() in {OLD, RIGHT}, f"{touch.what}: {fault.value}"
    capsys.readouterr()
