"""The completions are what the parser says, and the shells take them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.processes import run
from tests.packaging import shells
from tests.packaging.parser import OPTIONS, VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    Shell = Callable[[str, Path], set[str]]

REPOSITORY = Path(__file__).parents[2]
FILES = ("_nethook", "nethook", "nethook.fish")


@pytest.fixture(params=[shells.bash, shells.fish, shells.zsh], ids=["bash", "fish", "zsh"])
def shell(request: pytest.FixtureRequest) -> Shell:
    chosen: Shell = request.param
    return chosen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what shells keep from one call to the next."""
    return tmp_path_factory.mktemp("shells")


def test_the_kept_files_are_what_the_parser_makes(tmp_path: Path) -> None:
    run(["env", f"PYTHONPATH={REPOSITORY / 'src'}", sys.executable, REPOSITORY / "tools" / "completions.py", tmp_path])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        kept = (shells.COMPLETIONS / name).read_text(encoding="utf-8")
        assert kept == (tmp_path / name).read_text(encoding="utf-8"), f"{name}: run `make completions`"
        assert str(REPOSITORY) not in kept


def test_a_verb_is_completed(shell: Shell, folder: Path) -> None:
    assert shell("nethook st", folder) == {"status"}


def test_all_verbs_are_offered(shell: Shell, folder: Path) -> None:
    assert shell("nethook ", folder) == VERBS


def test_verbs_are_offered_behind_an_option(shell: Shell, folder: Path) -> None:
    assert shell("nethook --debug ap", folder) == {"apply"}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_the_options_of_a_verb_are_offered(shell: Shell, verb: str, folder: Path) -> None:
    long = {option for option in OPTIONS[verb] if option.startswith("--")}
    assert shell(f"nethook {verb} --", folder) == long


def test_the_values_of_an_option_are_offered(shell: Shell, folder: Path) -> None:
    assert shell("nethook guest-config --format net", folder) == {"netplan", "networkd", "networkmanager"}


def test_files_are_completed_where_they_are_expected(shell: Shell, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new-ips").touch()
    begun = tmp_path / "new"
    complete = str(tmp_path / "new-ips")
    for line in (f"nethook check {begun}", f"nethook check --debug {begun}", f"nethook check first {begun}"):
        assert {complete, "new-ips"} & shell(line, folder), line
    assert not shell(f"nethook apply {begun}", folder)
