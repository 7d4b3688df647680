"""The house: which room knows which, and that the core touches nothing. ARCHITECTURE.md has the picture."""

from __future__ import annotations

import ast
import builtins
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nethook.libvirt import Network, Port, Ports
from nethook.parts import PARTS
from nethook.parts.routes import ROUTES, Route
from tests.unit.cases import applied, case, empty, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src" / "nethook"

FLOORS = (
    ("prefix", "errors", "shell", "exit_status", "__version__"),
    ("host",),
    ("config",),
    ("log", "libvirt"),
    ("changes", "terminal", "placement"),
    ("gates", "parts"),
    ("guest_config", "install", "importing", "editing", "routing_daemons"),
    ("legacy06",),
    ("engine",),
    ("doctor", "status"),
    ("watch", "tracing"),
    ("commands",),
    ("cli", "hook", "packaged", "__main__"),
)
"""Each room imports rooms of the floors below it, and of its own floor only what comes before it there."""

BY_NEED = {("config", "gates")}
"""Arrows that lead up, within a function that is seldom run: the setting ``gates`` has the names of the registry."""
BY_TYPE_ALONE = {
    ("errors", "config"),  # problems, which an error carries
    ("changes", "parts"),  # whose object a piece is about
    ("placement", "parts"),  # routes, as keys
    ("parts", "engine"),  # the case that a part is given
    ("gates", "engine"),
    ("legacy06", "engine"),
}
"""Arrows that lead up, for annotations alone: what is passed in has a type."""

CORE = ("prefix.py", "config", "placement", "parts", "changes.py", "engine/case.py", "gates/gate.py")
TOUCHES = {"os", "io", "time", "socket", "_socket", "subprocess", "select", "fcntl", "syslog", "shutil", "tempfile"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Each room that a module imports, and whether for annotations alone."""
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "nethook":
            names = [node.module] if "." in node.module else [f"nethook.{alias.name}" for alias in node.names]
            yield from ((name.split(".")[1], id(node) in for_types) for name in names)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("nethook.")]
            yield from ((name.split(".")[1], id(node) in for_types) for name in names)


def test_arrows_go_down_only() -> None:
    order = {name: number for number, name in enumerate(name for floor in FLOORS for name in floor)}
    up = set()
    for path, tree in modules():
        here = room(path)
        for there, is_type in imported(tree):
            if (
                there != here
                and order[there] > order[here]
                and not ((is_type and (here, there) in BY_TYPE_ALONE) or (here, there) in BY_NEED)
            ):
                up.add(f"{path.relative_to(SOURCE)} imports {there}")
    assert up == set()


def test_every_exception_is_needed() -> None:
    used = {(room(path), there) for path, tree in modules() for there, is_type in imported(tree) if is_type}
    assert used >= BY_TYPE_ALONE


def test_the_core_imports_nothing_that_touches_the_machine() -> None:
    found = set()
    for path, tree in modules():
        name = str(path.relative_to(SOURCE))
        if not any(name == part or name.startswith(f"{part}/") for part in CORE):
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {f"{name} imports {each}" for each in names if each.split(".")[0] in TOUCHES}
    # inet_pton and inet_ntop of the C library compute, and touch nothing.
    assert found == {"prefix.py imports _socket"}


MOST_MODULES = 49
"""Of ours that an event imports. Each costs it some 150 µs, beside what is in it: find, read, unmarshal, execute."""


def test_an_event_imports_few_modules() -> None:
    todo, found = ["nethook.hook"], set()
    while todo:
        name = todo.pop()
        path = file_of(name)
        if path and name not in found:
            found.add(name)
            todo += [name.rpartition(".")[0], *at_import(ast.parse(path.read_text(encoding="utf-8")))]
    assert "nethook.engine.run" in found
    assert len(found) <= MOST_MODULES, sorted(found)


def file_of(name: str) -> Path | None:
    """The file of this module of ours; None if there is none, as where a name is a function."""
    path = SOURCE.parent.joinpath(*name.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def at_import(tree: ast.Module) -> Iterator[str]:
    """Each module, and each name in one, that is imported as soon as this one is: not in a function, nor for types."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


is_forbidden = False


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    touching = ("open", "os.", "socket.", "subprocess.", "shutil.", "glob.", "fcntl.", "syslog.", "signal.")
    if is_forbidden and event.startswith(touching):
        raise AssertionError(f"the core touches the machine: {event} {arguments}")


sys.addaudithook(_refuse)


@contextmanager
def no_machine() -> Iterator[None]:
    """Make everything fatal by which a program in Python touches the machine."""

    def refuse(*arguments: object, **_: object) -> None:
        raise AssertionError(f"the core touches the machine: {arguments}")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("stat", "lstat", "access", "readlink", "getpid"):
            patch.setattr(os, name, refuse)
        patch.setattr(builtins, "open", refuse)
        patch.setitem(globals(), "is_forbidden", True)
        yield


LINES = """
203.0.113.10 public
203.0.113.16/29 public guest=web1
203.0.113.20 public guest=web2 mac=52:54:00:00:00:02
2001:db8:7::/64 public via=fe80::10
2001:db8:8::1 public proxy=eth0
203.0.113.64/28 other
203.0.113.99 public colour=blue
"""
PORTS = [Port("1", "52:54:00:00:00:01", "web1"), Port("2", "52:54:00:00:00:02", "web2")]
NETWORKS = [Network("public", "virbr1", "nat", Ports(PORTS, all_known=True)), Network("lonely", "virbr2", "")]


def test_the_core_works_where_nothing_can_be_touched() -> None:
    with no_machine():
        run_the_core()


def run_the_core() -> None:
    made = case(LINES, NETWORKS)
    assert steps(made, PARTS)
    there = applied(made)
    assert steps(case(LINES, NETWORKS, there), PARTS) == []
    there[ROUTES].add(Route(("203.0.113.99", "virbr1", "")))  # a wrong line may be about it
    assert not [step for step in steps(case(LINES, NETWORKS, there), PARTS) if "route del" in step.call.stdin]
    assert steps(case("", [], there), PARTS)
    gone = steps(case("", [], there, clears=True), PARTS)
    assert [step.call.stdin for step in gone if "delete table" in step.call.stdin]
    assert steps(case("", [], empty(), clears=True), PARTS) == []
    for placement in made.placements.lines:
        made.lacks(placement)
