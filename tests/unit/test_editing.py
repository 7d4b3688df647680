"""nethook add and remove on the fake host: what is written, what is refused, and every fault on the way."""

from __future__ import annotations

import pytest

from nethook.cli import main
from nethook.commands import changing
from nethook.errors import NethookError
from nethook.host.fake import Fault
from tests.unit.stage import FORWARDED, OLD, ROUTED, Stage, attempt

NO_GUEST = "waiting; to see why, run `nethook status`\n"
"""The network has no guest here."""
SHOWN = f"+ line 203.0.113.11  public, {ROUTED}:3\n"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_a_line_is_added_and_applied_after_a_yes(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    stage.answers = ["y"]
    assert main(["add", "203.0.113.11", "public"]) == 0
    assert stage.says() == OLD + "203.0.113.11  public\r\n"
    assert stage.routes == {"203.0.113.10", "203.0.113.11"}
    out, err = capsys.readouterr()
    assert out.startswith(SHOWN)
    assert out.count(f"+ route 203.0.113.11 → virbr1 (public), {ROUTED}:3\n") == 1
    assert out.endswith(f"\n2 lines: 2 {NO_GUEST}")
    assert err == ""


def test_nothing_is_written_after_a_no(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    stage.answers = ["n"]
    assert main(["add", "203.0.113.11", "public"]) == 1
    assert (stage.says(), stage.routes) == (OLD, set())
    assert stage.asked == [f"Write it to {ROUTED}, and apply this?"]
    assert capsys.readouterr().err == "nethook: nothing was written; use --yes to write and apply it\n"


def test_without_a_question(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "203.0.113.11", "public", "--yes"]) == 0
    assert (stage.says(), stage.routes) == ("203.0.113.11  public\n", {"203.0.113.11"})
    assert capsys.readouterr().out == f"+ line 203.0.113.11  public, {ROUTED}:1\n1 line: 1 {NO_GUEST}"
    assert main(["add", "203.0.113.11", "public", "--yes"]) == 0
    assert capsys.readouterr().out == f"already there: 203.0.113.11  public, {ROUTED}:1\n"
    assert main(["remove", "203.0.113.11", "--yes"]) == 0
    assert (stage.says(), stage.routes) == ("", set())
    assert main(["remove", "203.0.113.11", "--yes"]) == 0
    assert capsys.readouterr().err == "nethook: no line names 203.0.113.11, so there is nothing to remove\n"


def test_only_written(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has_libvirt = False
    assert main(["add", "--no-apply", "203.0.113.1:80", "my network", "guest=web 1"]) == 0
    assert stage.says(FORWARDED) == '203.0.113.1:80  "my network"  guest="web 1"\n'
    assert stage.routes == set()
    out, err = capsys.readouterr()
    assert out == f'+ line 203.0.113.1:80  "my network"  guest="web 1", {FORWARDED}:1\n'
    assert err == (
        "nethook: the files were not compared with this host and its networks: libvirt does not answer\n"
        f"nethook: {FORWARDED} is written; to put it in force, run `nethook apply`\n"
    )
    assert main(["remove", "--no-apply", "203.0.113.1:80"]) == 0
    assert stage.says(FORWARDED) == ""


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["203.0.113.11", "public"], ROUTED),
        (["2001:db8:7::/64", "public"], ROUTED),
        (["2001:db8:0:0:0:0:1:443", "public"], ROUTED),
        (["203.0.113.1:22", "-"], FORWARDED),
        (["[2001:db8::5]:443", "public", "guest=a"], FORWARDED),
        (["0.0.0.0:25565/udp", "public", "guest=a"], FORWARDED),
        (["203.0.113.5", "public", "guest=a", "--forward"], FORWARDED),
    ],
)
def test_the_file_of_a_line(words: list[str], path: str, stage: Stage) -> None:
    assert main(["add", "--no-apply", *words]) == 0
    assert [file for file in (ROUTED, FORWARDED) if stage.says(file)] == [path]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["203.0.113.300", "public"],
            "nethook add: 203.0.113.300 is not an IPv4 address\n    203.0.113.300  public\n    ^\n",
        ),
        (
            ["203.0.113.1:99999", "public", "guest=a"],
            "nethook add: port 99999 is larger than 65535\n    203.0.113.1:99999  public  guest=a\n                ^\n",
        ),
        (
            ["203.0.113.11", "public", "gest=a"],
            "nethook add: there is no option gest=\n    203.0.113.11  public  gest=a\n                          ^\n"
            "    did you mean guest?\n",
        ),
        (["203.0.113.11", "guest=a"], "nethook add: the network is missing\n"),
        (
            ["203.0.113.11", "publik"],
            "nethook add: libvirt has no network publik\n    203.0.113.11  publik\n                  ^\n"
            "    did you mean public?\nnethook: nothing was written\n",
        ),
        (
            ["203.0.113.10", "public", "guest=a"],
            f"nethook add: 203.0.113.10 is already at {ROUTED}:2:1\n    203.0.113.10  public  guest=a\n    ^\n"
            "    keep one of the two lines\nnethook: nothing was written; to change a line that is there, "
            "run `nethook edit`\n",
        ),
        (
            ["203.0.113.10", "public", "guest=a", "--forward"],
            f"nethook add: 203.0.113.10 is routed to network public, by 203.0.113.10 at {ROUTED}:2:1\n",
        ),
        (["203.0.113.11", "public", "a\nb"], "nethook: a word has a line break, so it cannot stand in a line\n"),
        (["203.0.113.11", "public", "to=22"], "nethook: to= is for forwarded ports, and 203.0.113.11 has no ports; "),
        (["203.0.113.11", "-"], "nethook: the network - is for forwarded ports, and 203.0.113.11 has no ports; "),
    ],
)
@pytest.mark.parametrize("option", ["--yes", "--no-apply"])
def test_a_mistake_is_shown_at_the_words_and_nothing_is_written(
    words: list[str], said: str, option: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.has(OLD)
    assert main(["add", option, *words]) in {1, 2}
    assert (stage.says(), stage.says(FORWARDED)) == (OLD, None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)


AMBIGUOUS = "2001:db8:7::1:443"


@pytest.mark.parametrize("option", ["--yes", "--no-apply"])
@pytest.mark.parametrize("more", [[], ["--forward"]])
def test_an_address_that_may_have_a_port_is_refused(
    more: list[str], option: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["add", option, AMBIGUOUS, "public", "guest=app", *more]) == 1
    assert (stage.says(), stage.says(FORWARDED)) == (None, None)
    assert capsys.readouterr() == (
        "",
        f"nethook add: {AMBIGUOUS} may be an address, or one with a port\n"
        f"    {AMBIGUOUS}  public  guest=app\n    ^\n"
        "    write [2001:db8:7::1]:443 for the port, 2001:db8:7:0:0:0:1:443 for the address\n"
        "nethook: nothing was written\n",
    )


def test_the_line_that_is_replaced_says_whether_an_address_has_a_port(stage: Stage) -> None:
    """As the page in Cockpit does, which edits a line of routed-ips with the address as nethook shows it."""
    stage.has(f"{AMBIGUOUS} public\n")
    assert main(["add", "--no-apply", f"--replace={AMBIGUOUS}", AMBIGUOUS, "public", "guest=a"]) == 0
    assert (stage.says(), stage.says(FORWARDED)) == (f"{AMBIGUOUS}  public  guest=a\n", None)
    stage.has("203.0.113.1:80 public guest=a\n", FORWARDED)
    assert main(["add", "--no-apply", "--replace=203.0.113.1:80", AMBIGUOUS, "public", "guest=a"]) == 1


def test_a_line_that_makes_another_one_wrong_is_refused(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has("203.0.113.5 public guest=mail\n", FORWARDED)
    assert main(["add", "--no-apply", "203.0.113.5", "public"]) == 1
    assert f"{FORWARDED}:1:1: 203.0.113.5 is routed to network public" in capsys.readouterr().err
    assert stage.says() is None


@pytest.mark.usefixtures("stage")
def test_a_warning_is_shown_at_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "--yes", "2001:db8:7::/64", "public"]) == 0
    assert capsys.readouterr().err.startswith("nethook add: warning: 2001:db8:7::/64 is on the link: ")


