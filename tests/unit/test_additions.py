"""An option, a part and a gate that nobody has: each takes one class and one entry in a registry.

A part and a gate are a file of their own. The package is copied, all that is added, and whole events run on a fake host
with the copy.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src" / "nethook"

COLOUR_OPTION = """class ColourOption(Option):
    key = "colour"

    def refusal(self, value, prefix):
        return None if value in {"red", "blue"} else (f"{value} is not a colour", "write red or blue")


"""
FILES = {
    "parts/colours.py": """
from __future__ import annotations

from nethook.host.process import Call
from nethook.parts.part import Delta, Part
from nethook.placement import Lack
from nethook.changes import ADD, REMOVE, Effect
from nethook.changes import SWITCH, StepPiece
from nethook.changes import Step

FILE = "/run/nethook/colours"


class Colours(Part, words={"colour": "colour {to} of {prefix}"}):
    name = "colour"

    def read(self, host, question):
        return {tuple(line.split()) for line in host.recorded(FILE).splitlines()}

    def want(self, case):
        lines = (placed.line for placed in case.placements.placed)
        return {(line.prefix.text, line.options["colour"]) for line in lines if "colour" in line.options}

    def want_nothing(self):
        return set()

    def compare(self, case):
        return Delta(sorted(case.state(self) - case.wanted(self)), sorted(case.wanted(self) - case.state(self)))

    def pieces(self, case):
        delta = case.delta(self)
        if delta.gone or delta.new:
            effects = [Effect(REMOVE, self.name, prefix=prefix, to=colour) for prefix, colour in delta.gone]
            effects += [Effect(ADD, self.name, prefix=prefix, to=colour) for prefix, colour in delta.new]
            yield StepPiece(SWITCH, ColourStep(case.wanted(self), effects))

    def lacks(self, case, placement):
        if placement.line.prefix.text in {prefix for prefix, _ in case.delta(self).new}:
            yield Lack("colour", f"{placement.line.prefix} has no colour")


class ColourStep(Step):
    def __init__(self, wanted, effects):
        super().__init__(Call(("true",)), effects)
        self._wanted = wanted

    def take(self, host):
        host.record(FILE, "".join(f"{prefix} {colour}\\n" for prefix, colour in sorted(self._wanted)))
        return self.effects, []


COLOURS = Colours()
""",
    "gates/wall.py": """
from __future__ import annotations

from nethook.gates.gate import Firewall
from nethook.gates.libvirt_nftables import LibvirtNftablesGate


class WallGate(LibvirtNftablesGate):
    def __init__(self, family, mark_bit):
        super().__init__(family, mark_bit)
        self.setting = "wall"
        self.where = "ip wall forward"


class Wall(Firewall):
    settings = ("wall",)

    def gates(self, host, families, mark_bit):
        return [WallGate(family, mark_bit) for family in families if family == 4]
""",
}
ENTRIES = {
    "config/options.py": (
        "OPTIONS: dict[str, Option] = {option.key: option for option in (",
        f"{COLOUR_OPTION}OPTIONS: dict[str, Option] = {{option.key: option for option in (ColourOption(), ",
        "",
    ),
    "parts/__init__.py": (
        "    BINDING,\n",
        "    BINDING,\n    COLOURS,\n",
        "from nethook.parts.colours import COLOURS",
    ),
    "gates/__init__.py": (
        "(LibvirtNftables(), ",
        "(Wall(), LibvirtNftables(), ",
        "from nethook.gates.wall import Wall",
    ),
}
"""Where the entry of the registry goes, with a class in front of it or an import of that."""

OWN_COPY = ("nethook", "tests.unit.machine", "tests.unit.cases", "tests.unit.lines")


def belongs_to_copy(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in OWN_COPY)


@pytest.fixture(name="world")
def world_with_additions(tmp_path: Path) -> Iterator[Any]:
    """A world whose package has the additions."""
    shutil.copytree(SOURCE, tmp_path / "nethook", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        path = tmp_path / "nethook" / name
        assert not path.exists()
        path.write_text(text, encoding="utf-8")
    for name, (place, entry, imported) in ENTRIES.items():
        path = tmp_path / "nethook" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(place) == 1, name
        first = "from __future__ import annotations\n"
        path.write_text(text.replace(place, entry).replace(first, f"{first}\n{imported}\n", 1), encoding="utf-8")
    kept = {name: module for name, module in sys.modules.items() if belongs_to_copy(name)}
    for name in kept:
        del sys.modules[name]
    sys.path.insert(0, str(tmp_path))
    try:
        yield importlib.import_module("tests.unit.machine").World()
    finally:
        sys.path.remove(str(tmp_path))
        for name in [name for name in sys.modules if belongs_to_copy(name)]:
            del sys.modules[name]
        sys.modules.update(kept)


def rules_of_the_wall(world: Any) -> list[str]:
    listed = world.host.by_others("nft", "--handle", "list", "chain", "ip", "wall", "forward")
    return [line.strip().partition(" # handle")[0] for line in listed.splitlines() if "counter" in line]


def test_what_is_added_works_in_every_event(world: Any) -> None:
    from tests.unit.scenarios import PUBLIC, WEB  # noqa: PLC0415 - values alone

    wall = ["add table ip wall", "add chain ip wall forward { type filter hook forward priority 0; }"]
    world.host.by_others("nft", "-f", "-", stdin="\n".join([*wall, "add rule ip wall forward counter drop"]))
    world.configure("203.0.113.10 public colour=red", "203.0.113.11 public", "203.0.113.12 public colour=green")
    assert [str(problem) for problem in world.configuration.problems] == [
        "/etc/nethook/routed-ips:3:21: green is not a colour; write red or blue"
    ]
    world.bring_up(PUBLIC)
    wrong = world.event(PUBLIC, "started")
    assert wrong == [str(problem) for problem in world.configuration.problems]
    assert world.host.recorded("/run/nethook/colours") == "203.0.113.10 red\n"
    assert [rule.split(" ")[0:2] for rule in rules_of_the_wall(world)] == [["meta", "mark"], ["counter", "packets"]]
    assert any("+ colour red of 203.0.113.10" in text for _, text in world.host.logged)
    world.put_in(PUBLIC, WEB)
    world.configure("203.0.113.10 public colour=red")
    assert world.event(PUBLIC, "port-created", WEB) == []
    world.configure("203.0.113.10 public")
    assert world.apply() == []
    assert world.host.recorded("/run/nethook/colours") == ""
    assert world.clear() == []
    assert [rule.split(" ")[0] for rule in rules_of_the_wall(world)] == ["counter"]
