"""The Ansible role of docs/, run by ansible-core against a booted host."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.hosts.lab import Lab
from lab.hosts.systemd_host import SystemdHost
from lab.packages.builds import released_here
from lab.processes import run
from nethook import __version__

pytestmark = pytest.mark.hosts

DOCS = Path(__file__).parents[2] / "docs"
SITE = DOCS / "ansible" / "site.yml"
CONNECTION = Path(__file__).with_name("ansible_connection")
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
ADDRESS, LATER = "203.0.113.10", "203.0.113.11"
FILE = "/etc/nethook/routed-ips"


class Play(NamedTuple):
    """The end of a run: its tasks by state, and what was printed."""

    status: int
    changed: int
    failed: int
    printed: str


class Site:
    def __init__(self, lab: Lab, folder: Path, suite: str, package: Path) -> None:
        self.lab = lab
        self.host: SystemdHost = lab.host(suite)
        lab.wan.deliver("203.0.113.0/24", self.host)
        self.host.network("public", addresses=["192.168.50.1/24"])
        addresses = [f"{ADDRESS}/32", f"{LATER}/32"]
        self.host.guest("web1", network="public", addresses=addresses, gateways=["192.168.50.1"]).start()
        self._folder = folder
        (folder / "inventory").write_text("[hypervisors]\nhost ansible_user=root ansible_connection=lab\n")
        self._package = package

    def play(self, *lines: str, checks: bool = False) -> Play:
        """Run the role with these lines in the file; with ``checks`` only look what would change."""
        variables = {
            "ansible_python_interpreter": "/usr/bin/python3",
            "nethook_package": str(self._package),
            "nethook_routed_ips": "".join(f"{line}\n" for line in lines),
            "nethook_wait": [] if checks else [line.split()[0] for line in lines],
        }
        environment = {
            "HOME": self._folder,
            "LANG": "C.UTF-8",
            "ANSIBLE_CONNECTION_PLUGINS": CONNECTION,
            "LAB_COMMAND": json.dumps([str(word) for word in self.host.command([])]),
        }
        words: list[str | Path] = [
            "-i",
            self._folder / "inventory",
            "--extra-vars",
            json.dumps(variables),
            *["--check"] * checks,
        ]
        command: list[str | Path] = [*(f"{name}={value}" for name, value in environment.items()), PLAYBOOK, *words]
        ended = run(["env", *command, SITE], check=False, timeout=600)
        recap = re.search(r"changed=(\d+) .*failed=(\d+)", ended.stdout)
        assert recap, ended
        return Play(ended.returncode, int(recap[1]), int(recap[2]), ended.stdout)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Lab() as lab:
        deb = released_here() / f"libvirt-nethook-helper_{__version__}-1_all.deb"
        yield Site(lab, tmp_path_factory.mktemp("ansible"), "bookworm", deb)


def test_the_documentation_has_the_playbook() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "automation.md").read_text(encoding="utf-8"), re.DOTALL)
    assert SITE.read_text(encoding="utf-8").endswith(f"\n{shown}")


def test_a_dry_run_on_a_fresh_host_changes_nothing(site: Site) -> None:
    checked = site.play(f"{ADDRESS} public", checks=True)
    assert (checked.status, checked.failed) == (0, 0), checked.printed
    assert checked.changed > 0
    assert site.host.run(["ls", "/usr/bin/nethook", "/etc/nethook"], check=False).returncode == 2


def test_it_installs_writes_and_applies(site: Site) -> None:
    assert not site.lab.wan.http(ADDRESS)
    played = site.play(f"{ADDRESS} public")
    assert (played.status, played.failed) == (0, 0), played.printed
    assert played.changed > 2
    assert site.lab.wan.http(ADDRESS)
    assert site.host.run(["systemctl", "is-enabled", "nethook"]).stdout == "enabled\n"


def test_a_second_time_nothing_changes(site: Site) -> None:
    for checks in (False, True):
        again = site.play(f"{ADDRESS} public", checks=checks)
        assert (again.status, again.changed, again.failed) == (0, 0, 0), again.printed


def test_a_dry_run_says_that_a_line_would_come(site: Site) -> None:
    checked = site.play(f"{ADDRESS} public", f"{LATER} public", checks=True)
    assert (checked.status, checked.changed) == (0, 1), checked.printed
    assert site.host.read(FILE) == f"{ADDRESS} public\n"
    assert not site.lab.wan.http(LATER, timeout=1)
    played = site.play(f"{ADDRESS} public", f"{LATER} public")
    assert (played.status, played.changed) == (0, 2), played.printed  # the file, and what is in force
    assert site.lab.wan.http(LATER)


def test_a_wrong_file_is_not_written(site: Site) -> None:
    wrong = site.play(f"{ADDRESS} public", f"{ADDRESS} public")
    assert (wrong.status, wrong.changed, wrong.failed) == (2, 0, 1), wrong.printed
    assert f"{ADDRESS} is already at" in wrong.printed
    assert site.host.read(FILE) == f"{ADDRESS} public\n{LATER} public\n"
    assert site.lab.wan.http(LATER)


def test_with_pip(tmp_path: Path) -> None:
    with Lab() as lab:
        site = Site(lab, tmp_path, "trixie", released_here() / f"libvirt_nethook_helper-{__version__}-py3-none-any.whl")
        played = site.play(f"{ADDRESS} public")
        assert (played.status, played.failed) == (0, 0), played.printed
        assert lab.wan.http(ADDRESS)
        again = site.play(f"{ADDRESS} public")
        assert (again.status, again.changed, again.failed) == (0, 0, 0), again.printed
