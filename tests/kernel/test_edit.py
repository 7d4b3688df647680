"""nethook edit, and the question of add, at a terminal."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from lab.world.verbs import command
from lab.world.world import CONFIGURATION
from tests.hosts.terminal import Terminal
from tests.kernel.editing_host import ADDED, OLD, Here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.world.world import World

EDITOR = """#!/bin/sh
trap : INT
for copy; do :; done
echo "editing $(basename "$copy") $1"
next=$(ls /etc/edits | head -n 1)
sh -e "/etc/edits/$next" "$copy"
status=$?
rm "/etc/edits/$next"
exit $status
"""


@pytest.fixture
def here(nftables_world: World) -> Here:
    return Here(nftables_world)


class Editing(Terminal):
    """``nethook edit`` at a terminal, with an editor that runs these scripts, one each time, on the copy ``$1``."""

    def __init__(self, here: Here, *scripts: str, arguments: Sequence[str] = ()) -> None:
        here.world.machine.write("/usr/bin/fake-editor", EDITOR, 0o755)
        for number, script in enumerate(scripts):
            here.world.machine.write(f"/etc/edits/{number}", script)
        environment = {"VISUAL": "fake-editor --wait", "EDITOR": "false", "TERM": "dumb", "TMPDIR": "/run"}
        words = command(here.world, "edit", *arguments, **environment)
        at = words.index("env")
        super().__init__([*words[:at], "setsid", "--ctty", *words[at:]])  # Ctrl-C is a signal at one's own terminal

    def __enter__(self) -> Editing:
        super().__enter__()
        return self

    def answers(self, number: int, key: str) -> None:
        """Wait for the question with this number, and answer it."""
        self.wait_for("(?s)" + ".*What now".join([""] * (number + 1)) + "[^\n]*: ")
        self.press(f"{key}\n")


def test_edit_checks_asks_and_applies(here: Here) -> None:
    path = here.has(mode=0o640)
    wrong = 'printf "203.0.113.11 public gest=a\\n" >> "$1"'
    with Editing(here, wrong, 'sed -i s/gest=a/proxy=eth9/ "$1"', 'sed -i "s/ proxy=eth9//" "$1"') as terminal:
        terminal.answers(1, "e")
        terminal.answers(2, "x")
        terminal.answers(3, "e")
        terminal.answers(4, "a")
        terminal.wait_for_end()
    printed = terminal.printed.replace("\r\n", "\n")
    assert terminal.status == 0, printed
    assert "editing routed-ips --wait\n" in printed
    caret = "    203.0.113.11 public gest=a\n                        ^\n    did you mean guest?\n"
    assert f"{CONFIGURATION}:3:21: there is no option gest=\n{caret}" in printed
    assert "there is no device eth9" in printed
    assert "(e) edit again, (k) keep it all the same, (d) discard your changes" in printed
    assert "(a) apply, (k) keep it, and do not apply it yet, (e) edit again, (d) discard your changes" in printed
    assert printed.count("+ route 203.0.113.11 → virbr1 (public), /etc/nethook/routed-ips:3") == 1
    assert printed.endswith("\n2 lines: 2 waiting; to see why, run `nethook status`\n")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (OLD + b"203.0.113.11 public\n", 0o640)
    assert here.is_routed("203.0.113.11")
    assert here.folder() == ["routed-ips"]
    assert not list((here.world.machine.root / "run").glob("nethook-*"))


def test_edit_that_is_discarded_changes_nothing(here: Here) -> None:
    path = here.has()
    with Editing(here, 'echo nonsense > "$1"') as terminal:
        terminal.answers(1, "d")
        terminal.wait_for_end()
    assert terminal.status == 1
    assert "your changes were discarded; the file is as it was" in terminal.printed
    assert path.read_bytes() == OLD


def test_edit_while_another_changes_the_file(here: Here) -> None:
    path = here.has()
    added = f'echo "203.0.113.11 public" >> "$1"; echo "203.0.113.12 public" >> {CONFIGURATION}'
    with Editing(here, added, 'echo "203.0.113.12 public" >> "$1"') as terminal:
        terminal.answers(1, "a")
        terminal.wait_for("was changed meanwhile by somebody else")
        terminal.answers(2, "e")
        terminal.answers(3, "a")
        terminal.wait_for_end()
    assert terminal.status == 0
    assert "    +203.0.113.12 public" in terminal.printed
    assert path.read_bytes() == OLD + b"203.0.113.11 public\n203.0.113.12 public\n"
    assert here.is_routed("203.0.113.11")
    assert here.is_routed("203.0.113.12")


def test_ctrl_c_is_for_the_editor_and_ends_a_question(here: Here) -> None:
    path = here.has()
    script = 'trap "echo nonsense > $1; exit 0" INT; echo ready; while :; do sleep 0.1 || :; done'
    with Editing(here, script) as terminal:
        terminal.wait_for("ready")
        terminal.press("\x03")
        terminal.wait_for("What now")
        terminal.press("\x03")
        terminal.wait_for_end()
    assert terminal.status == 130
    assert path.read_bytes() == OLD


@pytest.mark.parametrize(
    ("script", "said"), [("exit 3", "the editor fake-editor --wait ended with status 3"), ("true", "was not changed")]
)
def test_nothing_comes_of_it(here: Here, script: str, said: str) -> None:
    path = here.has()
    with Editing(here, script, arguments=["--yes"]) as terminal:
        terminal.wait_for_end()
    assert (terminal.status, path.read_bytes()) == (2 if "status" in said else 0, OLD)
    assert said in terminal.printed


def test_a_question_of_add_at_a_terminal(here: Here) -> None:
    path = here.has()
    for answer, content in (("n", OLD), ("y", ADDED)):
        with Terminal(command(here.world, "add", "203.0.113.11", "public", TERM="dumb")) as terminal:
            terminal.wait_for(r"apply this\? \[y/N\] ")
            terminal.press(f"{answer}\n")
            terminal.wait_for_end()
        assert path.read_bytes() == content
        assert here.is_routed("203.0.113.11") == (answer == "y")
