"""What nethook add and remove answer to programs, and looking ahead without writing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nethook.cli import main
from nethook.commands import check
from nethook.config import ROUTED_IPS_FILES
from nethook.doctor.foreign_marks import ForeignMarks
from tests.unit.stage import FORWARDED, OLD, ROUTED, Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


class Asking:
    """Runs verbs, each of which must print one JSON document."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, dict[str, Any]]:
        status = main([words[0], "--json", *words[1:]])
        return status, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Asking:
    return Asking(capsys)


def test_looking_ahead_writes_nothing(stage: Stage, ask: Asking) -> None:
    stage.has(OLD)
    status, answer = ask("add", "--dry-run", "203.0.113.11", "public")
    assert (status, answer["written"], answer["problems"], answer["failures"]) == (1, False, [], [])
    assert answer["lines"] == [{"action": "add", "text": f"203.0.113.11  public, {ROUTED}:3"}]
    assert ("add", "route", "203.0.113.11") in {
        (each["action"], each["kind"], each.get("prefix")) for each in answer["changes"]
    }
    assert (stage.says(), stage.routes) == (OLD, set())


def test_a_line_is_written_and_applied(stage: Stage, ask: Asking) -> None:
    stage.has(OLD)
    status, answer = ask("add", "--yes", "203.0.113.11", "public")
    assert (status, answer["written"]) == (0, True)
    assert "203.0.113.11" in {each.get("prefix") for each in answer["changes"]}
    assert stage.routes == {"203.0.113.10", "203.0.113.11"}
    status, answer = ask("remove", "--dry-run", "203.0.113.11")
    assert (status, answer["written"], answer["lines"][0]["action"]) == (1, False, "remove")
    assert stage.routes == {"203.0.113.10", "203.0.113.11"}
    status, answer = ask("remove", "--yes", "203.0.113.11", "public")
    assert (status, answer["written"], stage.says(), stage.routes) == (0, True, OLD, {"203.0.113.10"})


def test_a_line_is_written_though_another_one_is_wrong(stage: Stage, ask: Asking) -> None:
    """The mistakes that apply reports are about the whole files: only ``said`` tells that the line was written."""
    stage.has(f"{OLD}203.0.113.12 publik\n")
    for verb in ("add", "remove"):
        status, answer = ask(verb, "--yes", "203.0.113.11", "public")
        assert (status, answer["written"], len(answer["problems"])) == (1, True, 1)
        assert answer["said"].startswith(f"the change is in {ROUTED}, but not everything is in force; ")
    assert stage.says() == f"{OLD}203.0.113.12 publik\n"


def test_a_line_is_written_though_an_ignored_file_has_addresses_in_force(stage: Stage, ask: Asking) -> None:
    stage.has("203.0.113.10 public\n", ROUTED_IPS_FILES[-1])
    assert ask("add", "--yes", "203.0.113.11", "public")[0] == 0
    stage.has("203.0.113.12 public\n")
    status, answer = ask("add", "--yes", "203.0.113.13", "public")
    assert (status, answer["written"], answer["problems"], answer["failures"]) == (1, True, [], [])
    assert "stay in force, although no file that is read has them" in answer["hidden"]
    status, answer = ask("apply")
    assert (status, answer["changed"], answer["problems"], answer["failures"]) == (1, False, [], [])
    assert "203.0.113.10, 203.0.113.11 of /etc/default/routed-ips stay in force" in answer["hidden"]
    assert ask("apply", "--yes")[1]["hidden"] is None


