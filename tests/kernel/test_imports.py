"""What the hook imports: it starts often, and some modules of the standard library cost more than all of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kernel.scenario import Scenario

if TYPE_CHECKING:
    from lab.world.machine import Machine
    from lab.world.world import World

# Each takes less than a millisecond. Before one is added here, see with `python3 -X importtime` what it costs.
CHEAP = {
    *("__future__", "_bisect", "_socket", "_struct", "binascii", "bisect", "errno", "fcntl", "gc", "pyexpat"),
    *("select", "struct", "syslog"),
    *("_collections_abc", "_stat", "genericpath", "os", "posixpath", "stat"),  # os, and what it needs
}

# Needed where something is wrong, never where all is well.
ONLY_FOR_PROBLEMS = {"nethook.config.refusal", "difflib"}

IMPORTS = "/mnt/imports"


def imported(machine: Machine) -> set[str]:
    """The modules that were imported since the last call, those of a bare interpreter left out."""
    path = machine.root / IMPORTS.lstrip("/")
    text = path.read_text(encoding="utf-8")
    path.unlink()
    bare = machine.run("sh", "-c", "/usr/bin/python3 -I -S -X importtime -c pass; cat /mnt/imports; rm /mnt/imports")
    return _names(text) - _names(bare)


def _names(text: str) -> set[str]:
    lines = [line for line in text.splitlines() if line.startswith("import time:") and "|" in line]
    return {line.rpartition("|")[2].strip() for line in lines} - {"imported package"}


def watch_imports(machine: Machine) -> None:
    real = machine.run("readlink", "-f", "/usr/bin/python3").strip()
    machine.run("rm", "/usr/bin/python3")
    machine.write("/usr/bin/python3", f'#!/bin/sh\nexec {real} -X importtime "$@" 2>{IMPORTS}\n', 0o755)


def test_the_hook_imports_only_what_is_cheap(world: World) -> None:
    scenario = Scenario(world)
    watch_imports(scenario.machine)
    for operation in ("started", "port-created", "stopped"):
        assert not [line for line in scenario.event(operation) if line.is_error]
        modules = imported(scenario.machine)
        assert "nethook.engine.run" in modules
        foreign = {name for name in modules if name.partition(".")[0] != "nethook"}
        assert foreign <= CHEAP
        assert not modules & ONLY_FOR_PROBLEMS


def test_what_is_dear_is_imported_where_something_is_wrong(nftables_world: World) -> None:
    scenario = Scenario(nftables_world)
    watch_imports(scenario.machine)
    nftables_world.configure("203.0.113.17/29 public", "203.0.113.10 public gest=web1")
    assert len([line for line in scenario.event("started") if line.is_error]) == 2
    assert imported(scenario.machine) >= ONLY_FOR_PROBLEMS
