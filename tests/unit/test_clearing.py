"""The program that a removed package leaves: it goes only when everything else has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.install import firewalld_files
from nethook.packaged import clearing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("of_kernel", "of_firewalld"), [(0, 0), (1, 0), (0, 1), (OSError("no"), 0)])
def test_the_program_stays_until_nothing_is_left(
    of_kernel: int | OSError,
    of_firewalld: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def remove_all() -> int:
        if isinstance(of_kernel, OSError):
            raise of_kernel
        return of_kernel

    program = tmp_path / "program"
    program.touch()
    monkeypatch.setattr(clearing, "PROGRAM", str(program))
    monkeypatch.setattr(clearing, "require_root", lambda _: None)
    monkeypatch.setattr(clearing, "remove_all", remove_all)
    monkeypatch.setattr(firewalld_files, "removal", lambda _: [])
    monkeypatch.setattr(clearing, "run_tasks", lambda _: of_firewalld)
    if (of_kernel, of_firewalld) == (0, 0):
        clearing.clear()
    else:
        with pytest.raises(SystemExit, match="1"):
            clearing.clear()
        assert "not everything was removed; when the cause is removed, try again:" in capsys.readouterr().err
    assert program.exists() == ((of_kernel, of_firewalld) != (0, 0))
