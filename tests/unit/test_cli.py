"""The command: errors become a sentence and an exit status."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from nethook.changes import ADD, Effect
from nethook.cli import main
from nethook.commands import check
from nethook.config import Configuration, Settings
from nethook.config.files import file_for_lines
from nethook.doctor.foreign_marks import ForeignMarks
from nethook.host import Host
from nethook.terminal import painted

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path


def test_what_cannot_be_found_out_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "missing")]) == 2
    assert capsys.readouterr() == ("", f"nethook: {tmp_path}/missing: no such file\n")


@pytest.mark.parametrize("arguments", [["--debug", "check"], ["check", "--debug"]])
def test_where_an_error_came_from_is_shown_on_demand(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, str(tmp_path / "missing")]) == 2
    said = capsys.readouterr().err
    assert "in _data\n" in said
    assert said.endswith(f"nethook: {tmp_path}/missing: no such file\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("oops"), 70, "nethook: defect in nethook: ValueError: oops\nPlease report it"),
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(13, "Permission denied", "/etc/x"), 2, "nethook: /etc/x: Permission denied\n"),
    ],
)
def test_what_a_verb_raises(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: Namespace) -> int:
        raise error

    monkeypatch.setattr(check, "run", fail)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["check"]) == status
    assert capsys.readouterr().err.startswith(said)


def test_without_a_verb_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: nethook")


def test_what_only_root_may_look_at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Namespace) -> int:
        raise PermissionError(13, "Permission denied", "/etc/x")

    monkeypatch.setattr(check, "run", fail)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["check"]) == 2
    assert capsys.readouterr().err == "nethook: only root may read /etc/x: try it with sudo\n"


DONE: list[str] = []


def _work(_: Namespace) -> int:
    for part in ("first", "second"):
        print(painted(Effect(ADD, "route"), sys.stdout))
        print(part, file=sys.stderr)
        DONE.append(part)
    return 0


@pytest.mark.parametrize("closed", [["stdout"], ["stderr"], ["stdin", "stdout", "stderr"]])
def test_a_closed_stream_keeps_nothing_from_being_done(closed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    DONE.clear()
    monkeypatch.setattr(check, "run", _work)
    for name in closed:
        monkeypatch.setattr(sys, name, None)
    assert main(["check"]) == 0
    for name in closed:
        getattr(sys, name).close()
    assert DONE == ["first", "second"]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_full_disk_keeps_nothing_from_being_done(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    DONE.clear()
    monkeypatch.setattr(check, "run", _work)
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, name, full)
        assert main(["check"]) == 1
        monkeypatch.undo()
    assert DONE == ["first", "second"]
    if name == "stdout":
        lost = "nethook: the output could not be written: No space left on device\n"
        assert capsys.readouterr().err == f"first\nsecond\n{lost}"


def test_who_has_read_enough_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    DONE.clear()
    monkeypatch.setattr(check, "run", _work)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as unread:
        monkeypatch.setattr(sys, "stdout", unread)
        assert main(["check"]) == 1
        monkeypatch.undo()
    assert DONE == ["first", "second"]
    assert capsys.readouterr().err == "first\nsecond\n"


def test_a_line_goes_where_its_folder_is(tmp_path: Path) -> None:
    search = [str(tmp_path / folder / "routed-ips") for folder in ("nethook", "sysconfig", "default")]
    assert file_for_lines(Host(0), search) == search[0]
    (tmp_path / "default").mkdir()
    assert file_for_lines(Host(0), search) == search[2]
    (tmp_path / "sysconfig").mkdir()
    assert file_for_lines(Host(0), search) == search[1]
    (tmp_path / "default" / "routed-ips.d").mkdir()
    assert file_for_lines(Host(0), search) == search[2]
    (tmp_path / "sysconfig" / "routed-ips").touch()
    assert file_for_lines(Host(0), search) == search[1]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (("routed-ips", "203.0.113.10 public\n"), "nothing is wrong with 1 line\n"),
        (("routed-ips", "203.0.113.10 public\n203.0.113.11 public\n"), "nothing is wrong with 2 lines\n"),
        (("routed-ips", "# none\n"), "nothing is wrong with {}, which has no lines\n"),
        (("nethook.conf", "mark-bit = 0x80\n"), "nothing is wrong with {}, which has no lines\n"),
        (("nethook.conf", "mark-bit = 3\n"), "1 mistake\n"),
        (("routed-ips", "203.0.113.10\n203.0.113.300 x\n"), "2 mistakes\n"),
        (("forwarded-ports", "203.0.113.1:80 public guest=web1\n"), "nothing is wrong with 1 line\n"),
        (("forwarded-ports.new", "203.0.113.1:80 public\n203.0.113.1\n"), "2 mistakes\n"),
        (("forwarded-ports.d/web.conf", "203.0.113.1:80 public guest=web1\n"), "nothing is wrong with 1 line\n"),
        (("routed-ips.d/web.conf", "203.0.113.1:80 public guest=web1\n"), "1 mistake\n"),
    ],
)
def test_what_check_sums_up(
    file: tuple[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(check, "host_problems", lambda *_: [])
    monkeypatch.setattr(check, "live_networks", dict)
    monkeypatch.setattr(check, "live_guests", dict)
    monkeypatch.setattr(check, "foreign_marks", lambda _: ForeignMarks([]))
    path = tmp_path / file[0]
    path.parent.mkdir(exist_ok=True)
    path.write_text(file[1])
    main(["check", str(path)])
    assert capsys.readouterr().err == "nethook: " + said.format(path)


def test_check_compares_the_files_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "host_problems", lambda *_: [])
    monkeypatch.setattr(check, "live_networks", dict)
    monkeypatch.setattr(check, "foreign_marks", lambda _: ForeignMarks([]))
    for name, text in (("routed-ips", "203.0.113.10 x\n"), ("forwarded-ports", "203.0.113.10 default guest=a\n")):
        (tmp_path / name).write_text(text)
    assert main(["check", str(tmp_path / "routed-ips"), str(tmp_path / "forwarded-ports")]) == 1
    assert "203.0.113.10 is routed to network x, by 203.0.113.10 at" in capsys.readouterr().out


def test_a_warning_of_check_does_not_change_its_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "host_problems", lambda *_: [])
    monkeypatch.setattr(check, "live_networks", dict)
    monkeypatch.setattr(check, "foreign_marks", lambda _: ForeignMarks([]))
    path = tmp_path / "routed-ips"
    path.write_text("2001:db8:7::/64 public\n")
    assert main(["check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}:1:1: warning: 2001:db8:7::/64 is on the link: ")
    assert err == "nethook: nothing is wrong with 1 line; 1 warning\n"


def test_what_check_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search = tuple(str(tmp_path / folder / "routed-ips") for folder in ("nethook", "default"))
    monkeypatch.setattr(check, "ROUTED_IPS_FILES", search)
    monkeypatch.setattr(check, "load", lambda _: Configuration(Settings(), [], []))
    monkeypatch.setattr(check, "host_problems", lambda *_: [])
    monkeypatch.setattr(check, "live_networks", dict)
    monkeypatch.setattr(check, "foreign_marks", lambda _: ForeignMarks([]))
    assert main(["check"]) == 0
    assert f"there are no lines, because none of these files exists: {', '.join(search)}" in capsys.readouterr().err


def test_mistakes_in_settings_are_shown_with_their_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nethook.conf").write_text("mark-bit = 3\n")
    assert main(["check", str(tmp_path / "nethook.conf")]) == 1
    assert (
        f"{tmp_path}/nethook.conf:1:12: 3 is not one bit of a packet mark\n    mark-bit = 3\n"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["plan", "--yes"],
        ["plan", "--json", "--commands"],
        ["guest-config", "--format", "x", "a"],
        ["--pl"],
    ],
)
def test_a_wrong_command_line_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *(
            [verb, "--help"]
            for verb in ("check", "plan", "apply", "add", "remove", "edit", "status", "guest-config", "install")
        ),
    ],
)
def test_help_fits_a_narrow_terminal(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "example" in printed
    assert max(len(line) for line in printed.splitlines()) <= 80
