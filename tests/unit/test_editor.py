"""Which editor people get."""

from __future__ import annotations

import pytest

from nethook.errors import NethookError
from nethook.host import editor
from nethook.host.process import ToolMissingError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in editor.VARIABLES:
        monkeypatch.delenv(name, raising=False)


def having(*names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have only these programs installed."""

    def find(name: str) -> str:
        if name not in names:
            raise ToolMissingError(name)
        return f"/usr/bin/{name}"

    monkeypatch.setattr(editor, "find", find)


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({}, "/usr/bin/editor"),
        ({"EDITOR": "emacs -nw"}, "emacs -nw"),
        ({"EDITOR": "ed", "VISUAL": "vim"}, "vim"),
        ({"EDITOR": "ed", "VISUAL": " "}, "ed"),
        ({"EDITOR": ""}, "/usr/bin/editor"),
    ],
)
def test_the_variables_come_first(variables: dict[str, str], chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    having("editor", "vi", monkeypatch=monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert editor.which() == chosen


def test_there_is_no_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch=monkeypatch)
    with pytest.raises(NethookError, match=r"no editor is installed .*; install one, or set EDITOR"):
        editor.edited("routed-ips", b"")
