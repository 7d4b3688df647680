"""What a run says that it has done."""

from __future__ import annotations

import pytest

from nethook import log
from nethook.changes import ADD, Effect
from nethook.commands.report import report
from nethook.engine.run import Outcome


@pytest.fixture(autouse=True)
def no_syslog(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("info", "errors"):
        monkeypatch.setattr(log, name, lambda *_: None)


@pytest.mark.parametrize(("nothing", "said"), [("nothing to do", "nethook: nothing to do\n"), ("", "")])
def test_a_run_that_goes_on_does_not_say_in_the_end_that_it_did_nothing(
    nothing: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(Outcome(), "apply", nothing) == 0
    assert capsys.readouterr() == ("", said)


def test_what_was_done_is_said_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome()
    outcome.done = [Effect(ADD, "isolated", bridge="virbr1")]
    assert report(outcome, "apply", "nothing to do") == 0
    assert capsys.readouterr() == ("+ bridge virbr1 as isolated\n", "")
