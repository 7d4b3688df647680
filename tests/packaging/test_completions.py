"""The completions are what the parser says, and the shells take them."""

from __future__ import annotations

import os
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
    assert shell("nethook edit f", folder) == {"forwarded-ports"}


def test_files_are_completed_where_they_are_expected(shell: Shell, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new-ips").touch()
    begun = tmp_path / "new"
    complete = str(tmp_path / "new-ips")
    for line in (f"nethook check {begun}", f"nethook check --debug {begun}", f"nethook check first {begun}"):
        assert {complete, "new-ips"} & shell(line, folder), line
    assert not shell(f"nethook apply {begun}", folder)


NAMES = ["default", "my net", "$(touch PWNED)", "a;touch PWNED", "`touch PWNED`", "it's", "*", "-x", "w\\eb"]
QUOTED_FOR_BASH = {
    "default",
    r"my\ net",
    r"\$\(touch\ PWNED\)",
    r"a\;touch\ PWNED",
    r"\`touch\ PWNED\`",
    r"it\'s",
    r"\*",
    "-x",
    r"w\\eb",
}
LINES = """\
203.0.113.10 public
  2001:db8:7::/64  public
[2001:db8:7::1]:443 default guest=a
# 198.51.100.1 x
$(touch PWNED) y
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with lines in its files, and networks and guests with names that mean something to shells."""
    (tmp_path / "names").write_text("".join(f"{name}\n" for name in NAMES))
    virsh = tmp_path / "virsh"
    virsh.write_text(f"#!/bin/sh\necho virsh is loud >&2\ncat {tmp_path}/names\n")
    virsh.chmod(0o755)
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "routed-ips").write_text(LINES)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "nethook").mkdir()
    (tmp_path / "nethook" / "nethook.conf").write_text(f"# routed-ips = x\n  routed-ips = {tmp_path}/moved\n")
    (tmp_path / "moved").write_text("192.0.2.10 public\n")
    files = (
        "mount -t tmpfs none /mnt; cp -a /etc /mnt; mount --bind /mnt/etc /etc; "
        f"rm -rf /etc/nethook; cp -r {tmp_path}/nethook /etc; mount --bind {tmp_path}/default /etc/default"
    )
    monkeypatch.setattr(
        shells, "run", lambda argv: run(["unshare", "--mount", "sh", "-ec", f'{files}; exec "$@"', "sh", *argv])
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_addresses_of_the_files_are_offered(shell: Shell, host: Path, folder: Path) -> None:
    assert shell("nethook doctor 203", folder) == {"203.0.113.10"}
    assert shell("nethook doctor 192", folder) == {"192.0.2.10"}, "of a file that nethook.conf names"
    assert shell("nethook status 203.0.113.10 203", folder) == {"203.0.113.10"}
    assert shell("nethook remove 2001:db", folder) == {"db8:7::/64" if shell is shells.bash else "2001:db8:7::/64"}
    assert not shell("nethook add 203", folder)
    assert not [*host.glob("PWNED")]


def test_networks_and_guests_are_offered_and_names_run_nothing(shell: Shell, host: Path, folder: Path) -> None:
    for line in ("nethook apply ", "nethook status --network ", "nethook reserve "):
        offered = shell(line, folder)
        expected = QUOTED_FOR_BASH if shell is shells.bash else set(NAMES)
        assert expected - {"-x"} <= offered, line
    assert not [*host.glob("PWNED")]


def test_without_libvirt_nothing_is_offered_and_nothing_is_said(shell: Shell, host: Path, folder: Path) -> None:
    (host / "virsh").write_text("#!/bin/sh\necho error: failed to connect >&2\nexit 1\n")
    assert not shell("nethook restart-network ", folder)
