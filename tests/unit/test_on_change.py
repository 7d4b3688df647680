"""The program of ``on-change``: why it is not run, in true words. The kernel tests have what it is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nethook.changes import ADD, Effect
from nethook.cli import main
from nethook.commands import check
from nethook.doctor.change_program import ADVICE
from nethook.doctor.foreign_marks import ForeignMarks
from nethook.engine import on_change
from nethook.host import Host, files
from nethook.host.process import Call, Result
from tests.unit.cases import case, empty
from tests.unit.machine import World
from tests.unit.scenarios import NAT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROUTE = Effect(ADD, "route", prefix="203.0.113.10", bridge="virbr1")


class Logging(Host):
    """This host, which keeps what is logged."""

    __slots__ = ("logged",)

    def __init__(self) -> None:
        super().__init__(5)
        self.logged: list[str] = []

    def log(self, priority: int, lines: Iterable[str]) -> None:
        del priority
        self.logged += lines


class Watched(Logging):
    """This host, which keeps what is logged, and what would be run."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def run(self, call: Call) -> Result:
        self.calls.append(call)
        return Result(call, 0, "", "")


def refused(path: Path) -> str:
    """What is logged when the program at this path is to be told of a route, and is not run."""
    host = Watched()
    on_change.tell(str(path), [ROUTE], case("", [], empty()), host)
    assert host.calls == []
    (line,) = host.logged
    return line.replace("on-change: the program was not run: ", "", 1)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "program"
    made.touch(0o755)
    return made


def test_a_program_may_be_large(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of Go with its libraries is. Only whose it is matters, so it is not read."""
    os.truncate(program, files.SIZE_LIMIT + 1)
    monkeypatch.setattr(files, "trusted", lambda _: pytest.fail("read"))
    host = Watched()
    on_change.tell(str(program), [ROUTE], case("", [], empty()), host)
    assert [(call.argv, call.stdin) for call in host.calls] == [((str(program),), "add 203.0.113.10 virbr1\n")]
    assert host.logged == []


def test_why_it_is_not_run(tmp_path: Path) -> None:
    link, folder = tmp_path / "link", tmp_path / "folder"
    link.symlink_to("nowhere")
    folder.mkdir()
    assert refused(link) == f"{link}: is a link to nowhere, which does not exist"
    assert refused(folder) == f"{folder}: this is not a regular file; put a regular file there"
    assert refused(tmp_path / "none") == f"on-change: there is no program {tmp_path}/none"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses a file of another user")
def test_whose_it_is(program: Path) -> None:
    program.chmod(0o757)
    assert refused(program) == f"{program}: users other than root may write to it; run: chmod go-w {program}"
    program.chmod(0o755)
    os.chown(program, 1000, 1000)
    assert refused(program) == f"{program}: belongs to user 1000, not to root; run: chown root {program}"


def test_there_is_none_on_the_fake_host() -> None:
    world = World()
    on_change.tell("/etc/nethook/on-change", [ROUTE], case("", [], empty()), world.host)
    assert [text for _, text in world.host.logged] == ["on-change: there is no program /etc/nethook/on-change"]


def test_a_forwarded_address_that_the_host_answered_for_goes_with_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its route goes with the bridge, before the event."""
    told: list[str] = []

    def note(_: str, text: str, __: Host) -> str:
        told.append(text)
        return ""

    monkeypatch.setattr(on_change, "_failure", note)
    world = World()
    line = f"203.0.113.5:80 public to={NAT.address(4, 2)} proxy=uplink"
    world.configure(forwards=[line], settings="on-change = /etc/nethook/on-change\n")
    world.bring_up(NAT)
    world.event(NAT, "started")
    world.take_down(NAT)
    world.event(NAT, "stopped")
    assert told == [f"add 203.0.113.5 {NAT.bridge}\n", f"remove 203.0.113.5 {NAT.bridge}\n"]


# Before it is run: nethook check.


@pytest.fixture
def settings(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of settings with this program, on a host where nothing else is wrong."""
    monkeypatch.setattr(check, "live_networks", dict)
    monkeypatch.setattr(check, "host_problems", lambda *_: [])
    monkeypatch.setattr(check, "foreign_marks", lambda _: ForeignMarks([]))
    made = tmp_path / "nethook.conf"
    made.write_text(f"# ours\non-change = {program}\n")
    return made


def spoil(program: Path, way: str) -> None:
    """Make the program one that is not run."""
    if way == "missing":
        program.unlink()
    elif way == "not executable":
        program.chmod(0o644)
    elif way == "a broken link":
        program.unlink()
        program.symlink_to("nowhere")
    elif way == "writable":
        program.chmod(0o757)
    else:
        os.chown(program, 1000, 1000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is warned")
@pytest.mark.parametrize("way", ["missing", "not executable", "a broken link", "writable", "of a user"])
def test_check_warns_in_the_words_of_the_journal(
    way: str, settings: Path, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(program, way)
    host = Logging()
    on_change.tell(str(program), [ROUTE], case("", [], empty()), host)
    (logged,) = host.logged
    assert main(["check", str(settings)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{settings}:2:1: warning: {logged}\n    {ADVICE}\n"
    assert err.endswith("; 1 warning\n")


def test_check_does_not_warn_of_a_program_that_can_be_run(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(settings)]) == 0
    assert capsys.readouterr().out == ""


def test_check_does_not_warn_who_cannot_know(
    settings: Path, program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program.chmod(0o600)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["check", str(settings)]) == 0
    assert capsys.readouterr().out == ""
