"""Words of a shell, and which command lines a program can run without one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.shell import argument_lists, operand, operands, word

SOURCES = Path(__file__).parents[2] / "src/nethook"
COMMAND = re.compile(
    r"(?<![\w/-])(?<!up )(?:virsh|ip(?: -\S+)?|nft|sysctl|systemctl|rm|mv|ln|chmod|chown|setfacl|restorecon"
    r"|firewall-cmd|vtysh|nethook (?!has |in )[a-z-]+) [^;:,()`\n]*$"
)
"""A command in a text for people, from its beginning to a placeholder. With `up`, it is in a file of a guest."""
NAMES = {"bridge", "copy", "device", "guest", "interface", "name", "network", "uplink"}
"""The last words of placeholders for names that other people choose."""
OURS = {"each.kind.name"}


@pytest.mark.parametrize(
    ("command", "lists"),
    [
        ("nethook apply", [["nethook", "apply"]]),
        ("virsh start 'a b'", [["virsh", "start", "a b"]]),
        ("sysctl -w a.b=1 && nethook apply", [["sysctl", "-w", "a.b=1"], ["nethook", "apply"]]),
        (
            "nft 'insert rule inet a b meta mark & 1 == 1 accept'",
            [["nft", "insert rule inet a b meta mark & 1 == 1 accept"]],
        ),
        ("echo a >b", []),
        ("a; b", []),
        ("a | b", []),
        ("a &", []),
        ("a $(b)", []),
        ("a `b`", []),
        ("a $b", []),
        ("a ~", []),
        ("a *", []),
        ("a && ", []),
        ("&& a", []),
        ("a 'b", []),
        ("a # b", []),
        ("a $'\\003'", []),
        ("", []),
    ],
)
def test_what_needs_no_shell(command: str, lists: list[list[str]]) -> None:
    assert argument_lists(command) == lists


@given(st.lists(st.lists(st.text(min_size=1), min_size=1), min_size=1))
def test_what_a_program_gets_is_what_the_line_says(lists: list[list[str]]) -> None:
    command = " && ".join(" ".join(map(word, each)) for each in lists)
    assert argument_lists(command) in (lists, [])


@pytest.mark.parametrize(("name", "argv"), [("web1", ["web1"]), ("-web1", ["--", "-web1"]), ("--a b", ["--", "--a b"])])
def test_a_name_is_no_option(name: str, argv: list[str]) -> None:
    assert argument_lists(f"virsh start {operand(name)}") == [["virsh", "start", *argv]]


def test_names_are_operands_in_any_place() -> None:
    assert argument_lists(f"nethook reserve {operands('web', '-lan')}") == [["nethook", "reserve", "--", "web", "-lan"]]
    assert operands("web 1", "lan") == "'web 1' lan"


def unquoted(text: ast.JoinedStr) -> list[str]:
    """The placeholders for names in commands of this text, unless a function makes words of them."""
    before, found = "", []
    for part in text.values:
        if isinstance(part, ast.FormattedValue):
            what = ast.unparse(part.value)
            found += [what] if what.split(".")[-1] in NAMES and what not in OURS and COMMAND.search(before) else []
        before += str(part.value) if isinstance(part, ast.Constant) else "?"
    return found


def test_every_name_in_a_command_is_a_word_of_the_shell() -> None:
    """Commands are for copying, and names of networks, guests and devices have any characters."""
    found = {}
    for path in SOURCES.rglob("*.py"):
        texts = [each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.JoinedStr)]
        names = [name for text in texts for name in unquoted(text)]
        if names and path.parent.name != "fake":
            found[path.name] = names
    assert found == {}
