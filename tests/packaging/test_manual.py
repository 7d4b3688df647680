"""The manual says what the program does, and says it in correct mdoc(7)."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from lab.processes import run
from nethook import exit_status
from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES, SETTINGS_FILE
from nethook.config.forward_options import FORWARD_OPTIONS
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.options import OPTIONS as LINE_OPTIONS
from nethook.config.routed_ips import parse_routed_ips
from nethook.config.settings import _READERS, Settings, parse_settings
from nethook.gates import NAMES
from nethook.tracing import tried
from tests.packaging.parser import GLOBAL_OPTIONS, OPTIONS, VERBS

TREE = Path(__file__).parents[2]
FOLDER, JSON, SOURCES = TREE / "packaging" / "man", TREE / "docs" / "json.md", TREE / "src" / "nethook"
PAGES = sorted(path.name for path in FOLDER.iterdir())
ESCAPES = {r"\-": "-", r"\e": "\\", r"\(dq": '"', r"\(aq": "'", r"\(ha": "^", r"\(ti": "~", r"\(->": "→", r"\&": ""}


def plain(text: str) -> str:
    """The text with mdoc's escapes resolved; KeyError for one that is not known here."""
    return re.sub(r"\\(?:\(..|.)", lambda match: ESCAPES[match[0]], text)


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def sections(text: str, macro: str) -> dict[str, str]:
    """The parts of a page that begin with this macro (Sh, Ss), by title."""
    parts = re.split(rf"^\.{macro} (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(map(plain, parts[1::2]), parts[2::2]))


def literal_blocks(text: str) -> list[str]:
    return [plain(block) for block in re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", text, flags=re.MULTILINE)]


def flags(text: str) -> set[str]:
    """Every option that the text marks as one: ``.Fl h , \\-help`` has two; an argument of it may follow."""
    found: set[str] = set()
    for words in re.findall(r"\bFl ((?:\\?-?[\w\\-]+|[,|] ?| )+)", text):
        options = re.split(r" (?:Ar|Cm) ", words)[0].split()
        found.update(f"-{plain(word)}" for word in options if word not in {",", "|"})
    return found


def items(text: str, macro: str) -> dict[str, str]:
    """The items of lists that have this macro: what is marked, up to the next macro, and the item's text."""
    parts = re.split(rf"^\.It {macro} (.*)\n", text, flags=re.MULTILINE)
    return {plain(head): body for head, body in zip(parts[1::2], parts[2::2])}


def test_all_pages_are_there() -> None:
    assert PAGES == ["forwarded-ports.5", "nethook.8", "nethook.conf.5", "routed-ips.5"]


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_to_say(name: str) -> None:
    result = run(["mandoc", "-T", "lint", "-W", "warning", FOLDER / name], check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("name", PAGES)
def test_examples_fit_a_narrow_terminal(name: str) -> None:
    lines = run(["mandoc", "-T", "ascii", "-O", "width=80", FOLDER / name]).stdout.splitlines()
    assert [line for line in lines if len(re.sub(".\b", "", line)) > 80] == []


def test_each_verb_has_its_part_with_exactly_its_options() -> None:
    described = sections(sections(page("nethook.8"), "Sh")["VERBS"], "Ss")
    assert list(described) == list(OPTIONS)
    everywhere = set.intersection(*OPTIONS.values())
    for verb, text in described.items():
        listed = set().union(*(flags(f"Fl {head}") for head in items(text, "Fl")))
        assert listed == OPTIONS[verb] - everywhere, verb
        assert literal_blocks(text), f"{verb} has no example"
        assert "exit status is 0" in text.replace("\n", " "), verb


def stations() -> set[str]:
    """The stations of doctor's findings, and of what parts and gates lack, as their calls have them: a text or a name.

    Another name is of a variable: a function hands on a station that it was given.
    """
    found: set[object] = {tried.STATION}
    for path in SOURCES.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            at = {"Finding": 1, "Lack": 0}.get(ast.unparse(call.func)) if isinstance(call, ast.Call) else None
            if not isinstance(call, ast.Call) or at is None or not call.args:
                continue
            station = call.args[at]
            if isinstance(station, ast.Constant):
                found.add(station.value)
            elif isinstance(station, ast.Name):
                module = import_module(".".join(("nethook", *path.relative_to(SOURCES).with_suffix("").parts)))
                found.add(vars(module).get(station.id))
    return {each for each in found if isinstance(each, str)}


def test_each_station_of_doctor_is_described_and_no_other() -> None:
    text = page("nethook.8").partition("The stations, in their order:")[2].partition(".El")[0]
    heads = [head for line in re.findall(r"^\.It (.*)$", text, flags=re.MULTILINE) for head in line.split(" , ")]
    (row,) = re.findall(
        r"^\| `findings\[\].station` .* one of (.*) \|$", JSON.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(heads) == stations()
    assert set(re.findall("`([^`]*)`", row)) == stations() | {"--probe"}


def test_the_options_of_all_verbs_have_a_part_of_their_own() -> None:
    assert flags(sections(page("nethook.8"), "Sh")["OPTIONS"]) == GLOBAL_OPTIONS


def test_the_synopsis_has_each_verb_with_its_options() -> None:
    synopsis = sections(page("nethook.8"), "Sh")["SYNOPSIS"]
    found = {}
    for line in synopsis.split(".Nm\n"):
        verb = re.search(r"^\.Cm (.*)$", line, flags=re.MULTILINE)
        if verb:
            found[plain(verb[1])] = flags(line)
    assert found == {verb: options - {"-h", "--help"} for verb, options in OPTIONS.items()}
    assert flags(synopsis) == GLOBAL_OPTIONS.union(*OPTIONS.values())


def test_examples_have_only_what_the_parser_understands() -> None:
    for command in re.findall(r"\bnethook ([a-z][^\n]*)", "\n".join(literal_blocks(page("nethook.8")))):
        verb, *words = command.split()
        if verb in VERBS:
            assert {word for word in words if word.startswith("-")} <= OPTIONS[verb], command


def test_every_exit_status_is_listed() -> None:
    described = sections(page("nethook.8"), "Sh")["EXIT STATUS"]
    statuses = {value for name, value in vars(exit_status).items() if name.isupper()}
    assert {int(number) for number in re.findall(r"^\.It (\d+)$", described, flags=re.MULTILINE)} == statuses


@pytest.mark.parametrize(
    ("name", "files"),
    [
        *((name, ROUTED_IPS_FILES) for name in ("nethook.8", "nethook.conf.5", "routed-ips.5")),
        *((name, FORWARDED_PORTS_FILES) for name in ("nethook.8", "nethook.conf.5", "forwarded-ports.5")),
    ],
)
def test_the_files_are_named_in_the_order_of_the_search(name: str, files: tuple[str, ...]) -> None:
    text = plain(page(name))
    assert all(path in text for path in files)
    assert sorted(files, key=text.index) == list(files)
    assert SETTINGS_FILE in text or name in {"routed-ips.5", "forwarded-ports.5"}


def test_every_setting_is_described_and_no_other() -> None:
    settings = sections(page("nethook.conf.5"), "Sh")["SETTINGS"]
    described = items(settings, "Cm")
    assert list(described) == list(_READERS)
    assert list(items(settings, "Li")) == list(NAMES)
    assert f"Default: {Settings().mark_bit:#x}." in described["mark-bit"]
    assert f"Default: {Settings().route_protocol}." in described["route-protocol"]


def test_the_examples_of_settings_are_right_and_the_first_are_the_defaults() -> None:
    defaults, *others = literal_blocks(page("nethook.conf.5"))
    parsed = parse_settings("example", defaults.encode())
    by_default = Settings(gates=NAMES)
    assert {name: getattr(parsed, name) for name in Settings.VALUES} == {
        name: getattr(by_default, name) for name in Settings.VALUES
    }
    assert others
    for block in others:
        parse_settings("example", block.encode())


PARSERS = {"routed-ips.5": parse_routed_ips, "forwarded-ports.5": parse_forwarded_ports}


@pytest.mark.parametrize(("name", "known"), [("routed-ips.5", LINE_OPTIONS), ("forwarded-ports.5", FORWARD_OPTIONS)])
def test_every_option_of_a_line_is_described_and_no_other(name: str, known: dict[str, object]) -> None:
    heads = items(sections(page(name), "Sh")["OPTIONS"], "Cm")
    assert tuple(head.split()[0] for head in heads) == tuple(known)


@pytest.mark.parametrize("name", PARSERS)
def test_the_examples_of_lines_are_right(name: str) -> None:
    blocks = literal_blocks(page(name))
    assert blocks
    for block in blocks:
        lines, problems = PARSERS[name]([("example", block.encode())])
        assert lines
        assert [str(problem) for problem in problems] == []


@pytest.mark.parametrize("name", PARSERS)
def test_the_mistakes_are_told_as_the_program_tells_them(name: str) -> None:
    mistakes = items(sections(page(name), "Sh")["DIAGNOSTICS"], "Li")
    assert mistakes
    for line, text in mistakes.items():
        _, problems = PARSERS[name]([("example", line.encode())])
        told = " ".join(plain(text.partition("\n.")[0]).split())
        assert [f"{problem.what}; {problem.advice}" for problem in problems] == [told]
