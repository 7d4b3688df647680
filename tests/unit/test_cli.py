"""The command: errors become a sentence and an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.cli import main
from nethook.commands import check
from nethook.errors import ReadError

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path


def test_what_cannot_be_found_out_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "missing")]) == 2
    assert capsys.readouterr() == ("", f"nethook: {tmp_path}/missing: there is no such file\n")


@pytest.mark.parametrize("arguments", [["--debug", "check"], ["check", "--debug"]])
def test_where_an_error_came_from_is_shown_on_demand(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(ReadError):
        main([*arguments, str(tmp_path / "missing")])


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
    assert main(["check"]) == status
    assert capsys.readouterr().err.startswith(said)


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
        [],
        ["frobnicate"],
        ["apply", "--yes"],
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
    [["--help"], *([verb, "--help"] for verb in ("check", "plan", "apply", "status", "guest-config", "install"))],
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
