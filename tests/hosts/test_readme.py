"""What README shows of a fresh Debian 13 host: each command is run, and has to print what is printed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.hosts import program
from lab.hosts.lab import Lab

pytestmark = pytest.mark.hosts

README = Path(__file__).parents[2] / "README.md"
PROMPT = "# "
PREPARED = ("apt-get ", "pip ")
"""What a host of the lab cannot do without the internet: its root has the packages, the wheel is put there."""


def sessions() -> list[tuple[str, str]]:
    """Every command that is shown at root's prompt, with its output."""
    blocks = re.findall(r"^```console\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    shown = [part.partition("\n") for block in blocks for part in re.split(rf"^{PROMPT}", block, flags=re.M) if part]
    return [(command, output) for command, _, output in shown if not command.startswith(PREPARED)]


def test_the_commands_of_the_readme(lab: Lab) -> None:
    host = lab.host("trixie")
    lab.wan.deliver("203.0.113.0/24", host)
    program.put(host)
    host.run(["rm", "-r", "/etc/firewalld"])  # the reader's host has none
    host.network("public", bridge="virbr1", addresses=["192.168.122.1/24"])
    addresses = ["203.0.113.10/32", "203.0.113.18/32"]
    host.guest("web1", network="public", addresses=addresses, gateways=["192.168.122.1"]).start()
    assert not lab.wan.http("203.0.113.10")
    commands = sessions()
    assert len(commands) == 7
    for command, output in commands:
        ran = host.run(["sh", "-c", f"{command} 2>&1"], check=False)
        assert (command, ran.stdout) == (command, output)
        assert ran.returncode == (command == "nethook plan")  # which says that there are changes
    assert lab.wan.http("203.0.113.10")
    assert lab.wan.http("203.0.113.18")