def test_check_says_that_nothing_was_compared(stage: Stage, ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.has(OLD)
    monkeypatch.setattr(check, "Host", lambda _: stage.host)
    monkeypatch.setattr(check, "own_routes", lambda *_: [])
    monkeypatch.setattr(check, "foreign_marks", lambda _: ForeignMarks([]))
    assert (ask("check")[1]["said"], stage.has_libvirt) == (None, True)
    stage.has_libvirt = False
    status, answer = ask("check")
    assert (status, answer["problems"]) == (0, [])
    assert "the files were not compared with this host and its networks: libvirt" in answer["said"]


def test_only_written(stage: Stage, ask: Asking) -> None:
    stage.has_libvirt = False
    status, answer = ask("add", "--no-apply", "203.0.113.11", "public")
    assert (status, answer["written"], answer["changes"]) == (0, True, [])
    assert "libvirt does not answer" in answer["said"]


@pytest.mark.parametrize(
    ("typed", "what", "word"),
    [
        ("203.0.113.300 public", "203.0.113.300 is not an IPv4 address", 0),
        ("203.0.113.11 publik", "libvirt has no network publik", 1),
        ("203.0.113.11 public gest=a", "there is no option gest=", 2),
        ("203.0.113.11 public guest=a via=x", "x is not an IP address", 3),
        ("203.0.113.1:80,x public guest=a", "x is not a port", 0),
        ("2001:db8:7::1:443 public guest=a", "may be an address, or one with a port", 0),
    ],
)
def test_a_mistake_is_at_its_word(typed: str, what: str, word: int, stage: Stage, ask: Asking) -> None:
    for way, refused in (("--dry-run", 2), ("--yes", 1)):
        status, answer = ask("add", way, *typed.split())
        assert (status, answer["written"], stage.says(), stage.says(FORWARDED)) == (refused, False, None, None)
        assert [(what in each["what"], each["word"]) for each in answer["problems"][:1]] == [(True, word)]


def test_what_this_host_refuses_is_refused_in_a_dry_run(stage: Stage, ask: Asking) -> None:
    stage.world.host.by_others("ip", "address", "add", "203.0.113.11/24", "dev", "virbr1")
    line = ("add", "--dry-run", "203.0.113.16/29", "public", "via=203.0.113.11")
    status, answer = ask(*line)
    assert (status, [each["word"] for each in answer["problems"]]) == (2, [2])
    assert main(line) == 2


def test_mistakes_of_other_lines_have_no_word(stage: Stage, ask: Asking) -> None:
    stage.has("203.0.113.1O public\n")
    status, answer = ask("add", "--dry-run", "203.0.113.11", "public")
    assert (status, len(answer["problems"]), answer["problems"][0].get("word")) == (2, 1, None)
    assert answer["said"].startswith("nothing was written, because apply changes nothing")


def test_what_is_there_already_or_not_at_all(stage: Stage, ask: Asking) -> None:
    stage.has(OLD)
    status, answer = ask("add", "--yes", "203.0.113.10", "public")
    assert (status, answer["written"], answer["said"]) == (0, False, f"already there: 203.0.113.10  public, {ROUTED}:2")
    status, answer = ask("remove", "--yes", "203.0.113.77")
    assert (status, answer["said"]) == (0, "no line names 203.0.113.77, so there is nothing to remove")
    for way in ("--yes", "--no-apply", "--dry-run"):
        status, answer = ask("remove", way, "203.0.113.1O")
        assert (status, answer["written"], answer["problems"]) == (2, False, [])
        assert answer["said"].startswith("203.0.113.1O is not an IP address; ")
    stage.has("203.0.113.0/29 public\n")
    status, answer = ask("remove", "--yes", "203.0.113.1")
    assert (status, len(answer["problems"])) == (1, 1)


def test_a_line_takes_the_place_of_another(stage: Stage, ask: Asking) -> None:
    stage.has(OLD + "203.0.113.12 public\r\n")
    old = ["--replace=203.0.113.10", "--replace=public"]
    status, answer = ask("add", "--dry-run", *old, "--", "203.0.113.11", "public", "guest=a b")
    assert status == 1, answer
    assert [each["action"] for each in answer["lines"]] == ["remove", "add"]
    assert stage.says() == OLD + "203.0.113.12 public\r\n"
    assert ask("add", "--yes", *old, "203.0.113.11", "public")[0] == 0
    assert stage.says() == OLD.replace("203.0.113.10 public", "203.0.113.11  public") + "203.0.113.12 public\r\n"
    assert stage.routes == {"203.0.113.11", "203.0.113.12"}


def test_a_line_takes_the_place_of_none(stage: Stage, ask: Asking) -> None:
    stage.has(OLD)
    status, answer = ask("add", "--yes", "--replace=203.0.113.77", "203.0.113.11", "public")
    assert (status, answer["written"], stage.says()) == (1, False, OLD)
    status, answer = ask("add", "--yes", "--replace=203.0.113.10", "--replace=guest=b", "203.0.113.11", "public")
    assert (status, len(answer["problems"]), stage.says()) == (1, 1, OLD)


def test_the_same_line_takes_no_place(stage: Stage, ask: Asking, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    for way in ("--dry-run", "--yes", "--no-apply"):
        status, answer = ask("add", way, "--replace=203.0.113.10", "203.0.113.10", "public")
        assert (status, answer["written"], answer["lines"], answer["changes"]) == (0, False, [], [])
        assert answer["said"] == f"already there: 203.0.113.10  public, {ROUTED}:2"
        assert stage.says() == OLD
    assert main(["add", "--dry-run", "--replace=203.0.113.10", "203.0.113.10", "public"]) == 0
    assert capsys.readouterr().out == f"already there: 203.0.113.10  public, {ROUTED}:2\n"


def test_a_line_is_named_with_the_quotes_of_the_file(stage: Stage, ask: Asking) -> None:
    """A program hands over the words as the status has them."""
    line = '"203.0.113.10" public guest="a, b"\n'
    stage.has(line)
    words = ['"203.0.113.10"', "public", 'guest="a, b"']
    assert ask("remove", "--dry-run", *words)[0] == 1
    assert ask("add", "--no-apply", *(f"--replace={word}" for word in words), "203.0.113.11", "public")[0] == 0
    assert stage.says() == "203.0.113.11  public\n"


def test_of_lines_with_the_same_words_it_is_the_one_that_has_no_others(stage: Stage, ask: Asking) -> None:
    lines = ["203.0.113.1:22 public guest=a", "203.0.113.1:22 public guest=a from=198.51.100.0/24"]
    for wanted, other in (lines, reversed(lines)):
        stage.has("".join(f"{line}\n" for line in lines), FORWARDED)
        assert ask("remove", "--no-apply", *wanted.split())[0] == 0
        assert stage.says(FORWARDED) == f"{other}\n"
    stage.has("".join(f"{line}\n" for line in lines), FORWARDED)
    assert ask("remove", "--no-apply", "203.0.113.1:22")[0] == 1


@pytest.mark.parametrize("words", [["public", "guest=" + "x" * 5000], ["public", '"a"=b'], ["--"], ["--", "guest=a"]])
@pytest.mark.parametrize("way", ["--dry-run", "--yes"])
def test_no_words_are_a_defect(words: list[str], way: str, stage: Stage, ask: Asking) -> None:
    stage.has(OLD)
    status, answer = ask("add", way, "--", "203.0.113.11", *words)
    assert (status, answer["written"], bool(answer["problems"])) == (2 if way == "--dry-run" else 1, False, True)
    assert stage.says() == OLD


@pytest.mark.usefixtures("stage")
def test_a_program_is_asked_no_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "--json", "203.0.113.11", "public"]) == 2
    assert "--json asks no question" in capsys.readouterr().err


def test_people_can_look_ahead_too(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    assert main(["add", "--dry-run", "203.0.113.11", "public", "--replace", "203.0.113.10"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == [f"- line 203.0.113.10 public # web, {ROUTED}:2", f"+ line 203.0.113.11  public, {ROUTED}:2"]
    assert (stage.says(), stage.asked) == (OLD, [])
    stage.has("203.0.113.1O public\n")
    assert main(["add", "--dry-run", "203.0.113.11", "public"]) == 2