def test_mistakes_that_are_there_already(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """They keep apply from doing anything. A line that cannot work on this host does not."""
    old = "203.0.113.1O public\n203.0.113.12 nowhere\n203.0.113.12 public\n"
    stage.has(old)
    assert main(["add", "--yes", "203.0.113.11", "public"]) == 1
    assert stage.says() == old
    what = "because apply changes nothing until these mistakes are corrected; run `nethook edit`, or use --no-apply"
    assert capsys.readouterr().err.endswith(f"nethook: nothing was written, {what}\n")
    assert main(["remove", "--no-apply", "203.0.113.1O"]) == 0
    assert main(["remove", "--no-apply", "203.0.113.12", "public"]) == 0
    assert stage.says() == "203.0.113.12 nowhere\n"
    assert main(["add", "--yes", "203.0.113.11", "public"]) == 1  # because of the other line
    assert (stage.says(), stage.routes) == ("203.0.113.12 nowhere\n203.0.113.11  public\n", {"203.0.113.11"})
    err = capsys.readouterr().err
    assert f"the change is in {ROUTED}, but not everything is in force" in err


def test_what_was_written_and_cannot_be_applied_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise NethookError("other runs keep coming between")

    monkeypatch.setattr(changing, "apply_all", fail)
    assert main(["add", "--yes", "203.0.113.11", "public"]) == 1
    assert stage.says() == "203.0.113.11  public\n"
    err = capsys.readouterr().err
    assert err.startswith(f"nethook: other runs keep coming between\nnethook: the change is in {ROUTED}, but not")


def test_removing_one_of_several_lines_with_the_same_mistake_is_no_new_mistake(stage: Stage) -> None:
    stage.has("203.0.113.10 public\n203.0.113.11 nowhere\n203.0.113.12 nowhere\n203.0.113.13 nowhere\n")
    assert main(["remove", "--no-apply", "203.0.113.11"]) == 0
    assert main(["remove", "--no-apply", "203.0.113.10"]) == 0


def test_a_line_that_cannot_be_told_from_another(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    old = "203.0.113.1:22 public guest=a from=192.0.2.0/24\n203.0.113.1:22 public guest=b\n"
    stage.has(old, FORWARDED)
    assert main(["remove", "--no-apply", "203.0.113.1:22"]) == 1
    err = capsys.readouterr().err
    assert f"{FORWARDED}:1:1: this line names 203.0.113.1:22, and others do so too\n" in err
    assert f"{FORWARDED}:2:1: this line names 203.0.113.1:22, and others do so too\n" in err
    assert main(["remove", "--no-apply", "203.0.113.1:22", "guest=c"]) == 1
    assert "this line names 203.0.113.1:22, but has other words" in capsys.readouterr().err
    assert stage.says(FORWARDED) == old
    assert main(["remove", "--no-apply", "203.0.113.1:22", "guest=b"]) == 0
    assert stage.says(FORWARDED) == old.partition("\n")[0] + "\n"


NAME_A_LINE = "write what the line begins with, such as 203.0.113.10, 2001:db8:7::/64 or 203.0.113.1:80"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("203.0.113.1O", f"203.0.113.1O is not an IP address; {NAME_A_LINE}"),
        ("web1", f"web1 is not an IP address; {NAME_A_LINE}"),
        ("", f'"" is not an IP address; {NAME_A_LINE}'),
        ("we\nb", f"we\\nb is not an IP address; {NAME_A_LINE}"),
        ("203.0.113.1O:80", f"203.0.113.1O is not an IP address; {NAME_A_LINE}"),
        ("203.0.113.1,203.0.113.2", f"203.0.113.1,203.0.113.2 is a list; {NAME_A_LINE}"),
        ("203.0.113.1:99999", "port 99999 is larger than 65535; write a port from 1 to 65535"),
        (
            "203.0.113.0/33",
            "/33 is not a prefix length; write a number from 1 to 32 after the slash, or only 203.0.113.0",
        ),
    ],
)
@pytest.mark.parametrize("command", [["remove", "--yes"], ["remove", "--no-apply"], ["remove", "--dry-run"]])
def test_a_wrong_word_that_no_line_has_is_a_mistake(
    command: list[str], word: str, said: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.has(OLD)
    assert main([*command, word]) == 2
    assert (capsys.readouterr(), stage.says()) == (("", f"nethook: {said}\n"), OLD)


def test_a_wrong_word_to_replace_is_a_mistake(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    assert main(["add", "--yes", "--replace=203.0.113.1O", "203.0.113.11", "public"]) == 2
    assert (capsys.readouterr().err, stage.says()) == (
        f"nethook: 203.0.113.1O is not an IP address; {NAME_A_LINE}\n",
        OLD,
    )


@pytest.mark.parametrize(
    "word", ["203.0.113.11", "203.0.113.0/29", "2001:db8::1:443", "203.0.113.1:80", "[2001:db8::5]:443/udp"]
)
def test_a_right_word_that_no_line_has_is_no_mistake(
    word: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.has(OLD)
    assert main(["remove", "--yes", word]) == 0
    assert capsys.readouterr().err == f"nethook: no line names {word}, so there is nothing to remove\n"


@pytest.mark.parametrize("word", ["203.0.113.1O", "web1"])
def test_a_wrong_line_is_removed_by_its_word(word: str, stage: Stage) -> None:
    stage.has(f"{OLD}{word} public\r\n")
    assert main(["remove", "--yes", word]) == 0
    assert stage.says() == OLD


def test_a_part_of_a_line(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has("203.0.113.16/29 public\n")
    assert main(["remove", "--yes", "203.0.113.17"]) == 1
    err = capsys.readouterr().err
    assert f"{ROUTED}:1:1: 203.0.113.17 is in 203.0.113.16/29\n    203.0.113.16/29 public\n    ^\n" in err
    assert err.endswith("nethook: no line names exactly 203.0.113.17; nothing was written\n")


def test_the_file_with_the_line_is_the_one_that_changes(stage: Stage) -> None:
    stage.has(OLD)
    stage.has("203.0.113.20 public\n203.0.113.21 public", f"{ROUTED}.d/a.conf")
    assert main(["remove", "--no-apply", "203.0.113.21"]) == 0
    assert (stage.says(), stage.says(f"{ROUTED}.d/a.conf")) == (OLD, "203.0.113.20 public\n")


def test_a_line_of_a_file_that_is_ignored(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has(OLD)
    stage.has("203.0.113.40 public\n", "/etc/default/routed-ips")
    assert main(["remove", "--yes", "203.0.113.40"]) == 0
    err = capsys.readouterr().err
    assert err.startswith(f"nethook: /etc/default/routed-ips is ignored, because {ROUTED} exists\n")


def test_libvirt_does_not_answer(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.has_libvirt = False
    assert main(["add", "--yes", "203.0.113.11", "public"]) == 2
    assert stage.says() is None
    what = "libvirt does not answer; nothing was written; --no-apply writes it without asking libvirt"
    assert capsys.readouterr().err.endswith(f"nethook: {what}\n")


def test_others_change_the_file_meanwhile(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that a person has seen is not made on other ground; one without a question is worked out anew."""
    stage.has(OLD)
    others = ["203.0.113.30 public\n", "203.0.113.31 public\n"]
    ask = stage.host.locked

    def locked(as_of: int | None = None) -> object:
        if others and as_of is None:
            stage.has((stage.says() or "") + others.pop(0))
        return ask(as_of)

    monkeypatch.setattr(type(stage.host), "locked", lambda _, as_of=None: locked(as_of))
    stage.answers = ["y"]
    assert main(["add", "203.0.113.11", "public"]) == 2
    assert stage.says() == OLD + "203.0.113.30 public\n"
    assert main(["add", "--yes", "203.0.113.11", "public"]) == 0
    assert stage.says() == OLD + "203.0.113.30 public\n203.0.113.31 public\n203.0.113.11  public\n"


@pytest.mark.parametrize(
    ("arguments", "new"),
    [
        (["add", "--yes", "203.0.113.11", "public"], OLD + "203.0.113.11  public\r\n"),
        (["remove", "--yes", "203.0.113.10"], "# our addresses\r\n"),
    ],
)
def test_whatever_fails_the_file_is_whole(
    arguments: list[str], new: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.has(OLD)
    assert main(["apply"]) == 0
    before = stage.world.copy()
    stage.world = before.copy()
    assert main(arguments) == 0
    touched = list(stage.host.touched)
    written = [touch.what for touch in touched].index(f"replace {ROUTED}") + 1
    assert written > 5
    capsys.readouterr()
    wrong, tried = [], 0
    for number, touch in enumerate(touched, 1):
        for fault in touch.faults:
            stage.world = before.copy()
            stage.host.faults = {number: fault}
            status = attempt(arguments)
            stage.host.faults = {}
            err = capsys.readouterr().err
            text, where = stage.says(), f"{touch.what}: {fault.value}"
            tried += 1
            is_done = number > written or (number == written and fault is Fault.KILLS_AFTER)
            if text != (new if is_done else OLD) and not (text == new and status == 0):
                wrong.append(f"{where}: {text!r}")
            if status not in {0, None} and is_done and f"the change is in {ROUTED}" not in err:
                wrong.append(f"{where}: {err}")
            if status == 0 and text != new:
                wrong.append(f"{where}: not written, and nobody is told")
    assert wrong == []
    assert tried > 30
